"""The spectrum that every reader gives, and the conversion of units."""

import dataclasses
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from astropy import units

from .. import LibraryError

# From the values on an axis to wavelength. If the axis is linear after all, 10**values is infinite.
AXES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda values: values,
    "log10": lambda values: 10.0**values,
    "ln": np.exp,
}
Errors = tuple[np.ndarray | None, np.ndarray | None]  # uncertainty and mask, (n_wave,)
PER_ANGSTROM = units.erg / units.s / units.cm**2 / units.Angstrom
RELATIVE = "relative"  # flux per unit wavelength, of which the shape alone has a meaning

# Spellings in libraries that astropy's parser of units refuses, or takes for another unit ("A" is
# its ampere), word by word in lower case.
WORDS = {
    "a": "Angstrom",
    "ang": "Angstrom",
    "angstrom": "Angstrom",
    "angstroms": "Angstrom",
    "ergs": "erg",
    "flam": "erg s-1 cm-2 Angstrom-1",
    "fnu": "erg s-1 cm-2 Hz-1",
    "micrometers": "um",
    "microns": "um",
    "nanometers": "nm",
    "nm": "nm",
    "sec": "s",
}
RUN_TOGETHER = {"wm-2um-1": "W m-2 um-1"}  # words without a space between them
FACTOR = re.compile(r"\s*(\d+(?:\.\d*)?[eE][+-]?\d+)\s*\*?\s*(.*)")  # as in "1E-17 erg/s/cm2/A"
ENDLESS = re.compile(r"(?<![\d.])\d{5}|.{200}")  # powers and texts that would take very long


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """A spectrum of a library.

    file : name of the spectrum, unique in the library
    wavelength : (n_wave,) Angstrom, increasing
    flux : (n_wave,), per unit wavelength
    header : header cards, or the other columns of its row
    inverse_variance : (n_wave,) of the flux, 0 where masked; None where the library has none
    unit_assumed : whether neither the entry nor the file gives the unit of the wavelengths
    """

    file: str
    wavelength: np.ndarray
    flux: np.ndarray
    header: Mapping[str, Any]
    inverse_variance: np.ndarray | None = None
    unit_assumed: bool = False


def on_axis(values: np.ndarray, axis: str) -> np.ndarray:
    """Wavelengths from the values on a linear, log10 or ln axis, in the same unit."""
    with np.errstate(over="ignore"):
        return AXES[axis](values)


def unit(text: str) -> units.UnitBase:
    """The unit that a library's spelling means; ValueError or TypeError where it is unknown."""
    text = RUN_TOGETHER.get(str(text).strip().lower(), str(text))
    scale, rest = match.groups() if (match := FACTOR.fullmatch(text)) else (1.0, text)
    if ENDLESS.search(rest):
        raise ValueError(f"no unit: {rest[:40]}")
    known = re.sub(r"[A-Za-zÅ]+", lambda word: WORDS.get(word[0].lower(), word[0]), rest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", units.UnitsWarning)  # of more than one slash
        return units.Unit(float(scale) * units.Unit(known))


def spectrum(
    file: str,
    wavelength: np.ndarray,
    flux: np.ndarray,
    header: Mapping[str, Any],
    options: dict,
    found_units: tuple[str | None, str | None],
    errors: Errors = (None, None),
) -> Spectrum:
    """Make a Spectrum in Angstrom and flux per Angstrom.

    options : options of the reader; wavelength_unit, flux_unit and uncertainty_kind are used here
    found_units : units of wavelength and flux in the file, None where it has none
    errors : uncertainty and mask, each an array or None

    Raises LibraryError for a unit that is not understood or not one of wavelength or flux.
    """
    said = options.get("wavelength_unit") or found_units[0]
    wavelength_unit = said or "Angstrom"
    try:
        wavelength = (np.asarray(wavelength, float) * unit(wavelength_unit)).to_value(
            units.Angstrom, units.spectral()
        )
    except (ValueError, TypeError) as error:
        raise LibraryError(
            f"{file}: wavelength unit '{wavelength_unit}' is not one of wavelength: set "
            "options.wavelength_unit in the library's entry"
        ) from error
    scale = _flux_scale(file, wavelength, options.get("flux_unit") or found_units[1])
    flux = np.asarray(flux, float) * scale
    inverse_variance = _inverse_variance(errors, options.get("uncertainty_kind", "sigma"), scale)
    if len(wavelength) > 1 and wavelength[0] > wavelength[-1]:
        wavelength, flux = wavelength[::-1], flux[::-1]
        inverse_variance = None if inverse_variance is None else inverse_variance[::-1]
    return Spectrum(file, wavelength, flux, header, inverse_variance, unit_assumed=not said)


def _flux_scale(file: str, wavelength: np.ndarray, flux_unit: str | None) -> float | np.ndarray:
    """The factor, a number or (n_wave,), that brings flux to erg / (s cm2 Angstrom)."""
    if not flux_unit or flux_unit == RELATIVE:
        return 1.0
    try:
        factor = unit(flux_unit).to(
            PER_ANGSTROM, 1.0, units.spectral_density(wavelength * units.Angstrom)
        )
    except (ValueError, TypeError) as error:
        raise LibraryError(
            f"{file}: flux unit '{flux_unit}' cannot be converted to flux per Angstrom: set "
            f"options.flux_unit in the library's entry, to '{RELATIVE}' where only the shape counts"
        ) from error
    return factor


POWERS = {"sigma": -2, "variance": -1, "inverse_variance": 1}  # to the inverse variance


def _inverse_variance(errors: Errors, kind: str, scale: float | np.ndarray) -> np.ndarray | None:
    uncertainty, mask = errors
    if uncertainty is None:
        if mask is None:
            return None
        inverse_variance = np.ones(len(mask))
    else:
        uncertainty = np.ma.filled(np.ma.asarray(uncertainty, float), np.nan)
        usable = np.isfinite(uncertainty) & (uncertainty > 0)
        power = np.where(usable, uncertainty, 1.0) ** POWERS[kind]
        inverse_variance = np.where(usable, power, 0.0) / scale**2
    if mask is None:
        return inverse_variance
    return np.where(np.ma.filled(mask, 1) != 0, 0.0, inverse_variance)
