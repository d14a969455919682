"""read_cube: reads a cube from a FITS file, or from specutils or astropy, as spectra."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.nddata import NDData

from spectralunmix.cubes import fits_file, handed_in
from spectralunmix.cubes.contents import Contents, Said
from spectralunmix.cubes.cube import Cube
from spectralunmix.cubes.layouts import Layout
from spectralunmix.cubes.spectral_axis import read_wcs
from spectralunmix.cubes.values import Cut, read_values
from spectralunmix.errors import LibraryError
from spectralunmix.files import row_blocks

log = logging.getLogger(__name__)
MEDIA = ("air", "vacuum", "unknown")
MOST = 20  # largest redshift
SLACK = 1e-9  # relative: wavelengths that differ by less are equal, by rounding


class Selection(NamedTuple):
    """The part of a cube that is read; `read_cube` explains the fields."""

    redshift: float | None = None
    window: Sequence[float] | None = None
    leave_out: Sequence[Sequence[float]] = ()
    bin_spaxels: int = 1
    bin_channels: int = 1
    name: str | None = None
    scratch: str | None = None

    def check(self) -> None:
        """Raise a ValueError where a value is out of its range."""
        if self.redshift is not None and not -1 < self.redshift <= MOST:
            raise ValueError(
                f"redshift={self.redshift!r}: z is needed, above -1 and at most {MOST}, not a "
                "velocity"
            )
        for key in ("bin_spaxels", "bin_channels"):
            width = getattr(self, key)
            if not isinstance(width, int | np.integer) or width < 1:
                raise ValueError(f"{key}={width!r}: a whole number of at least 1 is needed")
        regions = [*self.leave_out, *([] if self.window is None else [self.window])]
        if any(np.shape(region) != (2,) for region in regions):
            raise ValueError(
                "two wavelengths are needed for each region, and a list of regions to leave out: "
                "window=(4800, 6800), leave_out=[(5574, 5582)]"
            )
        for first, last in regions:
            if not first < last:
                raise ValueError(
                    f"a region from {first!r} to {last!r}: the first wavelength is not the lower"
                )


def read_cube(
    cube: str | Path | NDData,
    layout: str | Layout | None = None,
    *,
    redshift: float | None = None,
    window: Sequence[float] | None = None,
    leave_out: Sequence[Sequence[float]] = (),
    bin_spaxels: int = 1,
    bin_channels: int = 1,
    medium: str | None = None,
    wavelength_unit: str | None = None,
    name: str | None = None,
    scratch: str | None = None,
) -> Cube:
    """Read a cube: a spectrum for every spaxel, with its inverse variance.

    A value that is NaN, masked or without an uncertainty gets the inverse variance 0. A spaxel
    without any value that counts has no spectrum. Negative values, which noise makes, stay. A cube
    of more than 2**27 values is read in blocks to files on disk, so it may be larger than memory.

    Parameters
    ----------
    cube : str, Path or NDData
        A FITS file, which may be compressed as a whole; or a `specutils.Spectrum` or an
        `astropy.nddata.NDData` of three dimensions, with its uncertainty, mask and coordinates.
    layout : {"muse", "manga", "jwst", "kcwi"}, Layout or None, default None
        Which extensions of a file hold the flux, its uncertainty and its mask. None recognises
        the four named layouts.
    redshift : float or None, default None
        z of the object, for rest wavelengths and for the names of lines; None where it is not
        known.
    window : sequence of float or None, default None
        First and last wavelength that are read, in Angstrom as observed. None reads all.
    leave_out : sequence of sequence of float, default ()
        Regions with the inverse variance 0, such as sky lines: the first and the last wavelength of
        each, in Angstrom as observed.
    bin_spaxels : int, default 1
        Number of spaxels, along both axes, that are averaged. The inverse variance is that of the
        mean of independent values. What is left over at the end of an axis is not read.
    bin_channels : int, default 1
        Number of channels that are averaged in the same way.
    medium : {"air", "vacuum", "unknown"} or None, default None
        The medium in which the wavelengths are given. None takes it from the header, or else from
        the layout.
    wavelength_unit : str or None, default None
        Unit of the wavelengths, where the file has none or a wrong one.
    name : str or None, default None
        Name of the cube in results. None takes the header's OBJECT, or the name of the file.
    scratch : str or None, default None
        Folder for the files of a large cube. None takes the system's folder for temporary files.

    Returns
    -------
    Cube

    Raises
    ------
    LibraryError
        The file or the NDData is not a cube that can be read. The message names the file and the
        way out. LibraryError is a ValueError.
    ValueError
        An argument is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData, StdDevUncertainty
    >>> from astropy.wcs import WCS
    >>> from spectralunmix import read_cube
    >>> wcs = WCS(naxis=3)
    >>> wcs.wcs.ctype = "RA---TAN", "DEC--TAN", "WAVE"
    >>> wcs.wcs.cunit, wcs.wcs.crval = ("deg", "deg", "nm"), (10, 20, 500)
    >>> flux = np.ones((4, 2, 3))
    >>> read_cube(NDData(flux, StdDevUncertainty(0.1 * flux), wcs=wcs), name="mine")
    Cube(mine: 6 of 2 x 3 spaxels, 4 channels from 5010 to 5040 Angstrom)
    """
    if medium not in (None, *MEDIA):
        raise ValueError(f"medium={medium!r} is none of {', '.join(MEDIA)}")
    said = Said(medium, wavelength_unit)
    of_cube = redshift, window, leave_out, bin_spaxels, bin_channels, name, scratch
    selection = Selection(*of_cube)
    selection.check()
    if isinstance(cube, NDData):
        if layout is not None:
            raise ValueError(f"layout={layout!r} is for files: leave it out with an NDData")
        return selected(handed_in.contents(cube, said), selection)
    with fits_file.opened(Path(cube), layout, said, scratch) as contents:
        return selected(contents, selection)


def selected(contents: Contents, selection: Selection) -> Cube:
    """Read the selected part of a cube.

    Raises
    ------
    LibraryError
        No spaxel or channel is left.
    """
    arrays, (b, c) = contents.arrays, (selection.bin_spaxels, selection.bin_channels)
    wavelength = np.sort(contents.wavelength)
    inside = _within(contents.said, wavelength, selection.window)
    n_wave = (inside.stop - inside.start) // c
    sides = [n for i, n in enumerate(arrays.flux.shape) if i != arrays.place]
    if min(sides) < b or n_wave < 2:
        raise LibraryError(
            f"{contents.said}: {sides[0]} x {sides[1]} spaxels of {inside.stop - inside.start} "
            f"channels are too few for bins of {b} x {b} spaxels and {c} channels"
        )
    counted = np.ones(len(wavelength), bool)
    for first, last in selection.leave_out:
        if last < wavelength[0] or first > wavelength[-1]:
            log.warning("leave_out: %g to %g Angstrom is outside of the cube", first, last)
        counted &= (wavelength < first * (1 - SLACK)) | (wavelength > last * (1 + SLACK))
    values = read_values(arrays, Cut(inside, counted, b, c), selection.scratch)
    if not values.spaxels.any():
        raise LibraryError(
            f"{contents.said}: no spaxel has a value that counts: all are NaN, masked, left out or "
            "without an uncertainty above 0"
        )
    return Cube(
        values.spectra,
        values.inverse_variance,
        wavelength[inside][: n_wave * c].reshape(n_wave, c).mean(axis=1),
        values.spaxels,
        _counted(values.inverse_variance, n_wave),
        arrays.uncertainty is not None,
        contents.medium,
        selection.redshift,
        contents.unit,
        _binned_sky(contents.celestial, b),
        selection.name or contents.name,
        contents.about,
    )


def _within(said: str, wavelength: np.ndarray, window: Sequence[float] | None) -> slice:
    """The channels that lie in a window."""
    if window is None:
        return slice(0, len(wavelength))
    first, stop = np.searchsorted(wavelength, [window[0] * (1 - SLACK), window[1] * (1 + SLACK)])
    first, stop = int(first), int(stop)
    if stop - first < 2:
        raise LibraryError(
            f"{said}: {stop - first} of its channels, from {wavelength[0]:.6g} to "
            f"{wavelength[-1]:.6g} Angstrom, lie in the window of {window[0]:g} to {window[1]:g}"
        )
    return slice(first, stop)


def _counted(V: np.ndarray | None, n_wave: int) -> np.ndarray:
    """Which channels have an inverse variance above 0 in some spaxel."""
    if V is None:
        return np.ones(n_wave, bool)
    counted = np.zeros(n_wave, bool)
    for rows in row_blocks(*V.shape):
        counted |= (V[rows] > 0).any(axis=0)
    return counted


def _binned_sky(header: fits.Header | None, width: int) -> fits.Header | None:
    if header is None or width == 1:
        return header
    return read_wcs(header)[::width, ::width].to_header()
