"""The content of a cube, as every reader gives it: arrays, wavelengths and coordinates."""

from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

from spectralunmix.cubes.values import Arrays


class Contents(NamedTuple):
    """The content of a cube in a file or an object. Its arrays have not been read yet.

    said : the name of the cube in messages
    arrays : flux, uncertainty and mask
    wavelength : (n_wave,), in Angstrom, as observed, in the order of the array
    medium : air, vacuum or unknown
    celestial : header of the coordinates of the image, or None
    unit : unit of the flux, or None
    about : cards that results repeat
    name : the name of the cube in results
    """

    said: str
    arrays: Arrays
    wavelength: np.ndarray
    medium: str
    celestial: fits.Header | None
    unit: str | None
    about: dict[str, Any]
    name: str


class Said(NamedTuple):
    """Values that a caller gives in place of the file's: medium and unit of the wavelengths.

    file : the name of the file in messages; None is its path
    """

    medium: str | None = None
    wavelength_unit: str | None = None
    file: str | None = None
