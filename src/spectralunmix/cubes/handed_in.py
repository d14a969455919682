"""Reads cubes from objects: a `Spectrum` of specutils, or an NDData of astropy."""

from typing import Any

import numpy as np
from astropy import units
from astropy.nddata import InverseVariance, NDData, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS

from spectralunmix.cubes.contents import Contents, Said
from spectralunmix.cubes.spectral_axis import Axes, axes_of, check_wavelength
from spectralunmix.cubes.values import Arrays
from spectralunmix.errors import LibraryError

KINDS = {
    StdDevUncertainty: ("sigma", 1),
    VarianceUncertainty: ("variance", 2),
    InverseVariance: ("inverse_variance", -2),
}
SAID = "the cube"


def contents(data: NDData, said: Said) -> Contents:
    """The content of a cube in an object.

    Raises
    ------
    LibraryError
        It has other than three dimensions, no wavelengths, or an uncertainty of a kind that is
        not known.
    """
    flux = np.asarray(data.data)
    if flux.ndim != 3:
        raise LibraryError(f"{SAID} is of shape {flux.shape}: three dimensions are needed")
    axes = _axes(data, flux.shape, said)
    if axes.wavelength is None:
        raise LibraryError(f"{SAID} has no wavelengths: it needs a WCS of FITS, or a spectral_axis")
    check_wavelength(SAID, axes.wavelength, flux.shape[axes.place])
    uncertainty, kind = _uncertainty(data)
    mask = None if data.mask is None else np.broadcast_to(np.asarray(data.mask), flux.shape)
    falling = bool(axes.wavelength[0] > axes.wavelength[-1])
    arrays = Arrays(flux, uncertainty, mask, kind, None, axes.place, falling)
    unit = None if data.unit is None else data.unit.to_string()
    medium = said.medium or axes.medium or "unknown"
    return Contents(SAID, arrays, axes.wavelength, medium, axes.celestial, unit, {}, "cube")


def _uncertainty(data: NDData) -> tuple[np.ndarray | None, str]:
    if data.uncertainty is None:
        return None, "sigma"
    for known, (kind, power) in KINDS.items():
        if isinstance(data.uncertainty, known):
            values = np.asarray(data.uncertainty.array)
            return values * _in_unit_of_flux(data, power), kind
    raise LibraryError(
        f"{SAID} has an uncertainty of the kind {type(data.uncertainty).__name__}: one of "
        f"{', '.join(known.__name__ for known in KINDS)} is needed"
    )


def _in_unit_of_flux(data: NDData, power: int) -> float:
    """The factor that brings the uncertainty from its unit to a power of the unit of the flux."""
    if data.unit is None or data.uncertainty.unit is None:
        return 1.0
    try:
        return float(data.uncertainty.unit.to(data.unit**power))
    except units.UnitConversionError:
        raise LibraryError(
            f"{SAID} has an uncertainty in {data.uncertainty.unit}, its flux is in {data.unit}"
        ) from None


def _axes(data: NDData, shape: tuple[int, ...], said: Said) -> Axes:
    wcs = getattr(data.wcs, "low_level_wcs", data.wcs)
    axes = Axes(None, 0, None, None)
    if isinstance(wcs, WCS) and wcs.naxis == 3:
        axes = axes_of(SAID, wcs, shape, said.wavelength_unit)
    spectral: Any = getattr(data, "spectral_axis", None)  # of specutils
    if spectral is None:
        return axes
    wavelength = np.asarray(spectral.to_value(units.Angstrom, units.spectral()))
    place = getattr(data, "spectral_axis_index", axes.place) % 3
    celestial = axes.celestial if place == axes.place else None
    return axes._replace(wavelength=wavelength, place=place, celestial=celestial)
