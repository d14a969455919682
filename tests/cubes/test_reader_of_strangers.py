"""read_cube: units and files that are not what they should be, and bins without uncertainties."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, NDData, StdDevUncertainty, VarianceUncertainty

import cube_layouts as written
from spectralunmix import Layout, read_cube, unmix_cube
from spectralunmix.cubes import fits_file
from spectralunmix.cubes import values as reading
from spectralunmix.cubes.contents import Said
from spectralunmix.errors import LibraryError


@pytest.fixture
def cube():
    return written.values()


def test_a_unit_of_wavelength_that_is_missing_or_wrong(cube, tmp_path):
    """Of axes that wcslib brings to metres by itself."""
    path = written.muse(tmp_path / "none.fits", *cube, unit="")
    with pytest.raises(LibraryError, match=r"have no unit.*wavelength_unit"):
        read_cube(path)
    found = read_cube(path, wavelength_unit="Angstrom")
    np.testing.assert_allclose(found.wavelength, written.wavelength(), rtol=1e-9)
    path = written.muse(tmp_path / "wrong.fits", *cube, unit="nm")  # they are in Angstrom
    found = read_cube(path, wavelength_unit="Angstrom")
    np.testing.assert_allclose(found.wavelength, written.wavelength(), rtol=1e-9)
    with pytest.raises(LibraryError, match="unit parrots, which is none of wavelength"):
        read_cube(path, wavelength_unit="parrots")


def test_a_header_whose_unit_is_not_needed(cube, tmp_path):
    flux, sigma, _ = cube
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(flux, written.header(ctype="VRAD", unit="km/s"), "F"),
        fits.ImageHDU(sigma, name="S"),
        fits.ImageHDU(written.wavelength() / 10, name="W"),
    ]
    hdus[3].header["BUNIT"] = "nm"
    fits.HDUList(hdus).writeto(tmp_path / "c.fits")
    found = read_cube(tmp_path / "c.fits", Layout("F", "S", wavelength="W"))
    np.testing.assert_allclose(found.wavelength, written.wavelength())


def test_bins_without_uncertainties_weigh_as_many_values_as_they_have(cube, tmp_path):
    flux, sigma, bad = cube
    written.muse(tmp_path / "c.fits", *cube)
    found = read_cube(tmp_path / "c.fits", Layout("DATA"), bin_spaxels=2)
    counts = (~bad[:, :4, :4]).reshape(30, 2, 2, 2, 2).sum(axis=(2, 4))
    weights = found.image(found.inverse_variance)
    np.testing.assert_allclose(weights, counts / 4)
    assert not found.has_uncertainties
    whole = NDData(flux[:, :4, :4], wcs=written.wcs())
    assert read_cube(whole, bin_spaxels=2).inverse_variance is None
    assert sigma.any()


def test_the_mean_square_is_that_of_the_residual(cube):
    flux, *_ = cube
    data = read_cube(NDData(np.abs(flux), wcs=written.wcs()), bin_spaxels=2)
    maps = unmix_cube(data, 2, 0)
    left = data.spectra - maps.weights @ maps.components
    assert maps.chi2_per_voxel == pytest.approx(np.mean(left**2))


def test_weights_that_turn_out_to_need_float64(cube, tmp_path, monkeypatch):
    """Of a channel that is read after others."""
    flux, sigma, _ = cube
    sigma = sigma.copy()
    sigma[20:] *= 1e-20
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(flux.astype(np.float32), written.header(), "F")]
    hdus.append(fits.ImageHDU(sigma, name="S"))
    fits.HDUList(hdus).writeto(tmp_path / "c.fits")
    monkeypatch.setattr(reading, "BLOCK", 40)
    found = read_cube(tmp_path / "c.fits", Layout("F", "S"))
    expected = sigma.reshape(30, -1).T ** -2
    np.testing.assert_allclose(found.inverse_variance, expected, rtol=1e-6)


def test_units_of_uncertainties_that_are_handed_in(cube):
    flux, sigma, bad = cube
    unit = written.unit()
    for kind, power in ((StdDevUncertainty, 1), (VarianceUncertainty, 2), (InverseVariance, -2)):
        given = kind((1000 * sigma) ** power, unit=(unit / 1000) ** power)
        data = NDData(flux, given, mask=bad, wcs=written.wcs(), unit=unit)
        found = read_cube(data)
        good = found.inverse_variance > 0
        expected = (sigma[:, found.spaxels].T ** -2)[good]
        np.testing.assert_allclose(found.inverse_variance[good], expected, rtol=1e-6)
    with pytest.raises(ValueError, match="layout='muse' is for files"):
        read_cube(NDData(flux, wcs=written.wcs()), "muse")


def test_units_of_uncertainties_that_are_another_scale(cube, tmp_path):
    path = written.muse(tmp_path / "c.fits", *cube)
    fits.setval(path, "BUNIT", value="10**(-36)*erg**2/s**2/cm**4/Angstrom**2", extname="STAT")
    with pytest.raises(LibraryError, match=r"1e\+04 times that of the flux"):
        read_cube(path)


def test_files_that_unpack_to_more_than_they_should(cube, tmp_path):
    path = tmp_path / "bomb.fits.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(bytes(2**22))
    opened = fits_file.opened(path, None, Said(file="bomb.fits.gz"), str(tmp_path), 2**20)
    with pytest.raises(LibraryError, match=r"bomb\.fits\.gz: passes the size limit"), opened:
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["bomb.fits.gz"]
    tiles = fits.CompImageHDU(cube[0].astype(np.float32), written.header(), "DATA")
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(tmp_path / "tiles.fits")
    with pytest.raises(LibraryError, match=r"compressed in tiles.*funpack"):
        read_cube(tmp_path / "tiles.fits")
    hdu = fits.ImageHDU(cube[0].astype(np.float32), written.header(), "DATA")
    hdu.writeto(tmp_path / "huge.fits")
    content = (tmp_path / "huge.fits").read_bytes()
    axis = b"NAXIS1  =                    5"
    assert axis in content
    (tmp_path / "huge.fits").write_bytes(content.replace(axis, b"NAXIS1  =            500000000"))
    with pytest.raises(LibraryError, match=r"huge\.fits: not a whole FITS file"):
        read_cube(tmp_path / "huge.fits")
