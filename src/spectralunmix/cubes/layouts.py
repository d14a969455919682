"""Layout: which extensions of a FITS file hold flux, uncertainty and mask of a cube."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from spectralunmix.errors import LibraryError

Key = str | int  # the name or number of an extension
Kind = Literal["sigma", "variance", "inverse_variance"]
KINDS: tuple[Kind, ...] = ("sigma", "variance", "inverse_variance")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which extensions of a FITS file hold a cube's flux, uncertainty, mask and wavelengths.

    Extensions are given by name, or by number from 0.

    Parameters
    ----------
    flux : str or int
        Extension with the flux.
    uncertainty : str, int or None, default None
        Extension with the uncertainty of the flux. None where there is none; then every value has
        the same inverse variance.
    uncertainty_kind : {"sigma", "variance", "inverse_variance"}, default "sigma"
        What the uncertainty is.
    mask : str, int or None, default None
        Extension with the mask.
    mask_bits : sequence of int or None, default None
        Bits of the mask, from 0, that mean that a value does not count. None takes every bit.
    wavelength : str, int or None, default None
        Extension with the wavelengths. None where the header of the flux has them.
    medium : {"air", "vacuum", "unknown"}, default "unknown"
        The medium in which the wavelengths are given, where the header does not name it.

    Examples
    --------
    >>> from spectralunmix import Layout
    >>> Layout("FLUX", uncertainty="ERROR", uncertainty_kind="sigma", mask="MASK").flux
    'FLUX'
    """

    flux: Key
    uncertainty: Key | None = None
    uncertainty_kind: Kind = "sigma"
    mask: Key | None = None
    mask_bits: Sequence[int] | None = None
    wavelength: Key | None = None
    medium: str = "unknown"


LAYOUTS = {
    "muse": Layout("DATA", "STAT", "variance", "DQ", medium="air"),
    # no coverage, low coverage, dead fibre, foreground star, do not use
    "manga": Layout(
        "FLUX", "IVAR", "inverse_variance", "MASK", (0, 1, 2, 3, 10), "WAVE", medium="vacuum"
    ),
    # do not use, no science
    "jwst": Layout("SCI", "ERR", "sigma", "DQ", (0, 9), medium="vacuum"),
    "kcwi": Layout(0, "UNCERT", "sigma", "MASK"),
}


def recognised(path: str, names: Sequence[str], cubes: Sequence[str]) -> Layout:
    """Recognise the layout of a file.

    Parameters
    ----------
    path : str
        The file, for the message.
    names : sequence of str
        Names of all its extensions.
    cubes : sequence of str
        Names of the extensions that are images of three dimensions.

    Raises
    ------
    LibraryError
        The file has none of the known layouts.
    """
    for layout in LAYOUTS.values():
        if isinstance(layout.flux, str) and layout.flux in cubes:
            return layout
    if "PRIMARY" in cubes and "UNCERT" in names:
        return LAYOUTS["kcwi"]
    there = ", ".join(f"{name} (cube)" if name in cubes else name for name in names)
    raise LibraryError(
        f"{path}: not in a layout that is known ({', '.join(LAYOUTS)}): name its extensions, as "
        "Layout(flux=..., uncertainty=..., uncertainty_kind=...), or in the entry's `options`; "
        f"there are {there}"
    )
