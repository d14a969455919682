"""Where cubes keep flux, uncertainty and mask: the layouts of instruments, and any by names."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from spectralunmix.errors import LibraryError

Key = str | int  # the name or number of an extension
Kind = Literal["sigma", "variance", "inverse_variance"]
KINDS: tuple[Kind, ...] = ("sigma", "variance", "inverse_variance")


@dataclasses.dataclass(frozen=True)
class Layout:
    """The extensions of a cube, and what they hold.

    Parameters
    ----------
    flux : str or int
        The extension with the flux.
    uncertainty : str, int or None, default None
        That with its uncertainty; None where there is none, and all values weigh alike.
    uncertainty_kind : {"sigma", "variance", "inverse_variance"}, default "sigma"
        What the uncertainty is.
    mask : str, int or None, default None
        That with the mask.
    mask_bits : sequence of int or None, default None
        Bits of the mask, from 0, that mean that a value does not count; None is any of them.
    wavelength : str, int or None, default None
        That with the wavelengths; None where the header of the flux says them.
    medium : {"air", "vacuum", "unknown"}, default "unknown"
        What the wavelengths are in, where the header does not say it.
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
    """The layout that a file has.

    Parameters
    ----------
    path : str
        The file, for the message.
    names : sequence of str
        Of all its extensions.
    cubes : sequence of str
        Of those that are images of three dimensions.

    Raises
    ------
    LibraryError
        It has none of those that are known.
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
