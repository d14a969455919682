"""FITS images: a spectrum each or one a row, wavelengths in the header or in an image too."""

import numpy as np

from .. import LibraryError
from . import files
from .layouts import missing_column
from .spectrum import on_axis, spectrum


def read(path, source):
    options, shared = source["options"], None
    if options.get("axis") == "file":
        key = "wavelength_file"
        name, content = files.one(path, source, options[key], f"options.{key}")
        shared = _line(name, files.fits_file(name, content), 0)
    layout = {"file": _one_a_file, "rows": _one_a_row}[options.get("layout", "file")]
    for name, content in files.opened(path, source, source["members"]):
        hdus = files.fits_file(name, content)
        hdu = files.extension(name, hdus, options.get("extension", 0), files.IMAGE)
        image, cards = np.atleast_2d(np.squeeze(hdu.data)), dict(hdus[0].header) | dict(hdu.header)
        wavelength, found = shared or _wavelength(name, hdus, hdu.header, image, options)
        found = found, hdu.header.get("BUNIT")
        for file, flux, more, errors in layout(name, hdus, image, options):
            yield spectrum(file, wavelength, flux, cards | more, options, found, errors)


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


def _wavelength(name, hdus, header, image, options):
    """(n_wave,), and its unit as it is spelt."""
    axis = options.get("axis", "linear")
    if axis == "row":
        return _row(name, image, options["wavelength_row"]), None
    if axis == "extension":
        return _line(name, hdus, options["wavelength_extension"])
    return _axis(name, header, image.shape[1], axis), header.get("CUNIT1")


def _line(name, hdus, key):
    """An image of one line, and its unit as it is spelt."""
    hdu = files.extension(name, hdus, key, files.IMAGE)
    return np.ravel(hdu.data).astype(float), hdu.header.get("BUNIT")


def _row(name, image, row):
    if row >= len(image):
        raise LibraryError(f"{name}: no row {row} in an image of {len(image)} rows")
    return image[row]


def _axis(name, header, n_wave, kind):
    """(n_wave,) from CRVAL1, CRPIX1 and CDELT1 (or CD1_1), in the header's unit."""
    step = header.get("CDELT1", header.get("CD1_1"))
    if step is None or "CRVAL1" not in header:
        raise LibraryError(f"{name}: no CRVAL1 and CDELT1 or CD1_1 for the wavelengths")
    counted = header["CRVAL1"] + step * (np.arange(1, n_wave + 1) - header.get("CRPIX1", 1))
    return on_axis(counted, kind)


def _extension(name, hdus, options, key):
    """The image that the option names; None where it names none."""
    if key not in options:
        return None
    return np.squeeze(files.extension(name, hdus, options[key], files.IMAGE).data)
