"""The wavelengths of a cube, from its header or an extension, and in headers of results."""

import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from spectralunmix.errors import LibraryError
from spectralunmix.libraries.readers.spectrum import unit

EVEN = 1e-4  # of a channel: an axis whose channels deviate less is evenly spaced
MEDIA = {"AWAV": "air", "WAVE": "vacuum", "FREQ": "vacuum"}
NAMES = {"air": "AWAV", "vacuum": "WAVE", "unknown": "WAVE"}


class Axes(NamedTuple):
    """The three axes of a cube, from its header.

    wavelength : (n_wave,), in Angstrom, as observed; None where the header does not say it
    place : the axis of the array, from 0, that wavelength runs along
    medium : air, vacuum, or None where the header does not say it
    celestial : the header of the two others; None where they have no coordinates
    """

    wavelength: np.ndarray | None
    place: int
    medium: str | None
    celestial: fits.Header | None


def read_wcs(
    header: fits.Header,
    hdus: fits.HDUList | None = None,
    path: Path | str = "the cube",
    wavelength_unit: str | None = None,
) -> WCS:
    """The coordinates of a cube, which may have their table in another extension.

    wavelength_unit : in place of the header's, of an axis that is one of wavelength

    Raises
    ------
    LibraryError
        The cards say no coordinates that can be, or no unit of wavelength.
    """
    header = header.copy()
    for axis in (1, 2, 3):
        if str(header.get(f"CTYPE{axis}"))[:4].upper() in MEDIA:
            if wavelength_unit:
                header[f"CUNIT{axis}"] = _unit_of(path, wavelength_unit).to_string("fits")
            elif not str(header.get(f"CUNIT{axis}") or "").strip():
                raise _no_unit(path, "no unit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # of units and dates that it mends
        try:
            wcs = WCS(header, fobj=hdus)
            wcs.wcs.set()
        except Exception as error:  # of wcslib, of several kinds
            reason = " ".join(re.sub(r"ERROR \d+ in .*", "", str(error)).split())
            raise LibraryError(
                f"{path}: its header says no world coordinates that can be ({reason}): correct it"
            ) from error
    return wcs


def axes_of(
    path: str,
    wcs: WCS,
    shape: tuple[int, ...],
    wavelength_unit: str | None = None,
    wanted: bool = True,
) -> Axes:
    """The axes of an array of that shape, from its coordinates.

    wavelength_unit : where the header says none
    wanted : whether wavelengths are: else they are found elsewhere

    Raises
    ------
    LibraryError
        The axis of wavelength has a unit that is none of wavelength.
    """
    sky = {wcs.wcs.lng, wcs.wcs.lat} - {-1}
    place = wcs.wcs.spec
    if place < 0:
        left = [i for i in range(3) if i not in sky]
        place = left[0] if len(left) == 1 else 2
    others = [i for i in range(3) if i != place]
    celestial = wcs.sub([i + 1 for i in others]).to_header() if len(sky) == 2 else None
    kind = str(wcs.wcs.ctype[place])[:4].upper()
    found = None
    if wanted:
        found = _wavelengths(path, wcs.sub([place + 1]), shape[2 - place], kind, wavelength_unit)
    return Axes(found, 2 - place, MEDIA.get(kind), celestial)


def _wavelengths(
    path: str, wcs: WCS, n_wave: int, kind: str, stated: str | None
) -> np.ndarray | None:
    """The wavelengths in Angstrom; None where the header has none."""
    said = str(wcs.wcs.cunit[0]) or None
    if kind not in MEDIA:  # wcslib leaves its values as they are
        said = stated or said
    if said is None:
        return None
    return in_angstrom(path, wcs.wcs_pix2world(np.arange(n_wave), 0)[0], said)


def in_angstrom(path: str, values: Any, said: str | None) -> np.ndarray:
    """Convert wavelengths to Angstrom.

    Raises
    ------
    LibraryError
        It is no unit of wavelength.
    """
    try:
        values = np.asarray(values, float).ravel() * _unit_of(path, said)
        return values.to_value(units.Angstrom, units.spectral())
    except (ValueError, TypeError, units.UnitConversionError):
        raise _no_unit(path, f"the unit {said}") from None


def _unit_of(path: Path | str, said: str | None) -> units.UnitBase:
    try:
        return unit(said or "")
    except (ValueError, TypeError):
        raise _no_unit(path, f"the unit {said}") from None


def _no_unit(path: Path | str, has: str) -> LibraryError:
    return LibraryError(
        f"{path}: its wavelengths have {has}, which is none of wavelength: state it as "
        "wavelength_unit"
    )


def check_wavelength(path: str, wavelength: np.ndarray, n_wave: int) -> None:
    """Raise a LibraryError where wavelengths do not fit the channels, or rise and fall."""
    if len(wavelength) != n_wave:
        raise LibraryError(
            f"{path}: {len(wavelength)} wavelengths for {n_wave} channels: its header has to say, "
            "by CTYPE1, 2 or 3, which axis wavelength runs along"
        )
    steps = np.diff(wavelength)
    one_way = (steps > 0).all() or (steps < 0).all()
    if not (np.isfinite(wavelength).all() and one_way and wavelength.min() > 0):
        raise LibraryError(
            f"{path}: its wavelengths, from {wavelength[0]:.6g} to {wavelength[-1]:.6g} Angstrom, "
            "do not rise or fall throughout above 0"
        )


def spectral_header(wavelength: np.ndarray, medium: str, axis: int) -> fits.Header:
    """Header cards for these wavelengths; none where they are not evenly spaced.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom, rising.
    medium : {"air", "vacuum", "unknown"}
        What they are in.
    axis : int
        Number of the axis, from 1.
    """
    header, n_wave = fits.Header(), len(wavelength)
    name, steps = NAMES[medium], np.arange(n_wave)
    if n_wave < 2:
        return header
    first, step = wavelength[0], (wavelength[-1] - wavelength[0]) / (n_wave - 1)
    ratio = np.log(wavelength[-1] / wavelength[0]) / (n_wave - 1)
    if np.abs(wavelength - (first + step * steps)).max() < EVEN * step:
        kind = name
    elif np.abs(np.log(wavelength / first) - ratio * steps).max() < EVEN * ratio:
        kind, step = f"{name}-LOG", first * ratio
    else:
        return header
    header[f"CTYPE{axis}"] = (kind, f"wavelength, medium {medium}")
    header[f"CUNIT{axis}"] = "Angstrom"
    header[f"CRPIX{axis}"] = 1.0
    header[f"CRVAL{axis}"] = first
    header[f"CDELT{axis}"] = step
    return header
