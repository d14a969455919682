"""Files that `spectralunmix fit` reads: every kind, what is missing in them, and every error."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from matrices import (
    ASKED,
    FILES,
    N_SPECTRA,
    N_WAVE,
    NAMES,
    WAVE,
    V,
    X,
    as_csv,
    as_image,
    as_survey_table,
    as_workflow,
    check_results,
    columns_of,
    expected,
    fit,
)
from spectralunmix.files import read_curves, read_table, read_weights, write_curves, write_spectra


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_cd_matrix(path):
    as_image(path, step="CD1_1", pixel=11.0, CUNIT1="Angstrom")


def as_packed_image(path):
    as_image("plain.fits")
    path.write_bytes(gzip.compress((path.parent / "plain.fits").read_bytes()))


def as_second_extension(path):
    images = [fits.ImageHDU(X[:, ::-1], name="OTHER"), fits.ImageHDU(X, name="FLUX")]
    images.append(fits.ImageHDU(WAVE / 10, name="WAVELENGTH"))
    images[-1].header["BUNIT"] = "nm"
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)


def as_table(path):
    columns_of(ID=np.arange(N_SPECTRA), spectra=X).writeto(path)


def as_lengths_of_their_own(path):
    column = fits.Column("FLUX", "PD()", array=np.array(list(X), dtype=object))
    fits.BinTableHDU.from_columns([column]).writeto(path)


def as_ecsv(path):
    write_curves(path, WAVE, dict(zip(NAMES, X, strict=True)))


NUMBERED = [f"spectrum_{i}" for i in range(1, N_SPECTRA + 1)]


KINDS = [
    ("workflow.fits", as_workflow, [], WAVE, "Angstrom", NUMBERED),
    ("linear.fit", as_image, [], WAVE, None, NUMBERED),
    ("matrix.FTS", as_cd_matrix, [], WAVE, "Angstrom", NUMBERED),
    ("packed.fits.gz", as_packed_image, [], WAVE, None, NUMBERED),
    ("named.fits", as_second_extension, ["--hdu", "FLUX"], WAVE / 10, "nm", NUMBERED),
    ("numbered.fits", as_second_extension, ["--hdu", "2"], WAVE / 10, "nm", NUMBERED),
    ("table.fits", as_table, [], None, None, NUMBERED),
    ("survey.fits", as_survey_table, [], WAVE, None, NUMBERED),
    ("lengths.fits", as_lengths_of_their_own, [], None, None, NUMBERED),
    ("curves.ecsv", as_ecsv, [], WAVE, "Angstrom", NAMES),
    ("my spectra.csv", as_csv, [], WAVE, None, NAMES),
]


@pytest.mark.parametrize(
    ("name", "write", "words", "wave", "unit", "names"), KINDS, ids=[kind[0] for kind in KINDS]
)
def test_every_kind_of_file_gives_the_estimators_fit(folder, name, write, words, wave, unit, names):
    write(folder / name)
    printed = fit(name, *ASKED, *words)
    target = folder / f"{name.split('.')[0]}_fit"
    assert sorted(path.name for path in target.iterdir()) == FILES
    axis, content = check_results(target, *expected())
    if wave is None:
        assert axis.name == "channel"
        assert list(axis) == list(range(1, N_WAVE + 1))
    else:
        as_read, *_ = read_curves(f"{target}/components.ecsv")
        np.testing.assert_allclose(as_read, wave)
    assert (None if axis.unit is None else str(axis.unit)) == unit
    assert list(read_table(target / "weights.ecsv")["spectrum"]) == names
    assert f"{name}: 7 spectra of 40 channels" in printed
    assert f"objective {content['objective']:.9g}" in printed
    assert "(converged)" in printed
    for made in FILES:
        assert f"{target.name}/{made}" in printed


@pytest.mark.parametrize(
    ("cards", "wave"),
    [
        ({"CRVAL1": 3.6, "CDELT1": 1e-4, "DC-FLAG": 1}, 10 ** (3.6 + 1e-4 * np.arange(N_WAVE))),
        (
            {"CRVAL1": 4000.0, "CDELT1": 2.0, "CTYPE1": "WAVE-LOG"},
            4000 * np.exp(2 * np.arange(N_WAVE) / 4000),
        ),
    ],
)
def test_logarithmic_axes_of_a_header(folder, cards, wave):
    as_image(folder / "x.fits", **cards)
    fit("x.fits", *ASKED)
    axis, _ = check_results(folder / "x_fit", *expected())
    np.testing.assert_allclose(axis, wave, rtol=1e-7)


def test_whole_numbers_with_an_offset(folder):
    whole = (1000 * X).astype(np.int16)
    image = fits.PrimaryHDU(whole.copy())
    image.scale("int16", bzero=32768)
    image.writeto(folder / "x.fits")
    fit("x.fits", *ASKED)
    check_results(folder / "x_fit", *expected(whole.astype(float)))


# Inverse variance


def with_weights(path):
    weights = fits.ImageHDU(V, name="INVERSE_VARIANCE")
    fits.HDUList([fits.PrimaryHDU(X), weights, fits.ImageHDU(V + 1, name="IVAR")]).writeto(path)


@pytest.mark.parametrize(
    ("words", "v"),
    [
        ([], V),
        (["--inverse-variance", "IVAR"], V + 1),
        (["--inverse-variance", "2"], V + 1),
        (["--inverse-variance", "none"], None),
        (["--inverse-variance", "v.fits"], V + 2),
        (["--inverse-variance", "v.csv"], V + 3),
    ],
)
def test_an_inverse_variance_of_an_extension_or_a_file(folder, words, v):
    with_weights(folder / "x.fits")
    as_image(folder / "v.fits", V + 2)
    as_csv(folder / "v.csv", X=V + 3)
    printed = fit("x.fits", *ASKED, *words)
    check_results(folder / "x_fit", *expected(v=v))
    assert ("with inverse variance" in printed) == (v is not None)


def test_an_inverse_variance_in_a_column(folder):
    as_survey_table(folder / "x.fits")
    fit("x.fits", *ASKED, "--inverse-variance", "ivar")
    check_results(folder / "x_fit", *expected(v=V))


def with_gaps():
    gaps = X.copy()
    gaps[2, 5:9], gaps[4, 0] = np.nan, np.inf
    return gaps


def test_values_that_are_missing(folder):
    gaps = with_gaps()
    as_csv(folder / "x.csv", X=gaps)
    said = fit("x.csv", *ASKED)
    assert said == (
        "ERROR: x.csv: 5 of 280 values, in 2 spectra, are NaN or infinite: leave them out with "
        "--mask-nan, or give an --inverse-variance that is 0 there"
    )
    v = np.isfinite(gaps).astype(float)
    printed = fit("x.csv", *ASKED, "--mask-nan")
    assert "with inverse variance, which is 0 for 1.79 % of the values" in printed
    check_results(folder / "x_fit", *expected(gaps, v))
    as_csv(folder / "v.csv", X=v)
    fit("x.csv", *ASKED, "--inverse-variance", "v.csv", "--output", "other")
    check_results(folder / "other", *expected(gaps, v))


def test_an_empty_cell_is_missing_too(folder):
    as_csv(folder / "x.csv")
    text = (folder / "x.csv").read_text()
    (folder / "x.csv").write_text(text.replace(f",{X[0, 3]},", ",,", 1))
    assert "1 of 280 values, in 1 spectra, are NaN" in fit("x.csv", *ASKED)


def test_a_spectrum_of_which_nothing_is_left(folder):
    gaps = X.copy()
    gaps[3] = np.nan
    as_image(folder / "x.fits", gaps)
    printed = fit("x.fits", *ASKED, "--mask-nan")
    assert "WARNING: 1 spectra have inverse variance 0 throughout: their weights are 0" in printed
    names = ["component_1", "component_2"]
    assert not read_weights("x_fit/weights.ecsv", names)[3].any()


def test_damaged_weights(folder):
    as_image(folder / "x.fits")
    weights = V.copy()
    weights[1, 1] = np.nan
    as_image(folder / "v.fits", weights)
    asked = ("x.fits", *ASKED, "--inverse-variance", "v.fits")
    assert "1 of 280 values, in 1 spectra, of the inverse variance are NaN" in fit(*asked)
    fit(*asked, "--mask-nan")
    check_results(folder / "x_fit", *expected(v=np.nan_to_num(weights)))


# Errors: one line, before any work


def test_a_missing_file(folder):
    assert fit("none.fits") == "ERROR: none.fits: there is no such file"
    assert list(folder.iterdir()) == []


def broken_fits(path):
    as_image(path)
    path.write_bytes(path.read_bytes()[:3000])


def text_as_fits(path):
    path.write_text("wavelength,a\n1,2\n")


def single_spectrum(path):
    as_image(path, X[0])


def cube(path):
    as_image(path, np.ones((3, 4, 5)))


def plain_table(path):
    columns_of(teff=np.arange(3)).writeto(path)


def two_arrays(path):
    columns_of(A=X, B=X).writeto(path)


def grids_of_their_own(path):
    columns_of(FLUX=X, WAVELENGTH=WAVE + np.arange(N_SPECTRA)[:, None]).writeto(path)


def ragged(path):
    column = fits.Column("FLUX", "PD()", array=np.array([X[0], X[1, :9]], dtype=object))
    fits.BinTableHDU.from_columns([column]).writeto(path)


def other_wavelengths(path):
    write_spectra(path, WAVE[:-1], X, None, "air")


def axis_of_text(path):
    as_image(path, CRVAL1="blue")


def one_column(path):
    path.write_text("wavelength\n1\n2\n")


def empty(path):
    path.write_text("")


def no_names(path):
    path.write_text("4000,1,2\n4001,1,2\n")


def text_in_a_column(path):
    path.write_text("wavelength,a,b\n1,2,x\n2,3,y\n")


def transposed(path):
    as_csv(path, wave=np.ones(N_WAVE))


def arrays_in_cells(path):
    Table({"wavelength": [1.0, 2.0], "flux": [[1.0, 2.0], [3.0, 4.0]]}).write(
        path, format="ascii.ecsv"
    )


def no_ecsv(path):
    path.write_text("wavelength a\n1 2\n")


def rows_of_other_lengths(path):
    """The parser's message has several lines."""
    path.write_text("wavelength,a,b\n1,2\n2,3,4,5\n")


def another_extension(path):
    header = "XTENSION= 'FOREIGN '" + 60 * " " + f"{'BITPIX  =                    8':80}"
    header += f"{'NAXIS   =                    0':80}{'PCOUNT  =                    0':80}"
    header += f"{'GCOUNT  =                    1':80}END"
    as_image(path)
    path.write_bytes(path.read_bytes() + f"{header:2880}".encode())


def all_nan(path):
    as_image(path, np.full_like(X, np.nan))


def negative(path):
    as_image(path, -X)


def other_shape(path):
    as_image(path)
    as_image("v.fits", V[:, 1:])


def negative_weights(path):
    as_image(path)
    as_image("v.fits", -V)


def no_weight(path):
    as_image(path)
    as_image("v.fits", 0 * V)


V_FILE = ["--inverse-variance", "v.fits"]


ERRORS = [
    ("x.txt", no_names, [], "its suffix is not that of a file that is read: .fits, .fit, .fts"),
    ("x.fits", broken_fits, [], "not a whole FITS file"),
    ("x.fits", text_as_fits, [], "not a whole FITS file"),
    ("x.fits.gz", text_as_fits, [], "not a whole FITS file"),
    ("x.fits", single_spectrum, [], "with --hdu; there are 0 PRIMARY (an image of 40)"),
    ("x.fits", cube, [], "there are 0 PRIMARY (an image of 3 x 4 x 5)"),
    ("x.fits", cube, ["--hdu", "0"], "of shape 3 x 4 x 5, not a matrix with a spectrum a row"),
    ("x.fits", plain_table, [], "there are 0 PRIMARY (empty), 1 without a name (a table of teff)"),
    ("x.fits", plain_table, ["--hdu", "1"], "no matrix with a spectrum a row in extension 1"),
    ("x.fits", two_arrays, [], "A, B: the column with the spectra needs the name FLUX"),
    ("x.fits", grids_of_their_own, [], "rows of WAVELENGTH differ: bring the spectra to the same"),
    ("x.fits", ragged, [], "the rows of FLUX have 9 to 40 values: bring the spectra to the same"),
    ("x.fits", other_wavelengths, [], "39 wavelengths of spectra with 40 channels"),
    ("x.fits", axis_of_text, [], "CRVAL1, CDELT1, CRPIX1 are ['blue', 12.5, 1.0], not numbers"),
    ("x.fits", as_image, ["--hdu", "SCI"], "no extension SCI; there are 0 PRIMARY (an image of"),
    ("x.fits", as_image, ["--hdu", "9"], "no extension 9; there are 0 PRIMARY"),
    ("x.csv", as_csv, ["--hdu", "1"], "--hdu 1 is for FITS files: leave it out"),
    ("x.csv", empty, [], "0 rows of 0 columns: the first column is the wavelength"),
    ("x.csv", one_column, [], "2 rows of 1 columns: the first column is the wavelength"),
    ("x.csv", no_names, [], "its first line holds numbers: it needs to name the columns"),
    ("x.csv", text_in_a_column, [], "column b holds something else than numbers"),
    ("x.csv", transposed, [], "wavelengths, from 1 to 1, do not rise throughout"),
    ("x.ecsv", arrays_in_cells, [], "a column has arrays in its rows: a number in each row"),
    ("x.ecsv", no_ecsv, [], "not a table in ECSV"),
    ("x.csv", rows_of_other_lengths, [], "not a table in CSV (Number of header columns (3) incon"),
    ("x.fits", another_extension, ["--hdu", "1"], "1 without a name (of another kind)"),
    ("x.fits", all_nan, [], "all of its 280 values are NaN or infinite"),
    ("x.fits", all_nan, ["--mask-nan"], "all of its 280 values are NaN or infinite"),
    ("x.fits", negative, [], "no value above zero"),
    ("x.fits", other_shape, V_FILE, "the inverse variance is 7 x 39, the spectra are 7 x 40"),
    ("x.fits", negative_weights, V_FILE, "280 of 280 values, in 7 spectra, of the inverse"),
    ("x.fits", no_weight, V_FILE, "no value has an inverse variance above 0"),
    ("x.fits", as_image, V_FILE, "--inverse-variance v.fits: neither a file, nor an extension"),
    ("x.fits", as_image, ["-k", "8"], "8 components are more than 7 spectra of 40 channels can"),
    ("x.fits", as_image, ["-k", "0"], "n_components=0: a whole number of at least 1"),
    ("x.fits", as_image, ["--smoothness", "-1"], "smoothness=-1.0: a finite number of at least 0"),
    ("x.fits", as_image, ["--smoothness", "nan"], "smoothness=nan: a finite number"),
    ("x.fits", as_image, ["--tol", "-1"], "tol=-1.0: a finite number of at least 0"),
    ("x.fits", as_image, ["--max-iter", "0"], "max_iter=0: a whole number of at least 1"),
    ("x.fits", as_image, ["--device", "abacus"], "device='abacus': 'cpu', 'cuda' or 'auto'"),
    ("x.fits", as_image, ["--device", "cpu:x"], "Invalid device string: 'cpu:x'"),
]


@pytest.mark.parametrize(
    ("name", "write", "words", "message"),
    ERRORS,
    ids=[" ".join([write.__name__, *words]) for _, write, words, _ in ERRORS],
)
def test_every_error_is_one_line(folder, name, write, words, message):
    write(folder / name)
    before = sorted(folder.iterdir())
    said = fit(name, *words)
    assert said.startswith("ERROR: ")
    assert name in said
    assert message in said
    assert "\n" not in said
    assert sorted(folder.iterdir()) == before
