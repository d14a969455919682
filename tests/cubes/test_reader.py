"""read_cube: every layout, axes, units, masks, windows and bins, against plain numpy."""

import gzip
import shutil

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import InverseVariance, NDData, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS
from specutils import Spectrum

import cube_layouts as written
from spectralunmix import Layout, read_cube
from spectralunmix.cubes import values as reading
from spectralunmix.errors import LibraryError


@pytest.fixture
def cube():
    return written.values()


def expected(flux, sigma, bad):
    """Spectra and inverse variance of the spaxels that have one, row by row."""
    V = np.where(bad, 0, sigma**-2)
    X = np.where(bad, 0, flux)
    used = (V > 0).any(axis=0)
    return X[:, used].T, V[:, used].T, used


def assert_is(found, cube, rtol=1e-6):
    X, V, used = expected(*cube)
    assert (found.spaxels == used).all()
    np.testing.assert_allclose(found.spectra, X, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(found.inverse_variance, V, rtol=rtol)
    assert found.has_uncertainties


@pytest.mark.parametrize("layout", written.WRITERS)
def test_every_layout_gives_the_same_spectra(layout, cube, tmp_path):
    path = written.WRITERS[layout](tmp_path / "c.fits", *cube)
    for stated in (None, layout):
        found = read_cube(path, stated)
        assert_is(found, cube)
        assert found.medium == written.MEDIUM[layout]
        wavelength = written.wavelength(log=layout in ("manga", "jwst"))
        np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-9)
        sky = WCS(found.celestial)
        assert sky.naxis == 2
        place = sky.pixel_to_world(2, 1)
        assert place.separation(SkyCoord(150, 2, unit="deg")).arcsec < 1e-6


def test_what_the_header_says_of_object_and_unit_is_kept(cube, tmp_path):
    found = read_cube(written.muse(tmp_path / "c.fits", *cube), redshift=0.1)
    assert found.name == found.about["OBJECT"] == "a galaxy"
    assert found.unit == written.FLUX_UNIT
    np.testing.assert_allclose(found.rest_wavelength, written.wavelength() / 1.1)
    assert read_cube(tmp_path / "c.fits").redshift is None
    row = found.row(2, 3)
    flux, _, bad = cube
    np.testing.assert_allclose(found.spectra[row], np.where(bad, 0, flux)[:, 2, 3], rtol=1e-6)
    assert found.row(1, 2) is None
    image = found.image(found.spectra[:, 7])
    assert np.isnan(image[1, 2])
    np.testing.assert_allclose(image[0, 0], np.where(bad, 0, flux)[7, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("kind", ["sigma", "variance", "inverse_variance"])
def test_any_other_layout_by_names(kind, cube, tmp_path):
    flux, sigma, bad = cube
    power = {"sigma": 1, "variance": 2, "inverse_variance": -2}[kind]
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(flux, written.header(ctype="LINEAR"), "SPEC"),
        fits.ImageHDU(np.where(bad, np.nan, sigma**power), name="NOISE"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "c.fits")
    found = read_cube(tmp_path / "c.fits", Layout("SPEC", "NOISE", kind), medium="air")
    assert_is(found, cube)
    assert found.medium == "air"
    np.testing.assert_allclose(found.wavelength, written.wavelength())
    alone = read_cube(tmp_path / "c.fits", Layout("SPEC"))
    assert alone.inverse_variance is None
    assert not alone.has_uncertainties
    assert alone.medium == "unknown"
    assert alone.spaxels.all()


def test_wavelength_may_run_along_any_axis_and_fall(cube, tmp_path):
    along_first = read_cube(written.muse(tmp_path / "a.fits", *cube, axis=1))
    assert_is(along_first, cube)
    flux, sigma, bad = (z[::-1] for z in cube)
    path = written.muse(tmp_path / "b.fits", flux, sigma, bad, first=5036.25, step=-1.25)
    falling = read_cube(path)
    assert_is(falling, cube)
    np.testing.assert_allclose(falling.wavelength, written.wavelength())
    # a window, and bins that do not come out even, are those of rising wavelength
    how = {"window": (5003, 5030), "bin_channels": 4, "bin_spaxels": 2}
    one, other = (read_cube(tmp_path / name, **how) for name in ("a.fits", "b.fits"))
    np.testing.assert_allclose(one.spectra, other.spectra)
    np.testing.assert_allclose(one.inverse_variance, other.inverse_variance)
    np.testing.assert_allclose(one.wavelength, other.wavelength)


def test_the_axis_that_has_as_many_values_as_there_are_wavelengths(cube, tmp_path):
    """Where the header says nothing of it."""
    flux, sigma, bad = (np.moveaxis(z, 0, 2) for z in cube)
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(np.where(bad, np.nan, flux), name="F"),
        fits.ImageHDU(sigma, name="S"),
        fits.ImageHDU(written.wavelength(), name="W"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "c.fits")
    found = read_cube(tmp_path / "c.fits", Layout("F", "S", wavelength="W"))
    assert_is(found, cube)
    np.testing.assert_allclose(found.wavelength, written.wavelength())


@pytest.mark.parametrize(("unit", "factor"), [("nm", 0.1), ("um", 1e-4), ("m", 1e-10)])
def test_units_of_wavelength(unit, factor, cube, tmp_path):
    path = written.muse(
        tmp_path / "c.fits", *cube, unit=unit, first=5000 * factor, step=1.25 * factor
    )
    np.testing.assert_allclose(read_cube(path).wavelength, written.wavelength(), rtol=1e-9)


def test_scaled_integers_and_compressed_files(cube, tmp_path):
    flux, sigma, bad = cube
    path = tmp_path / "c.fits"
    hdus = [fits.ImageHDU(np.where(bad, 0, z), written.header()) for z in (flux, sigma)]
    for hdu, name in zip(hdus, ("SCI2", "SIGMA"), strict=True):
        hdu.name = name
        hdu.scale("int16", bscale=1e-3, bzero=1.0)
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    found = read_cube(path, Layout("SCI2", "SIGMA"))
    X = np.where(bad, 0, flux)[:, found.spaxels].T
    np.testing.assert_allclose(found.spectra[found.inverse_variance > 0],
                               X[found.inverse_variance > 0], atol=6e-4)  # fmt: skip
    written.muse(tmp_path / "m.fits", *cube)
    with open(tmp_path / "m.fits", "rb") as plain, gzip.open(tmp_path / "m.fits.gz", "wb") as gz:
        shutil.copyfileobj(plain, gz)
    assert_is(read_cube(tmp_path / "m.fits.gz"), cube)


def test_what_is_left_out_has_weight_0(cube, tmp_path):
    path = written.muse(tmp_path / "c.fits", *cube)
    found = read_cube(path, leave_out=[(5010, 5014)], window=(5005, 5030))
    wavelength = written.wavelength()
    inside = (wavelength >= 5005) & (wavelength <= 5030)
    np.testing.assert_allclose(found.wavelength, wavelength[inside])
    left_out = (wavelength[inside] >= 5010) & (wavelength[inside] <= 5014)
    assert left_out.sum() == 4
    assert (found.inverse_variance[:, left_out] == 0).all()
    assert (found.channels == ~left_out).all()
    X, V, _ = expected(*cube)
    np.testing.assert_allclose(found.spectra[:, ~left_out], X[:, inside][:, ~left_out], rtol=1e-6)
    np.testing.assert_allclose(
        found.inverse_variance[:, ~left_out], V[:, inside][:, ~left_out], rtol=1e-6
    )


def test_bins_are_means_with_the_variance_of_means(cube, tmp_path):
    flux, sigma, bad = cube
    found = read_cube(written.muse(tmp_path / "c.fits", *cube), bin_spaxels=2, bin_channels=3)
    assert found.spaxels.shape == (2, 2)
    assert len(found.wavelength) == 10
    np.testing.assert_allclose(found.wavelength, written.wavelength().reshape(10, 3).mean(axis=1))
    for row, (y, x) in enumerate(np.argwhere(found.spaxels)):
        for channel in range(10):
            at = np.s_[3 * channel : 3 * channel + 3, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            good = ~bad[at]
            np.testing.assert_allclose(
                found.spectra[row, channel], flux[at][good].mean(), rtol=1e-5
            )
            variance = (sigma[at][good] ** 2).sum() / good.sum() ** 2
            np.testing.assert_allclose(
                found.inverse_variance[row, channel], 1 / variance, rtol=1e-5
            )
    # the centre of the first bin lies between the centres of its spaxels
    sky, whole = WCS(found.celestial), WCS(read_cube(tmp_path / "c.fits").celestial)
    assert sky.pixel_to_world(0, 0).separation(whole.pixel_to_world(0.5, 0.5)).arcsec < 1e-6


@pytest.mark.parametrize(
    "kind", [StdDevUncertainty, VarianceUncertainty, InverseVariance], ids=lambda k: k.__name__
)
def test_objects_of_astropy_and_specutils(kind, cube, tmp_path):
    flux, sigma, bad = cube
    power = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2}[kind]
    parts = {"uncertainty": kind(sigma**power), "mask": bad}
    data = NDData(flux, wcs=written.wcs(), unit=written.unit(), **parts)
    found = read_cube(data, name="mine", redshift=0.01)
    assert_is(found, cube)
    assert (found.name, found.medium) == ("mine", "air")
    np.testing.assert_allclose(found.wavelength, written.wavelength())
    assert (
        WCS(found.celestial).pixel_to_world(2, 1).separation(SkyCoord(150, 2, unit="deg")).arcsec
        < 1e-6
    )
    last = {"uncertainty": kind(np.moveaxis(sigma**power, 0, 2)), "mask": np.moveaxis(bad, 0, 2)}
    spectrum = Spectrum(
        flux=np.moveaxis(flux, 0, 2) * written.unit(),
        spectral_axis=written.wavelength() / 10 * units.nm,
        **last,
    )
    again = read_cube(spectrum)
    assert_is(again, cube)
    np.testing.assert_allclose(again.wavelength, written.wavelength())
    assert again.celestial is None


def test_a_cube_that_specutils_reads_is_the_same(cube, tmp_path):
    path = written.manga(tmp_path / "manga.fits", *cube, good=0)
    data = Spectrum.read(path, format="MaNGA cube")
    found = read_cube(data)
    ours = read_cube(path)
    np.testing.assert_allclose(found.wavelength, ours.wavelength, rtol=1e-9)
    assert found.spectra.shape[1] == ours.spectra.shape[1]
    y, x = np.argwhere(ours.spaxels)[3]
    good = ours.inverse_variance[ours.row(y, x)] > 0
    theirs = found.spectra[found.row(y, x)] if found.spaxels.shape == (4, 5) else None
    theirs = found.spectra[found.row(x, y)] if theirs is None else theirs
    np.testing.assert_allclose(theirs[good], ours.spectra[ours.row(y, x)][good], rtol=1e-6)


@pytest.mark.parametrize("axis", [1, 3])
def test_a_large_cube_is_read_in_blocks_to_disk(axis, cube, tmp_path, monkeypatch):
    path = written.muse(tmp_path / "c.fits", *cube, axis=axis)
    how = {"bin_channels": 2, "window": (5002, 5033)}
    whole = read_cube(path, **how)
    monkeypatch.setattr(reading, "BLOCK", 50)
    monkeypatch.setattr(reading, "LARGE", 100)
    parts = read_cube(path, scratch=str(tmp_path), **how)
    assert isinstance(parts.spectra, np.memmap)
    assert isinstance(parts.inverse_variance, np.memmap)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.fits"]  # its files have no names
    np.testing.assert_array_equal(parts.spectra, whole.spectra)
    np.testing.assert_array_equal(parts.inverse_variance, whole.inverse_variance)
    with pytest.raises(LibraryError, match="TMPDIR"):
        read_cube(path, scratch=str(tmp_path / "none"))


def test_uncertainties_whose_inverse_squares_are_no_float32(cube, tmp_path):
    flux, sigma, bad = cube
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU((1e-20 * flux).astype(np.float32), written.header(), "F"),
        fits.ImageHDU((1e-20 * sigma).astype(np.float32), name="S"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "c.fits")
    found = read_cube(tmp_path / "c.fits", Layout("F", "S"))
    assert found.inverse_variance.dtype == float
    np.testing.assert_allclose(found.inverse_variance[0], 1e40 * sigma[:, 0, 0] ** -2, rtol=1e-5)
    assert bad.any()


def without(name):
    def change(hdus):
        del hdus[name]

    return change


def card(name, key, value):
    def change(hdus):
        hdus[name].header[key] = value

    return change


def of_shape(name, index):
    def change(hdus):
        hdus[name].data = hdus[name].data[index]

    return change


def all_nan(hdus):
    hdus["DATA"].data[:] = np.nan


def no_wcs(hdus):
    for key in [*hdus["DATA"].header]:
        if key[:5] in ("CTYPE", "CRVAL", "CDELT", "CRPIX", "CUNIT", "WCSAX"):
            del hdus["DATA"].header[key]


WRONG = {
    "no variance": (without("STAT"), r"no extension STAT with its uncertainty: .*flux alone.*DATA"),
    "no flux": (without("DATA"), "not in a layout that is known.*STAT"),
    "another shape": (of_shape("STAT", np.s_[:-1]), r"uncertainty is of shape \(29, 4, 5\)"),
    "two dimensions": (of_shape("DATA", 0), "not in a layout that is known"),
    "all NaN": (all_nan, "no spaxel has a value that counts"),
    "no WCS": (no_wcs, "no wavelengths.*wavelength_unit"),
    "velocity": (card("DATA", "CUNIT3", "km/s"), "no world coordinates that can be .*km/s"),
    "sigma for variance": (card("STAT", "BUNIT", written.FLUX_UNIT), "is that of the sigma"),
    "no step": (card("DATA", "CDELT3", 0.0), "no world coordinates that can be .*singular"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_cube_at_fault_is_one_clear_error(fault, cube, tmp_path):
    change, message = WRONG[fault]
    path = written.muse(tmp_path / "c.fits", *cube)
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(tmp_path / "wrong.fits", output_verify="silentfix")
    with pytest.raises(LibraryError, match=message) as error:
        read_cube(tmp_path / "wrong.fits")
    assert "wrong.fits" in str(error.value)
    assert "\n" not in str(error.value)


def test_without_coordinates_of_the_sky_there_are_none(cube, tmp_path):
    path = written.muse(tmp_path / "c.fits", *cube)
    with fits.open(path, memmap=False) as hdus:
        for key in [*hdus["DATA"].header]:
            if key[:-1] in ("CTYPE", "CUNIT", "CRVAL") and key[-1] in "12":
                del hdus["DATA"].header[key]
        hdus.writeto(tmp_path / "bare.fits")
    found = read_cube(tmp_path / "bare.fits")
    assert_is(found, cube)
    assert found.celestial is None


def test_a_wavelength_without_a_unit_needs_one_stated(cube, tmp_path):
    path = written.muse(tmp_path / "c.fits", *cube, ctype="LINEAR", unit="", first=500, step=0.125)
    with pytest.raises(LibraryError, match="wavelength_unit"):
        read_cube(path)
    found = read_cube(path, wavelength_unit="nm")
    np.testing.assert_allclose(found.wavelength, written.wavelength())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"redshift": -1}, "redshift"),
        ({"bin_spaxels": 0}, "bin_spaxels"),
        ({"bin_channels": 1.5}, "bin_channels"),
        ({"window": (5010, 5010)}, "not the lower"),
        ({"leave_out": [(3, 2)]}, "not the lower"),
        ({"leave_out": (5574, 5582)}, "a list of regions to leave out"),
        ({"window": [(5574, 5582)]}, "two wavelengths are needed"),
        ({"medium": "water"}, "medium"),
        ({"layout": "sdss"}, "layout='sdss' is none of muse"),
        ({"layout": Layout("DATA", "STAT", "std")}, "uncertainty_kind"),
    ],
)
def test_arguments_out_of_their_range(how, message, cube, tmp_path):
    path = written.muse(tmp_path / "c.fits", *cube)
    with pytest.raises(ValueError, match=message):
        read_cube(path, **how)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"window": (6000, 7000)}, "0 of its channels"),
        ({"bin_spaxels": 5}, "too few"),
        ({"bin_channels": 20}, "too few"),
        ({"leave_out": [(4000, 6000)]}, "no spaxel has a value that counts"),
    ],
)
def test_what_leaves_nothing_is_an_error(how, message, cube, tmp_path):
    with pytest.raises(LibraryError, match=message):
        read_cube(written.muse(tmp_path / "c.fits", *cube), **how)


def test_files_that_are_no_cubes(tmp_path):
    with pytest.raises(LibraryError, match="there is no such file"):
        read_cube(tmp_path / "none.fits")
    with pytest.raises(LibraryError, match="is not a file"):
        read_cube(tmp_path)
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(LibraryError, match="not a FITS file"):
        read_cube(tmp_path / "text.fits")
    whole = written.muse(tmp_path / "c.fits", *written.values()).read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LibraryError, match=r"cut\.fits"):
        read_cube(tmp_path / "cut.fits")
