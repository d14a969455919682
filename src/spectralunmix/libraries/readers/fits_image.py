"""Reads FITS images: a spectrum in each file or in each row."""

import collections
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from .. import LibraryError
from . import files
from .layouts import missing_column
from .spectrum import Errors, Spectrum, on_axis, spectrum

Axis = tuple[np.ndarray, str | None]  # wavelengths, (n_wave,), and their unit in the file
# Name, flux, further cards, and errors of a spectrum.
Parts = tuple[str, np.ndarray, dict[str, Any], Errors]


def read(path: Path, source: dict) -> Iterator[Spectrum]:
    options, largest = source["options"], source["largest_member"]
    shared: Axis | None = None
    if options.get("axis") == "file":
        key = "wavelength_file"
        name, content = files.one(path, source, options[key], f"options.{key}")
        with files.taken_for(name, "a FITS image of wavelengths"):
            shared = _line(name, files.fits_file(name, content, largest), 0, options)
    for name, content in files.opened(path, source, source["members"]):
        with files.taken_for(name, "a FITS image of spectra"):
            hdus = files.fits_file(name, content, largest)
            yield from _spectra(name, hdus, shared, options)


def _spectra(
    name: str, hdus: fits.HDUList, shared: Axis | None, options: dict
) -> Iterator[Spectrum]:
    layout = {"file": _one_a_file, "rows": _one_a_row}[options.get("layout", "file")]
    hdu = files.extension(name, hdus, options.get("extension", 0), "image")
    image: np.ndarray = np.atleast_2d(np.squeeze(hdu.data))
    own = files.Cards(name, hdu.header)
    wavelength, unit = shared or _wavelength(name, hdus, own, image, options)
    found = unit, None if "flux_unit" in options else own.get("BUNIT")
    cards = collections.ChainMap(own, files.Cards(name, hdus[0].header))
    for file, flux, more, errors in layout(name, hdus, image, options):
        yield spectrum(file, wavelength, flux, cards.new_child(more), options, found, errors)


def _one_a_file(name: str, hdus: fits.HDUList, image: np.ndarray, options: dict) -> Iterator[Parts]:
    """Name, flux, further cards, and errors of the spectrum in an image."""
    uncertainty: np.ndarray | None
    if "uncertainty_row" in options:
        uncertainty = _row(name, image, options["uncertainty_row"])
    else:
        uncertainty = _extension(name, hdus, options, "uncertainty_extension")
    errors = uncertainty, _extension(name, hdus, options, "mask_extension")
    yield name, _row(name, image, options.get("row", 0)), {}, errors


def _one_a_row(name: str, hdus: fits.HDUList, image: np.ndarray, options: dict) -> Iterator[Parts]:
    """The spectrum of each row, with the values that a table has for it."""
    errors = []
    for key in ("uncertainty_extension", "mask_extension"):
        found = _extension(name, hdus, options, key)
        of_all = None if found is None else np.atleast_2d(found)
        if of_all is not None and of_all.shape != image.shape:
            raise LibraryError(f"{name}: {options[key]} is {of_all.shape}, not {image.shape}")
        errors.append(of_all)
    about = _about(name, hdus, len(image), options)
    label = options.get("name")
    for i, (flux, of_row) in enumerate(zip(image, about, strict=True)):
        file = f"{name}:{i + 1}" if label is None else str(of_row[label]).strip()
        uncertainty, mask = (None if of_all is None else of_all[i] for of_all in errors)
        yield file, flux, of_row, (uncertainty, mask)


def _about(name: str, hdus: fits.HDUList, n_rows: int, options: dict) -> list[dict[str, Any]]:
    """The values of the table, by column, for each row of the image."""
    if "table_extension" not in options:
        return [{}] * n_rows
    key, label = options["table_extension"], options.get("name")
    table = files.extension(name, hdus, key, "table").data
    columns = {c: table[c] for c in table.names if table[c].ndim == 1}
    if label is not None and label not in columns:
        raise missing_column(name, columns, "name", label)
    if len(table) != n_rows:
        raise LibraryError(f"{name}: {n_rows} rows in the image, {len(table)} in table {key}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _wavelength(
    name: str, hdus: fits.HDUList, cards: files.Cards, image: np.ndarray, options: dict
) -> Axis:
    """The wavelengths (n_wave,), and their unit as the file spells it."""
    axis = options.get("axis", "linear")
    if axis == "row":
        return _row(name, image, options["wavelength_row"]), None
    if axis == "extension":
        return _line(name, hdus, options["wavelength_extension"], options)
    unit = None if "wavelength_unit" in options else cards.get("CUNIT1")
    return _axis(name, cards, image.shape[1], axis), unit


def _line(name: str, hdus: fits.HDUList, key: int | str, options: dict) -> Axis:
    """The wavelengths in an image, and their unit as the file spells it."""
    hdu = files.extension(name, hdus, key, "image")
    unit = None if "wavelength_unit" in options else files.Cards(name, hdu.header).get("BUNIT")
    return np.ravel(hdu.data).astype(float), unit


def _row(name: str, image: np.ndarray, row: int) -> np.ndarray:
    if row >= len(image):
        raise LibraryError(f"{name}: no row {row} in an image of {len(image)} rows")
    return image[row]


def _axis(name: str, cards: files.Cards, n_wave: int, kind: str) -> np.ndarray:
    """The wavelengths from CRVAL1, CRPIX1 and CDELT1 (or CD1_1), in the header's unit."""
    card = "CDELT1" if "CDELT1" in cards else "CD1_1"
    if card not in cards or "CRVAL1" not in cards:
        raise LibraryError(f"{name}: no CRVAL1 and CDELT1 or CD1_1 for the wavelengths")
    origin, step, pixel = (_number(name, cards, key) for key in ("CRVAL1", card, "CRPIX1"))
    return on_axis(origin + step * (np.arange(1, n_wave + 1) - pixel), kind)


def _number(name: str, cards: Mapping[str, Any], keyword: str) -> float:
    """The value of a card; 1 where there is no such card."""
    value = cards.get(keyword, 1)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value)):
        raise LibraryError(f"{name}: the card {keyword} is {value!r}, not a number")
    return value


def _extension(name: str, hdus: fits.HDUList, options: dict, key: str) -> np.ndarray | None:
    """The image that the option names; None where it names none."""
    if key not in options:
        return None
    return np.squeeze(files.extension(name, hdus, options[key], "image").data)
