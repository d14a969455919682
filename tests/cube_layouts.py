"""A small cube, written in the layout of each instrument and in others."""

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS

N_WAVE, Y, X = 30, 4, 5
SKY = {
    "CTYPE1": "RA---TAN", "CUNIT1": "deg", "CRVAL1": 150.0, "CRPIX1": 3.0, "CDELT1": -5e-5,
    "CTYPE2": "DEC--TAN", "CUNIT2": "deg", "CRVAL2": 2.0, "CRPIX2": 2.0, "CDELT2": 5e-5,
}  # fmt: skip
FLUX_UNIT = "10**(-20)*erg/s/cm**2/Angstrom"


def values(seed=0, shape=(N_WAVE, Y, X)):
    """Flux, sigma, and which values are bad, (n_wave, y, x)."""
    random = np.random.default_rng(seed)
    flux = random.normal(5, 2, shape)
    sigma = random.uniform(0.5, 2, shape)
    bad = random.random(shape) < 0.1
    bad[:, 1, 2] = True  # a spaxel without a spectrum
    return flux, sigma, bad


def wavelength(log=False):
    steps = np.arange(N_WAVE)
    return 5000 * np.exp(2e-4 * steps) if log else 5000 + 1.25 * steps


def header(axis=3, ctype="AWAV", unit="Angstrom", first=5000.0, step=1.25):
    """Cards of a cube whose wavelength runs along that FITS axis."""
    places = [n for n in (1, 2, 3) if n != axis]
    cards = {}
    for old, new in zip((1, 2), places, strict=True):
        cards |= {f"{key[:-1]}{new}": v for key, v in SKY.items() if key.endswith(str(old))}
    cards |= {f"CTYPE{axis}": ctype, f"CUNIT{axis}": unit, f"CRPIX{axis}": 1.0}
    cards |= {f"CRVAL{axis}": first, f"CDELT{axis}": step}
    return fits.Header(cards)


def muse(path, flux, sigma, bad, axis=3, **cards):
    """DATA, STAT with the variance, NaN where a value is bad."""
    data = np.where(bad, np.nan, flux).astype(np.float32)
    variance = (sigma**2).astype(np.float32)
    if axis == 1:
        data, variance = (np.moveaxis(z, 0, 2) for z in (data, variance))
    of_cube = header(axis, **cards)
    parts = [fits.ImageHDU(data, of_cube, "DATA"), fits.ImageHDU(variance, of_cube, "STAT")]
    parts[0].header["BUNIT"] = FLUX_UNIT
    parts[1].header["BUNIT"] = f"({FLUX_UNIT})**2"
    primary = fits.PrimaryHDU()
    primary.header["OBJECT"], primary.header["INSTRUME"] = "a galaxy", "MUSE"
    fits.HDUList([primary, *parts]).writeto(path)
    return path


def manga(path, flux, sigma, bad, good=2**5):
    """FLUX, IVAR, MASK with bits, WAVE in vacuum, equal steps of its logarithm."""
    mask = np.where(bad, 2**10, good)  # do not use; by default a bit that means nothing here
    axis = header(ctype="WAVE-LOG", first=5000.0, step=1.0)  # 5000 * 2e-4
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(flux, axis, "FLUX"),
        fits.ImageHDU(sigma**-2, axis, "IVAR"),
        fits.ImageHDU(mask.astype(np.int32), axis, "MASK"),
        fits.ImageHDU(wavelength(log=True), name="WAVE"),
    ]
    hdus[1].header["BUNIT"] = "1E-17 erg/s/cm^2/Ang/spaxel"
    fits.HDUList(hdus).writeto(path)
    return path


def jwst(path, flux, sigma, bad):
    """SCI, ERR, DQ with bits, wavelengths in micrometres in a table of their own (WAVE-TAB)."""
    axis = header(ctype="WAVE-TAB", unit="um", first=1.0, step=1.0)
    axis["PS3_0"], axis["PS3_1"], axis["PV3_3"] = "WCS-TABLE", "wavelength", 1
    table = fits.BinTableHDU.from_columns(
        [fits.Column("wavelength", f"{N_WAVE}D", dim=f"(1,{N_WAVE})", unit="um",
                     array=(wavelength(log=True) / 1e4)[None, :, None])],
        name="WCS-TABLE",
    )  # fmt: skip
    dq = np.where(bad, 513, 4).astype(np.uint32)  # do not use, no science; a jump, corrected
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(np.where(bad, 0, flux).astype(np.float32), axis, "SCI"),
        fits.ImageHDU(sigma.astype(np.float32), axis, "ERR"),
        fits.ImageHDU(dq, name="DQ"),
        table,
    ]
    hdus[1].header["BUNIT"] = "MJy/sr"
    fits.HDUList(hdus).writeto(path)
    return path


def kcwi(path, flux, sigma, bad):
    """Flux in the primary image, UNCERT with sigma, MASK that is not 0 where a value is bad."""
    axis = header(ctype="WAVE")
    hdus = [
        fits.PrimaryHDU(flux.astype(np.float32), axis),
        fits.ImageHDU(sigma.astype(np.float32), axis, "UNCERT"),
        fits.ImageHDU(bad.astype(np.uint8), axis, "MASK"),
    ]
    hdus[0].header["BUNIT"] = "FLAM16"
    fits.HDUList(hdus).writeto(path)
    return path


WRITERS = {"muse": muse, "manga": manga, "jwst": jwst, "kcwi": kcwi}
MEDIUM = {"muse": "air", "manga": "vacuum", "jwst": "vacuum", "kcwi": "vacuum"}


def wcs():
    return WCS(header())


def unit():
    return units.Unit("erg / (s cm2 Angstrom)")
