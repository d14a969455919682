"""FITS images: a spectrum each or one a row, wavelengths in the header or in an image too."""

import collections
import math

import numpy as np

from .. import LibraryError
from . import files
from .layouts import missing_column
from .spectrum import on_axis, spectrum


def read(path, source):
    options, shared, largest = source["options"], None, source["largest_member"]
    if options.get("axis") == "file":
        key = "wavelength_file"
        name, content = files.one(path, source, options[key], f"options.{key}")
        with files.taken_for(name, "a FITS image of wavelengths"):
            shared = _line(name, files.fits_file(name, content, largest), 0, options)
    for name, content in files.opened(path, source, source["members"]):
        with files.taken_for(name, "a FITS image of spectra"):
            hdus = files.fits_file(name, content, largest)
            yield from _spectra(name, hdus, shared, options)


def _spectra(name, hdus, shared, options):
    layout = {"file": _one_a_file, "rows": _one_a_row}[options.get("layout", "file")]
    hdu = files.extension(name, hdus, options.get("extension", 0), files.IMAGE)
    image = np.atleast_2d(np.squeeze(hdu.data))
    own = files.Cards(name, hdu.header)
    wavelength, found = shared or _wavelength(name, hdus, own, image, options)
    found = found, None if "flux_unit" in options else own.get("BUNIT")
    cards = collections.ChainMap(own, files.Cards(name, hdus[0].header))
    for file, flux, more, errors in layout(name, hdus, image, options):
        yield spectrum(file, wavelength, flux, cards.new_child(more), options, found, errors)


def _one_a_file(name, hdus, image, options):
    """Name, flux, further cards, and errors of the spectrum in an image."""
    if "uncertainty_row" in options:
        uncertainty = _row(name, image, options["uncertainty_row"])
    else:
        uncertainty = _extension(name, hdus, options, "uncertainty_extension")
    errors = uncertainty, _extension(name, hdus, options, "mask_extension")
    yield name, _row(name, image, options.get("row", 0)), {}, errors


def _one_a_row(name, hdus, image, options):
    """The same of each row, with what a table says of it."""
    errors = []
    for key in ("uncertainty_extension", "mask_extension"):
        of_all = _extension(name, hdus, options, key)
        of_all = [None] * len(image) if of_all is None else np.atleast_2d(of_all)
        if of_all[0] is not None and of_all.shape != image.shape:
            raise LibraryError(f"{name}: {options[key]} is {of_all.shape}, not {image.shape}")
        errors.append(of_all)
    about = _about(name, hdus, len(image), options)
    label = options.get("name")
    for i, (flux, of_row, *of_flux) in enumerate(zip(image, about, *errors, strict=True), start=1):
        file = f"{name}:{i}" if label is None else str(of_row[label]).strip()
        yield file, flux, of_row, of_flux


def _about(name, hdus, n_rows, options):
    """By column, what the table says of each of the image's rows."""
    if "table_extension" not in options:
        return [{}] * n_rows
    key, label = options["table_extension"], options.get("name")
    table = files.extension(name, hdus, key, files.TABLE).data
    columns = {c: table[c] for c in table.names if table[c].ndim == 1}
    if label is not None and label not in columns:
        raise missing_column(name, columns, "name", label)
    if len(table) != n_rows:
        raise LibraryError(f"{name}: {n_rows} rows in the image, {len(table)} in table {key}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _wavelength(name, hdus, cards, image, options):
    """(n_wave,), and its unit as it is spelt."""
    axis = options.get("axis", "linear")
    if axis == "row":
        return _row(name, image, options["wavelength_row"]), None
    if axis == "extension":
        return _line(name, hdus, options["wavelength_extension"], options)
    unit = None if "wavelength_unit" in options else cards.get("CUNIT1")
    return _axis(name, cards, image.shape[1], axis), unit


def _line(name, hdus, key, options):
    """An image of one line, and its unit as it is spelt."""
    hdu = files.extension(name, hdus, key, files.IMAGE)
    unit = None if "wavelength_unit" in options else files.Cards(name, hdu.header).get("BUNIT")
    return np.ravel(hdu.data).astype(float), unit


def _row(name, image, row):
    if row >= len(image):
        raise LibraryError(f"{name}: no row {row} in an image of {len(image)} rows")
    return image[row]


def _axis(name, cards, n_wave, kind):
    """(n_wave,) from CRVAL1, CRPIX1 and CDELT1 (or CD1_1), in the header's unit."""
    step = "CDELT1" if "CDELT1" in cards else "CD1_1"
    if step not in cards or "CRVAL1" not in cards:
        raise LibraryError(f"{name}: no CRVAL1 and CDELT1 or CD1_1 for the wavelengths")
    origin, step, pixel = (_number(name, cards, key) for key in ("CRVAL1", step, "CRPIX1"))
    return on_axis(origin + step * (np.arange(1, n_wave + 1) - pixel), kind)


def _number(name, cards, keyword):
    """The value of a card, 1 where there is none."""
    value = cards.get(keyword, 1)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value)):
        raise LibraryError(f"{name}: the card {keyword} is {value!r}, not a number")
    return value


def _extension(name, hdus, options, key):
    """The image that the option names; None where it names none."""
    if key not in options:
        return None
    return np.squeeze(files.extension(name, hdus, options[key], files.IMAGE).data)
