"""Reads the matrix of spectra in a FITS file: an image, or an array column of a table."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from spectralunmix.errors import LibraryError
from spectralunmix.libraries.archives import uncompressed
from spectralunmix.libraries.readers.files import KINDS, Cards, fits_file, taken_for
from spectralunmix.libraries.readers.spectrum import unit

WAVELENGTH = "WAVELENGTH"
FLUX = "FLUX"
INVERSE_VARIANCE = "INVERSE_VARIANCE"
LARGEST = 2**40  # bytes of an unpacked image: a user's own file is trusted


@dataclasses.dataclass(frozen=True)
class Found:
    """The spectra (n_spectra, n_wave) in a file, with wavelengths and names."""

    flux: np.ndarray
    wavelength: np.ndarray | None
    unit: str | None
    names: list[str] | None = None


def opened(path: Path) -> fits.HDUList:
    """A FITS file, or one that is compressed as a whole, read into memory."""
    with taken_for(str(path), "a whole FITS file"), open(path, "rb") as file:
        return fits_file(str(path), uncompressed(file).read(), LARGEST)


def spectra(path: Path, hdus: fits.HDUList, key: str | None) -> Found:
    """The matrix in an extension, by name or number, by default in the first that has one.

    Raises
    ------
    LibraryError
        There is none.
    """
    if key is not None:
        hdu = extension(path, hdus, key)
    else:
        hdu = next((hdu for hdu in hdus if _is_matrix(hdu) or array_columns(hdu)), None)
    if hdu is not None and is_image(hdu):
        return _of_image(path, hdus, hdu)
    if hdu is not None and array_columns(hdu):
        return _of_table(path, hdus, hdu)
    where = "" if key is None else f" in extension {key}"
    of_cube = any(is_image(other) and other.data.ndim == 3 for other in hdus)
    other_way = "; `spectralunmix cube` unmixes cubes" if of_cube else ""
    raise LibraryError(
        f"{path}: no matrix with a spectrum a row{where}: name an extension of n_spectra x n_wave "
        f"values with --hdu; there are {listed(hdus)}{other_way}"
    )


def inverse_variance(path: Path, hdus: fits.HDUList, name: str | None) -> np.ndarray | None:
    """The inverse variance in an extension or array column of that name; None without any.

    name : None for INVERSE_VARIANCE
    """
    name = INVERSE_VARIANCE if name is None else name
    if name.isdecimal() or name in hdus:
        hdu = extension(path, hdus, name)
        if is_image(hdu):
            return matrix(path, name, hdu.data)
        raise LibraryError(f"{path}: extension {name} is not an image of inverse variances")
    for hdu in hdus:
        column = array_columns(hdu).get(name.upper())
        if column is not None:
            return matrix(path, column, hdu.data[column])
    return None


def extension(path: Path, hdus: fits.HDUList, key: str) -> Any:
    """The extension of that name, or number from 0."""
    found = int(key) if key.isdecimal() else key
    if not (found < len(hdus) if isinstance(found, int) else found in hdus):
        raise LibraryError(f"{path}: no extension {key}; there are {listed(hdus)}")
    return hdus[found]


def is_image(hdu: Any) -> bool:
    """Whether an extension is an image that is not empty."""
    return hdu.is_image and hdu.data is not None


def array_columns(hdu: Any) -> dict[str, str]:
    """Columns of a table with an array of numbers in every row, by their name in capitals."""
    if not isinstance(hdu, fits.BinTableHDU):
        return {}
    found = {}
    for name in hdu.columns.names:
        values = hdu.data[name]
        if values.dtype.kind == "O" or (values.ndim > 1 and values.dtype.kind in "iuf"):
            found[name.upper()] = name
    return found


def listed(hdus: fits.HDUList) -> str:
    """A list of the extensions and their content."""
    said = []
    for number, hdu in enumerate(hdus):
        if hdu.data is None:
            what = "empty"
        elif hdu.is_image:
            what = f"an image of {shape(hdu.data)}"
        elif isinstance(hdu, KINDS["table"]):
            what = f"a table of {', '.join(hdu.columns.names)}"
        else:
            what = "of another kind"
        said.append(f"{number} {hdu.name or 'without a name'} ({what})")
    return ", ".join(said)


def shape(values: np.ndarray) -> str:
    """The shape as text, such as 80 x 4739."""
    return " x ".join(map(str, values.shape))


def unit_of(spelt: object) -> str | None:
    """The unit as astropy writes it; None where there is no unit, or it is unknown."""
    if not spelt:
        return None
    try:
        return unit(str(spelt)).to_string()
    except (ValueError, TypeError):
        return None


def numbers(path: Path, what: str, values: Any) -> np.ndarray:
    """The values as float64, NaN where there is none."""
    try:
        return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    except (ValueError, TypeError):
        raise LibraryError(f"{path}: {what} holds something else than numbers") from None


def matrix(path: Path, what: str, values: Any) -> np.ndarray:
    """(n_spectra, n_wave) of an image or a column."""
    if values.dtype.kind == "O":  # arrays that may differ in length from row to row
        lengths = sorted({len(row) for row in values})
        if len(lengths) > 1:
            raise LibraryError(
                f"{path}: the rows of {what} have {lengths[0]} to {lengths[-1]} values: bring the "
                "spectra to the same wavelengths"
            )
        values = np.array(list(values))
    found = numbers(path, what, values)
    if found.ndim != 2 or not found.size:
        raise LibraryError(
            f"{path}: {what} is of shape {shape(found)}, not a matrix with a spectrum a row, "
            "n_spectra x n_wave: name another extension with --hdu"
        )
    return found


def _is_matrix(hdu: Any) -> bool:
    return is_image(hdu) and hdu.data.ndim == 2


def _of_image(path: Path, hdus: fits.HDUList, hdu: Any) -> Found:
    flux = matrix(path, f"extension {hdu.name or hdus.index(hdu)}", hdu.data)
    if WAVELENGTH in hdus:
        return Found(flux, *of_wavelength_extension(path, hdus))
    return Found(flux, *of_header(path, hdu, flux.shape[1]))


def _of_table(path: Path, hdus: fits.HDUList, hdu: Any) -> Found:
    columns = array_columns(hdu)
    others = [name for name in columns if name != WAVELENGTH]
    if FLUX not in others and len(others) != 1:
        raise LibraryError(
            f"{path}: extension {hdu.name or hdus.index(hdu)} has the array columns "
            f"{', '.join(columns.values())}: the column with the spectra needs the name {FLUX}"
        )
    name = columns[FLUX if FLUX in others else others[0]]
    flux = matrix(path, name, hdu.data[name])
    if WAVELENGTH in columns:
        name = columns[WAVELENGTH]
        wavelength = matrix(path, name, hdu.data[name])
        if not (wavelength == wavelength[0]).all():
            raise LibraryError(
                f"{path}: the rows of {name} differ: bring the spectra to the same wavelengths"
            )
        return Found(flux, wavelength[0], unit_of(hdu.columns[name].unit))
    if WAVELENGTH in hdus:
        return Found(flux, *of_wavelength_extension(path, hdus))
    return Found(flux, None, None)


def of_wavelength_extension(path: Path, hdus: fits.HDUList) -> tuple[np.ndarray, str | None]:
    """Wavelengths and their unit, from an image, or from a table's column WAVELENGTH or first."""
    hdu = hdus[WAVELENGTH]
    if is_image(hdu):
        return numbers(path, WAVELENGTH, hdu.data).ravel(), unit_of(hdu.header.get("BUNIT"))
    names = {name.upper(): name for name in hdu.columns.names}
    name = names.get(WAVELENGTH, hdu.columns.names[0])
    return numbers(path, name, hdu.data[name]).ravel(), unit_of(hdu.columns[name].unit)


def of_header(path: Path, hdu: Any, n_wave: int) -> tuple[np.ndarray | None, str | None]:
    """Wavelengths and their unit, from the cards of an image; None without such cards."""
    cards = Cards(str(path), hdu.header)
    step = "CDELT1" if "CDELT1" in cards else "CD1_1"
    if "CRVAL1" not in cards or step not in cards:
        return None, None
    stated = [cards.get("CRVAL1"), cards.get(step), cards.get("CRPIX1", 1)]
    try:
        origin, width, pixel = map(float, stated)
    except (TypeError, ValueError):
        raise LibraryError(f"{path}: CRVAL1, {step}, CRPIX1 are {stated}, not numbers") from None
    values = origin + width * (np.arange(1, n_wave + 1) - pixel)
    if cards.get("DC-FLAG") == 1:  # log10, in IRAF's spelling
        values = 10.0**values
    elif (
        str(cards.get("CTYPE1")).upper().endswith("-LOG")
    ):  # ln, in the spelling of the FITS standard
        values = origin * np.exp(values / origin - 1)
    return values, unit_of(cards.get("CUNIT1"))
