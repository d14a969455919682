"""Reads images with a spectrum in every pixel: ENVI files, arrays of numpy and MATLAB."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spectralunmix.cubes.contents import Contents
from spectralunmix.cubes.spectral_axis import check_wavelength, in_angstrom
from spectralunmix.cubes.values import Arrays
from spectralunmix.errors import LibraryError
from spectralunmix.libraries.readers.files import taken_for

HEADER = ".hdr"


@contextlib.contextmanager
def opened_envi(paths: list[Path], options: dict) -> Iterator[Contents]:
    """The content of an ENVI header and its file of values.

    Raises
    ------
    LibraryError
        They are no such image, or have no wavelengths.
    """
    from spectral.io import envi

    headers = [path for path in paths if path.suffix.lower() == HEADER]
    if len(headers) != 1 or len(paths) != 2:
        raise LibraryError(
            f"an ENVI image is a header, .hdr, and one file of values: there are "
            f"{', '.join(path.name for path in paths) or 'none'}"
        )
    (header,), (values,) = headers, [path for path in paths if path not in headers]
    with taken_for(header.name, "the header of an ENVI image with its values"):
        image = envi.open(str(header), str(values))
        array = image.open_memmap(interleave="bip", writable=False)
        said = image.metadata
        centres, scale = image.bands.centers, float(said.get("reflectance scale factor", 1))
        bad = np.array([float(b) for b in said.get("bbl", [1] * array.shape[2])]) == 0
        ignored = said.get("data ignore value")
        ignored = None if ignored is None else float(ignored)
    if centres is None:
        raise LibraryError(f"{header.name}: it has no wavelengths, which the cube needs")
    if len(bad) != array.shape[2]:
        raise LibraryError(f"{header.name}: {len(bad)} bad bands (bbl) of {array.shape[2]}")
    wavelength = in_angstrom(
        header.name, centres, options.get("wavelength_unit") or image.bands.band_unit
    )
    found = _contents(header.name, array, wavelength, header.stem)
    mask = np.broadcast_to(bad, array.shape) if bad.any() else None
    yield found._replace(arrays=found.arrays._replace(mask=mask, scale=scale, ignored=ignored))


@contextlib.contextmanager
def opened_matrix(paths: list[Path], options: dict) -> Iterator[Contents]:
    """The content of a .npy or .mat file: an array (y, x, n_wave), or a matrix of pixels.

    Raises
    ------
    LibraryError
        It holds no such array of numbers, or one of another shape than the options say.
    """
    files = [path for path in paths if path.suffix.lower() in (".npy", ".mat")]
    if len(files) != 1:
        there = ", ".join(path.name for path in paths) or "none"
        raise LibraryError(f"one .npy or .mat file is needed: there are {there}")
    (file,) = files
    with taken_for(file.name, "an array of numbers"):
        array = _array(file, options.get("variable"))
    array = _as_image(file.name, array, options)
    if "wavelength_file" in options:
        values = _listed(options["wavelength_file"], [path for path in paths if path != file])
    else:
        values = np.linspace(options["first"], options["last"], array.shape[2])
    wavelength = in_angstrom(file.name, values, options.get("wavelength_unit") or "nm")
    yield _contents(file.name, array, wavelength, file.stem)


def _listed(pattern: str, files: list[Path]) -> np.ndarray:
    """The wavelengths in a text file."""
    if len(files) != 1:
        raise LibraryError(f"wavelength_file: {len(files)} files match {pattern}, not one")
    with taken_for(files[0].name, "a file of text with a wavelength a line"):
        return np.loadtxt(files[0], ndmin=1)


def _array(file: Path, variable: str | None) -> np.ndarray:
    if file.suffix.lower() == ".npy":
        return np.load(file, mmap_mode="r", allow_pickle=False)
    from scipy.io import loadmat

    try:
        found = loadmat(file, variable_names=None if variable is None else [variable])
    except NotImplementedError:
        raise LibraryError(
            f"{file.name}: of MATLAB's version 7.3, which is not read: save it there with "
            "save(..., '-v7'), or as .npy"
        ) from None
    arrays = {k: v for k, v in found.items() if isinstance(v, np.ndarray) and v.dtype.kind in "fiu"}
    if not arrays:
        what = f"named {variable}" if variable else "of numbers"
        raise LibraryError(f"{file.name}: no array {what}: state another as `variable`")
    return max(arrays.values(), key=lambda array: array.size)


def _as_image(name: str, array: np.ndarray, options: dict) -> np.ndarray:
    """The array as an image (y, x, n_wave)."""
    if "rows" not in options:
        if array.ndim != 3:
            raise LibraryError(
                f"{name}: its array is of shape {array.shape}, not (rows, columns, channels): for "
                "a matrix of pixels state `rows` and `columns`"
            )
        return array
    y, x = options["rows"], options["columns"]
    if array.ndim != 2 or y * x not in array.shape:
        raise LibraryError(
            f"{name}: its array of shape {array.shape} has no axis of {y} x {x} = {y * x} pixels"
        )
    pixels = array if array.shape[0] == y * x else array.T
    if options.get("order", "row") == "row":
        return pixels.reshape(y, x, -1)
    return pixels.reshape(x, y, -1).transpose(1, 0, 2)


def _contents(said: str, array: np.ndarray, wavelength: np.ndarray, name: str) -> Contents:
    if array.dtype.kind not in "fiu":
        raise LibraryError(f"{said}: its values are of the kind {array.dtype}, not numbers")
    check_wavelength(said, wavelength, array.shape[2])
    falling = bool(wavelength[0] > wavelength[-1])
    arrays = Arrays(array, None, None, "sigma", None, 2, falling)
    return Contents(said, arrays, wavelength, "unknown", None, None, {}, name)
