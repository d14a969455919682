"""What every reader gives of a cube: its arrays, not yet read, wavelengths and coordinates."""

from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

from spectralunmix.cubes.values import Arrays


class Contents(NamedTuple):
    """What a file or an object holds of a cube.

    said : what messages call it
    arrays : what it is made of
    wavelength : (n_wave,), in Angstrom, as observed, in the order of the array
    medium : air, vacuum or unknown
    celestial : header of the coordinates of the image, or None
    unit : of the flux, or None
    about : cards that results repeat
    name : what results call it
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
    """What a caller says in place of the file: medium and unit of the wavelengths, or None.

    file : what messages call the file; None is its path
    """

    medium: str | None = None
    wavelength_unit: str | None = None
    file: str | None = None
