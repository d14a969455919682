"""Readers, on files that astropy writes in the layouts of real libraries."""

import gzip
import io

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table
from astropy.wcs import WCS

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import readers
from spectralunmix.libraries.readers.spectrum import unit

WAVE = np.linspace(4000.0, 5000.0, 21)
FLUX = 1 + np.arange(21.0)


def source(reader, *members, **options):
    return {
        "reader": reader,
        "members": list(members),
        "options": options,
        "largest_member": 2**20,
    }


def image(path, data=FLUX, extensions=(), **cards):
    hdu = fits.PrimaryHDU(np.asarray(data, dtype="f4"))
    hdu.header.update(cards)
    others = [fits.ImageHDU(np.asarray(d, dtype="f4"), name=name) for name, d in extensions]
    fits.HDUList([hdu, *others]).writeto(path)


@pytest.mark.parametrize(
    ("axis", "cards"),
    [
        ("linear", {"CTYPE1": "WAVE", "CRVAL1": 4000.0, "CDELT1": 50.0, "CRPIX1": 3.0}),
        (
            "linear",
            {"CTYPE1": "WAVE", "CRVAL1": 400.0, "CDELT1": 5.0, "CRPIX1": 1.0, "CUNIT1": "nm"},
        ),
        ("log10", {"CRVAL1": 3.6, "CDELT1": 0.01, "CRPIX1": 1.0}),
        ("ln", {"CRVAL1": 8.3, "CD1_1": 0.01, "CRPIX1": 2.0}),
    ],
)
def test_image_axes_are_those_of_astropys_wcs(tmp_path, axis, cards):
    image(tmp_path / "a.fits", **cards)
    (found,) = readers.read(tmp_path, source("fits_image", "*.fits", axis=axis))
    wcs = WCS(fits.getheader(tmp_path / "a.fits"))
    values = np.asarray(wcs.pixel_to_world_values(np.arange(21)))
    if "CUNIT1" in cards:  # astropy then has metres
        values = values * 1e10
    base = {"linear": None, "log10": 10, "ln": np.e}[axis]
    expected = values if base is None else base**values
    np.testing.assert_allclose(found.wavelength, expected, rtol=1e-12)
    np.testing.assert_allclose(found.flux, FLUX)


def test_rows_of_an_image(tmp_path):
    """The IRTF library's layout: wavelength in micron, flux and error in one image."""
    rows = [WAVE / 1e4, FLUX, 0.1 * FLUX]
    image(tmp_path / "K7V.fits", rows, SPTYPE="K7 V")
    options = {"axis": "row", "wavelength_row": 0, "row": 1, "uncertainty_row": 2}
    options |= {"wavelength_unit": "um", "flux_unit": "Wm-2um-1"}
    (found,) = readers.read(tmp_path, source("fits_image", "*.fits", **options))
    np.testing.assert_allclose(found.wavelength, WAVE, rtol=1e-6)
    expected = (FLUX * u.Unit("W m-2 um-1")).to_value("erg s-1 cm-2 Angstrom-1")
    np.testing.assert_allclose(found.flux, expected, rtol=1e-6)
    np.testing.assert_allclose(1 / np.sqrt(found.inverse_variance), 0.1 * expected, rtol=1e-6)
    assert found.header["SPTYPE"] == "K7 V"


def test_wavelengths_in_a_file_of_their_own(tmp_path):
    """The PHOENIX library's layout, its flux per centimetre."""
    image(tmp_path / "WAVE.fits", WAVE)
    image(tmp_path / "lte.fits", BUNIT="erg/s/cm^2/cm")
    options = {"axis": "file", "wavelength_file": "WAVE.fits"}
    (found,) = readers.read(tmp_path, source("fits_image", "lte*.fits", **options))
    np.testing.assert_allclose(found.wavelength, WAVE, rtol=1e-6)
    np.testing.assert_allclose(found.flux, FLUX * 1e-8)


def test_extensions_uncertainty_and_mask(tmp_path):
    bad = np.zeros(21)
    bad[3] = 1
    extensions = [("FLUX", FLUX), ("VAR", np.full(21, 4.0)), ("DQ", bad)]
    image(tmp_path / "a.fits", [0.0], extensions)
    content = fits.open(tmp_path / "a.fits", mode="update")
    content["FLUX"].header.update(CRVAL1=4000.0, CDELT1=50.0)
    content.close()
    options = {"extension": "FLUX", "uncertainty_extension": "VAR", "mask_extension": "DQ"}
    options["uncertainty_kind"] = "variance"
    (found,) = readers.read(tmp_path, source("fits_image", "*.fits", **options))
    assert found.inverse_variance.tolist() == [0.0 if i == 3 else 0.25 for i in range(21)]
    with pytest.raises(LibraryError, match=r"a\.fits: no image in extension 'SCI'; .* 1 FLUX"):
        list(readers.read(tmp_path, source("fits_image", "*.fits", extension="SCI")))


STARS = Table({"TARGETID": [39, 7], "TEFF": [5000.0, 9000.0], "FLUX": [[1, 2], [3, 4]]})


def spectrograph(path, table=STARS, inverse_variance=(4.0, 9.0), mask=None):
    """A night of a fibre spectrograph: images of a spectrum a row, and a table of the stars."""
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.array([FLUX, 2 * FLUX]), name="B_FLUX")]
    hdus[1].header.update(CRVAL1=3.6, CD1_1=0.01, BUNIT="10**-17 erg/(s cm2 Angstrom)")
    hdus.append(fits.ImageHDU(WAVE / 10, name="B_WAVELENGTH"))
    hdus[2].header["BUNIT"] = "nm"
    weights = np.array([np.full(21, value) for value in inverse_variance])
    hdus.append(fits.ImageHDU(weights, name="B_IVAR"))
    bad = np.zeros((2, 21), int) if mask is None else mask
    hdus.append(fits.ImageHDU(bad, name="B_MASK"))
    hdus.append(fits.BinTableHDU(table, name="FIBERMAP"))
    fits.HDUList(hdus).writeto(path)


ROWS = {"layout": "rows", "extension": "B_FLUX", "uncertainty_extension": "B_IVAR"}
ROWS |= {"uncertainty_kind": "inverse_variance", "mask_extension": "B_MASK"}
ROWS |= {"flux_unit": "relative", "axis": "extension", "wavelength_extension": "B_WAVELENGTH"}
NAMED = {"table_extension": "FIBERMAP", "name": "TARGETID"}


def test_an_image_with_a_spectrum_a_row(tmp_path):
    """The layout of DESI's spectra, and with the axis in the header that of SDSS's plates."""
    bad = np.zeros((2, 21), int)
    bad[1, 3] = 16
    spectrograph(tmp_path / "coadd.fits", mask=bad)
    first, second = readers.read(tmp_path, source("fits_image", "*.fits", **ROWS, **NAMED))
    assert (first.file, second.file) == ("39", "7")
    assert (first.header["TEFF"], second.header["TEFF"]) == (5000, 9000)
    np.testing.assert_allclose(second.wavelength, WAVE)
    np.testing.assert_allclose(second.flux, 2 * FLUX)
    assert second.inverse_variance.tolist() == [0.0 if i == 3 else 9.0 for i in range(21)]
    assert first.inverse_variance.tolist() == [4.0] * 21
    options = ROWS | {"axis": "log10"}
    first, second = readers.read(tmp_path, source("fits_image", "*.fits", **options))
    assert (first.file, second.file) == ("coadd.fits:1", "coadd.fits:2")
    np.testing.assert_allclose(second.wavelength, 10 ** (3.6 + 0.01 * np.arange(21)))
    np.testing.assert_allclose(second.flux, 2 * FLUX)


def test_an_image_of_one_row(tmp_path):
    rows = [np.atleast_2d(each) for each in (FLUX, 0.5 * FLUX)]
    image(tmp_path / "a.fits", rows[0], [("ERR", rows[1])], CRVAL1=4000.0, CDELT1=50.0)
    options = {"layout": "rows", "uncertainty_extension": "ERR"}
    (found,) = readers.read(tmp_path, source("fits_image", "*.fits", **options))
    np.testing.assert_allclose(found.inverse_variance, 4 / FLUX**2)


@pytest.mark.parametrize(
    ("options", "written", "message"),
    [
        ({"name": "STAR"}, {}, "a.fits: no column 'STAR' for options.name; there are TARGETID"),
        ({}, {"table": STARS[:1]}, "a.fits: 2 rows in the image, 1 in table FIBERMAP"),
        ({}, {"inverse_variance": [1.0]}, r"a.fits: B_IVAR is \(1, 21\), not \(2, 21\)"),
        ({"table_extension": "B_FLUX"}, {}, "a.fits: no table in extension 'B_FLUX'"),
        ({"wavelength_extension": "W"}, {}, "a.fits: no image in extension 'W'"),
    ],
)
def test_an_image_of_rows_that_do_not_fit(tmp_path, options, written, message):
    spectrograph(tmp_path / "a.fits", **written)
    with pytest.raises(LibraryError, match=message):
        list(readers.read(tmp_path, source("fits_image", "*.fits", **ROWS | NAMED | options)))


def test_a_table_a_file_in_nanometres(tmp_path):
    """The X-shooter library's layout."""
    table = Table({"WAVE": WAVE / 10, "FLUX_DR": FLUX, "ERR": 0.5 * FLUX})
    table["WAVE"].unit, table["FLUX_DR"].unit = "nm", "erg s-1 cm-2 Angstrom-1"
    table.write(tmp_path / "x.fits")
    options = {"wavelength": "WAVE", "flux": "FLUX_DR", "uncertainty": "ERR"}
    (found,) = readers.read(tmp_path, source("fits_table", "*.fits", **options))
    np.testing.assert_allclose(found.wavelength, WAVE)
    np.testing.assert_allclose(found.flux, FLUX)
    np.testing.assert_allclose(found.inverse_variance, 4 / FLUX**2)


def test_a_spectrum_a_column(tmp_path):
    """The Castelli & Kurucz atlas's layout and spellings; zeros where there is no model."""
    columns = [fits.Column("WAVELENGTH", "D", unit="ANGSTROMS", array=WAVE)]
    for name, scale in (("g00", 0), ("g40", 1), ("g45", 2)):
        columns.append(fits.Column(name, "E", unit="FLAM", array=scale * FLUX))
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "ckp00_5000.fits")
    options = {"layout": "columns", "flux": "g??"}
    found = list(readers.read(tmp_path, source("fits_table", "*.fits", **options)))
    assert [s.file for s in found] == ["ckp00_5000.fits:g40", "ckp00_5000.fits:g45"]
    np.testing.assert_allclose(found[1].flux, 2 * FLUX)


def test_a_spectrum_a_row(tmp_path):
    """The MaStar library's layout, gzipped."""
    mask = np.zeros((2, 21), dtype="i4")
    mask[1, :2] = 2**10
    table = Table(
        {
            "MANGAID": ["7-1", "7-2"],
            "WAVE": [WAVE, WAVE],
            "FLUX": [FLUX, 2 * FLUX],
            "IVAR": np.full((2, 21), 9.0),
            "MASK": mask,
            "TEFF": [5000.0, 6000.0],
        }
    )
    table.write(tmp_path / "plain.fits")
    packed = gzip.compress((tmp_path / "plain.fits").read_bytes())
    (tmp_path / "stars.fits.gz").write_bytes(packed)
    options = {"layout": "rows", "name": "MANGAID", "wavelength": "WAVE", "flux": "FLUX"}
    options |= {"uncertainty": "IVAR", "uncertainty_kind": "inverse_variance", "mask": "MASK"}
    one, two = readers.read(tmp_path, source("fits_table", "*.gz", **options))
    assert (one.file, two.file) == ("7-1", "7-2")
    assert two.header["TEFF"] == 6000
    np.testing.assert_allclose(two.flux, 2 * FLUX)
    assert two.inverse_variance.tolist() == [0.0, 0.0] + 19 * [9.0]
    assert one.wavelength is two.wavelength  # tens of thousands of rows share one grid


def test_text_and_gzipped_text_with_wavelengths_apart(tmp_path):
    """The BOSZ library's layout."""
    np.savetxt(tmp_path / "wave.txt", WAVE)
    buffer = io.StringIO()
    np.savetxt(buffer, np.transpose([FLUX, np.ones(21)]))
    (tmp_path / "s.txt.gz").write_bytes(gzip.compress(buffer.getvalue().encode()))
    options = {"wavelength_file": "wave.txt", "flux": 0}
    (found,) = readers.read(tmp_path, source("text", "*.txt.gz", **options))
    np.testing.assert_allclose((found.wavelength, found.flux), (WAVE, FLUX))
    np.savetxt(tmp_path / "plain.txt", np.transpose([WAVE, FLUX]), header="a comment")
    (found,) = readers.read(tmp_path, source("text", "plain.txt"))
    np.testing.assert_allclose((found.wavelength, found.flux), (WAVE, FLUX))


@pytest.mark.parametrize("kind", ["csv", "ecsv", "fixed_width"])
def test_text_with_column_names(tmp_path, kind):
    table = Table({"flux": FLUX, "lam": WAVE / 1e4, "noise": np.ones(21)})
    table["lam"].unit = "micron" if kind == "ecsv" else None
    table.write(tmp_path / "s.dat", format=f"ascii.{kind}")
    options = {"format": kind, "wavelength": "lam", "flux": "flux", "wavelength_unit": "microns"}
    if kind == "ecsv":
        del options["wavelength_unit"]  # the file says it
    (found,) = readers.read(tmp_path, source("text", "*.dat", **options))
    np.testing.assert_allclose((found.wavelength, found.flux), (WAVE, FLUX))


def test_votable(tmp_path):
    table = Table({"WAVELENGTH": WAVE / 10, "FLUX": FLUX})
    table["WAVELENGTH"].unit = "nm"
    from_table(table).to_xml(str(tmp_path / "s.xml"))
    (found,) = readers.read(tmp_path, source("votable", "*.xml"))
    np.testing.assert_allclose((found.wavelength, found.flux), (WAVE, FLUX))


@pytest.mark.parametrize(
    ("spelling", "meaning"),
    [
        ("ANGSTROMS", "Angstrom"),
        ("A", "Angstrom"),
        ("microns", "um"),
        ("FLAM", "erg s-1 cm-2 Angstrom-1"),
        ("Wm-2um-1", "W m-2 um-1"),
        ("erg cm-2 s-1 A-1", "erg s-1 cm-2 Angstrom-1"),
        ("ergs/s/cm2/A", "erg s-1 cm-2 Angstrom-1"),
        ("1E-17 erg/s/cm^2/Ang", "1e-17 erg s-1 cm-2 Angstrom-1"),
        ("erg/s/cm^2/cm", "erg s-1 cm-3"),
        ("mJy", "mJy"),
    ],
)
def test_units_as_libraries_spell_them(spelling, meaning):
    assert unit(spelling).is_equivalent(u.Unit(meaning))
    assert unit(spelling).to(u.Unit(meaning)) == pytest.approx(1, rel=1e-12)


def test_flux_per_frequency_becomes_flux_per_wavelength(tmp_path):
    np.savetxt(tmp_path / "s.txt", np.transpose([WAVE, FLUX]))
    (found,) = readers.read(tmp_path, source("text", "*.txt", flux_unit="Jy"))
    wave = WAVE * u.Angstrom
    expected = (FLUX * u.Jy).to_value("erg s-1 cm-2 Angstrom-1", u.spectral_density(wave))
    np.testing.assert_allclose(found.flux, expected, rtol=1e-12)


def test_falling_wavelengths_are_turned(tmp_path):
    np.savetxt(tmp_path / "s.txt", np.transpose([WAVE[::-1], FLUX]))
    (found,) = readers.read(tmp_path, source("text", "*.txt"))
    np.testing.assert_allclose((found.wavelength, found.flux), (WAVE, FLUX[::-1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flux_unit": "K"}, r"s\.txt: flux unit 'K' cannot be converted .* options\.flux_unit"),
        ({"flux_unit": "photons"}, r"flux unit 'photons' cannot be converted"),
        ({"wavelength_unit": "kg"}, r"s\.txt: wavelength unit 'kg' is not one of wavelength"),
        ({"wavelength_unit": "furlongs"}, r"'furlongs' .* options\.wavelength_unit"),
        ({"wavelength_unit": "m"}, r"s\.txt: wavelengths of 4e\+13 .* not plausible"),
        ({"flux": 7}, r"s\.txt: no column 7 for options\.flux; there are col1, col2"),
        ({"wavelength_file": "w.txt"}, r"options\.wavelength_file: 0 files .* 'w\.txt', not one"),
    ],
)
def test_what_an_entry_says_wrongly(tmp_path, options, message):
    np.savetxt(tmp_path / "s.txt", np.transpose([WAVE, FLUX]))
    with pytest.raises(LibraryError, match=message):
        list(readers.read(tmp_path, source("text", "*.txt", **options)))


def test_wavelengths_that_do_not_increase(tmp_path):
    wave = WAVE.copy()
    wave[7] = wave[5]
    np.savetxt(tmp_path / "s.txt", np.transpose([wave, FLUX]))
    with pytest.raises(LibraryError, match=r"s\.txt: .* channel 8 has 4250 Angstrom after 4300"):
        list(readers.read(tmp_path, source("text", "*.txt")))


def test_log_axis_read_as_linear_is_an_error(tmp_path):
    image(tmp_path / "log.fits", CRVAL1=3.1, CDELT1=0.01, CRPIX1=1)
    with pytest.raises(LibraryError, match=r"log\.fits: .* not plausible: is the axis"):
        list(readers.read(tmp_path, source("fits_image", "*.fits", axis="linear")))


def test_linear_axis_read_as_log_is_an_error(tmp_path):
    image(tmp_path / "linear.fits", CRVAL1=4000.0, CDELT1=1.0)
    with pytest.raises(LibraryError, match=r"linear\.fits: .*"):
        list(readers.read(tmp_path, source("fits_image", "*.fits", axis="log10")))


def test_truncated_fits_is_named(tmp_path):
    fits.PrimaryHDU(np.ones(5000)).writeto(tmp_path / "cut.fits")
    content = (tmp_path / "cut.fits").read_bytes()
    (tmp_path / "cut.fits").write_bytes(content[:6000])
    with pytest.raises(LibraryError, match=r"cut\.fits: not a whole FITS file"):
        list(readers.read(tmp_path, source("fits_image", "*.fits")))


def test_a_flipped_bit_is_an_error_where_the_file_has_a_checksum(tmp_path):
    hdu = fits.PrimaryHDU(np.ones(720))
    hdu.header.update(CRVAL1=3.1, CDELT1=0.001)
    hdu.writeto(tmp_path / "flipped.fits", checksum=True)
    content = bytearray((tmp_path / "flipped.fits").read_bytes())
    content[-1000] ^= 1
    (tmp_path / "flipped.fits").write_bytes(content)
    with pytest.raises(LibraryError, match=r"flipped\.fits: .*[Cc]hecksum"):
        list(readers.read(tmp_path, source("fits_image", "*.fits", axis="log10")))


@pytest.mark.parametrize(
    ("reader", "name", "content", "message"),
    [
        ("r_subset", "junk.rds", b"not an R file", "not the subset's R list"),
        ("votable", "junk.xml", b"<html>moved", "not a VOTable"),
        ("text", "junk.txt", b"1 2\n3", "not a table of format"),
        ("text", "junk.txt.gz", b"\x1f\x8b\x08junk", "not a whole gzip file"),
        ("fits_table", "junk.fits", b"junk", "not a whole FITS file"),
    ],
)
def test_junk_is_an_error_that_names_the_file(tmp_path, reader, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LibraryError, match=f"{name}: {message}"):
        list(readers.read(tmp_path, source(reader, "junk*")))


def test_gzip_bombs_are_refused(tmp_path):
    (tmp_path / "bomb.txt.gz").write_bytes(gzip.compress(b"0 " * 2**20))
    with pytest.raises(LibraryError, match=r"bomb\.txt\.gz: passes the size limit"):
        list(readers.read(tmp_path, source("text", "*.gz")))


@pytest.mark.parametrize(
    ("text", "held"),
    [("wave flux\n4000 1\n4010 2\n", "wave"), ("4000 1\n4010 -\n4020 2\n", "-")],
)
def test_text_that_is_no_number_is_named_with_the_way_out(tmp_path, text, held):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(LibraryError, match=rf"a.txt: column col\d holds '{held}'.*options.format"):
        list(readers.read(tmp_path, source("text", "*.txt")))
    options = {"format": "basic", "wavelength": 0, "flux": 1}
    options["table"] = {"fill_values": [["-", "nan"]]}
    if held == "-":
        options |= {"format": "no_header"}
    (found,) = readers.read(tmp_path, source("text", "*.txt", **options))
    assert found.wavelength[:2].tolist() == [4000, 4010]
    assert np.isnan(found.flux).sum() == (held == "-")


@pytest.mark.parametrize("layout", ["file", "columns", "rows"])
@pytest.mark.parametrize(("axis", "log"), [("log10", np.log10), ("ln", np.log)])
def test_a_column_of_logarithms(tmp_path, layout, axis, log):
    """SDSS's layout, and its like."""
    table = {
        "file": {"loglam": log(WAVE), "flux": FLUX},
        "columns": {"loglam": log(WAVE), "flux": FLUX},
        "rows": {"loglam": [log(WAVE)], "flux": [FLUX]},
    }[layout]
    Table(table).write(tmp_path / "spec.fits")
    options = {"wavelength": "loglam", "flux": "flux", "axis": axis, "layout": layout}
    (found,) = readers.read(tmp_path, source("fits_table", "*.fits", **options))
    np.testing.assert_allclose(found.wavelength, WAVE)
    np.testing.assert_allclose(found.flux, FLUX)
    with pytest.raises(LibraryError, match="not plausible"):
        list(readers.read(tmp_path, source("fits_table", "*.fits", **options | {"axis": "linear"})))
