"""FITS images: one file a spectrum, its axis in the header, in a row or in a file of its own."""

import numpy as np

from .. import LibraryError
from . import files
from .spectrum import spectrum


def read(path, source):
    options = source["options"]
    axis = options.get("axis", "linear")
    if axis == "file":
        key = "wavelength_file"
        name, content = files.one(path, source, options[key], f"options.{key}")
        image = files.extension(name, files.fits_file(name, content), 0, files.IMAGE)
        shared, shared_unit = np.ravel(image.data).astype(float), image.header.get("BUNIT")
    for name, content in files.opened(path, source, source["members"]):
        hdus = files.fits_file(name, content)
        hdu = files.extension(name, hdus, options.get("extension", 0), files.IMAGE)
        image, header = np.atleast_2d(np.squeeze(hdu.data)), hdu.header
        flux, found = _row(name, image, options.get("row", 0)), None
        if axis == "row":
            wavelength = _row(name, image, options["wavelength_row"])
        elif axis == "file":
            wavelength, found = shared, shared_unit
        else:
            wavelength, found = _axis(name, header, len(flux), axis), header.get("CUNIT1")
        errors = _uncertainty(name, hdus, image, options), _mask(name, hdus, options)
        cards = dict(hdus[0].header) | dict(header)
        found = found, header.get("BUNIT")
        yield spectrum(name, wavelength, flux, cards, options, found, errors)


def _row(name, image, row):
    if row >= len(image):
        raise LibraryError(f"{name}: no row {row} in an image of {len(image)} rows")
    return image[row]


def _axis(name, header, n_wave, kind):
    """(n_wave,) from CRVAL1, CRPIX1 and CDELT1 (or CD1_1), in the header's unit."""
    step = header.get("CDELT1", header.get("CD1_1"))
    if step is None or "CRVAL1" not in header:
        raise LibraryError(f"{name}: no CRVAL1 and CDELT1 or CD1_1 for the wavelengths")
    axis = header["CRVAL1"] + step * (np.arange(1, n_wave + 1) - header.get("CRPIX1", 1))
    if kind == "linear":
        return axis
    base = 10.0 if kind == "log10" else np.e
    with np.errstate(over="ignore"):  # an axis that is linear after all ends in infinity
        return base**axis


def _uncertainty(name, hdus, image, options):
    if "uncertainty_row" in options:
        return _row(name, image, options["uncertainty_row"])
    if "uncertainty_extension" in options:
        hdu = files.extension(name, hdus, options["uncertainty_extension"], files.IMAGE)
        return np.squeeze(hdu.data)
    return None


def _mask(name, hdus, options):
    if "mask_extension" not in options:
        return None
    return np.squeeze(files.extension(name, hdus, options["mask_extension"], files.IMAGE).data)
