"""`spectralunmix fit`: every mistake is one line, before any work."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from matrices import N_SPECTRA, N_WAVE, WAVE, V, X, as_csv, as_image, columns_of
from spectralunmix.files import write_spectra


def test_a_missing_file(fit, folder):
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
    ("x.txt", no_names, [], "its name is not one of a file that is read: .fits, .fit, .fts"),
    ("x.fits", broken_fits, [], "not a whole FITS file"),
    ("x.fits", text_as_fits, [], "not a whole FITS file"),
    ("x.fits.gz", text_as_fits, [], "not a whole FITS file"),
    (
        "x.fits",
        single_spectrum,
        [],
        "name an extension of n_spectra x n_wave values with --hdu; "
        "there are 0 PRIMARY (an image of 40)",
    ),
    ("x.fits", cube, [], "there are 0 PRIMARY (an image of 3 x 4 x 5)"),
    ("x.fits", cube, ["--hdu", "0"], "of shape 3 x 4 x 5, not a matrix with a spectrum a row"),
    ("x.fits", plain_table, [], "there are 0 PRIMARY (empty), 1 without a name (a table of teff)"),
    ("x.fits", plain_table, ["--hdu", "1"], "no matrix with a spectrum a row in extension 1"),
    ("x.fits", two_arrays, [], "array columns A, B: the one with the spectra needs the name FLUX"),
    ("x.fits", grids_of_their_own, [], "rows of WAVELENGTH differ: bring the spectra to the same"),
    ("x.fits", ragged, [], "the rows of FLUX have 9 to 40 values: bring the spectra to the same"),
    ("x.fits", other_wavelengths, [], "39 wavelengths of spectra with 40 channels"),
    ("x.fits", axis_of_text, [], "CRVAL1, CDELT1, CRPIX1 are ['blue', 12.5, 1.0], not numbers"),
    ("x.fits", as_image, ["--hdu", "SCI"], "no extension SCI; there are 0 PRIMARY (an image of"),
    ("x.fits", as_image, ["--hdu", "9"], "no extension 9; there are 0 PRIMARY"),
    ("x.csv", as_csv, ["--hdu", "1"], "--hdu 1 is for FITS files: leave it out"),
    ("x.csv", one_column, [], "2 rows of 1 columns: the first column is the wavelength"),
    ("x.csv", no_names, [], "its first line holds numbers: it needs to name the columns"),
    ("x.csv", text_in_a_column, [], "column b holds something else than numbers"),
    ("x.csv", transposed, [], "wavelengths, from 1 to 1, do not rise throughout"),
    ("x.ecsv", arrays_in_cells, [], "a column has arrays in its rows: one number a row"),
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
]


@pytest.mark.parametrize(
    ("name", "write", "words", "message"),
    ERRORS,
    ids=[" ".join([write.__name__, *words]) for _, write, words, _ in ERRORS],
)
def test_every_error_is_one_line(fit, folder, name, write, words, message):
    write(folder / name)
    before = sorted(folder.iterdir())
    said = fit(name, *words)
    assert said.startswith("ERROR: ")
    assert name in said
    assert message in said
    assert "\n" not in said
    assert sorted(folder.iterdir()) == before
