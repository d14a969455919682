"""Checks of the spectra of a library, and their normalisation."""

import dataclasses
import hashlib
from collections.abc import Callable

import numpy as np

from . import LibraryError
from .readers import Spectrum

DIVISORS: dict[str, Callable[[np.ndarray], float]] = {
    "maximum": np.max,
    "mean": np.mean,
    "none": lambda flux: 1.0,
}


def problems(spectra: list[Spectrum], limits: dict) -> dict[str, tuple[str, str | None]]:
    """By file, what is wrong with a spectrum, and which limit to raise; None where none helps.

    limits : largest shares of channels without flux or inverse variance, and of negative channels
    """
    found = {}
    for s in spectra:
        finite, good = np.isfinite(s.flux), usable(s)
        negative = np.mean(s.flux[finite] < 0) if finite.any() else 0
        any_flux = (s.flux[good] > 0).any()
        if np.mean(~good) > limits["max_nan"]:
            shares = {
                "are NaN, infinite or missing": np.mean(~finite),
                "have a flux, but a mask or no finite uncertainty": np.mean(finite & ~good),
            }
            shown = [f"{share:.1%} of its channels {why}" for why, share in shares.items() if share]
            found[s.file] = " and ".join(shown), "max_nan" if any_flux else None
        elif not any_flux:
            found[s.file] = "no flux above zero", None
        elif s.inverse_variance is None and negative > limits["max_negative"]:
            found[s.file] = f"{negative:.1%} of its channels are negative", "max_negative"
    return found


def zero_runs(flux: np.ndarray, at_least: int) -> np.ndarray:
    """(n_wave,) where the flux is exactly zero over at least so many consecutive channels."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], flux == 0, [False]]).astype(int)))
    found = np.zeros(len(flux), bool)
    for first, end in ends.reshape(-1, 2):
        found[first:end] = end - first >= at_least
    return found


def without_zeros(s: Spectrum, at_least: int | None) -> Spectrum:
    """The spectrum with NaN in place of long runs of zeros; with None every zero is a flux."""
    if at_least is None:
        return s
    return dataclasses.replace(s, flux=np.where(zero_runs(s.flux, at_least), np.nan, s.flux))


def usable(s: Spectrum) -> np.ndarray:
    """(n_wave,) where the flux is a number, and its inverse variance is above 0."""
    finite = np.isfinite(s.flux)
    return finite if s.inverse_variance is None else finite & (s.inverse_variance > 0)


def duplicates(spectra: list[Spectrum]) -> list[str]:
    """Files that are there twice, or that have the same fluxes as another file."""
    found: list[str] = []
    names: set[str] = set()
    seen: dict[bytes, str] = {}
    for s in spectra:
        if s.file in names:
            found.append(f"{s.file}: there twice")
        names.add(s.file)
        content = hashlib.sha256(np.ascontiguousarray(s.flux).data).digest()
        other = seen.setdefault(content, s.file)
        if other != s.file:
            found.append(f"{s.file}: the same fluxes as {other}")
    return found


def mixed_units(spectra: list[Spectrum]) -> list[str]:
    """Files whose wavelengths are far from those of most files, as with another unit."""
    centre = np.array([np.sqrt(s.wavelength[0] * s.wavelength[-1]) for s in spectra])
    usual = np.median(centre)
    first, last = (np.median([s.wavelength[i] for s in spectra]) for i in (0, -1))
    return [
        f"{s.file}: wavelengths of {s.wavelength[0]:.5g} to {s.wavelength[-1]:.5g} Angstrom, "
        f"while most spectra have {first:.5g} to {last:.5g}: is its unit another? "
        "If it is right, set start and stop under grid, so that it is left out"
        for s, where in zip(spectra, centre, strict=True)
        if (s.wavelength[-1] < first or s.wavelength[0] > last)
        and abs(np.log10(where / usual)) > 0.7
    ]


def normalised(spectra: list[Spectrum], how: str) -> dict[str, np.ndarray | None]:
    """Divide spectra with the same channels by their maximum or mean, and put them in arrays.

    The arrays are flux and inverse_variance (n_spectra, n_wave), and for each spectrum its
    divisor and the numbers of channels that were filled and clipped.

    how : "maximum" or "mean", by which a spectrum is divided, or "none"

    A channel that is NaN, masked or without an uncertainty has the inverse variance 0. The others
    have 1 where the library has no uncertainties. NaN is filled by straight lines. The divisor is
    that of channels that count. Negative flux is set to zero only where the library has no
    uncertainties: with them, the fit is right, and clipping would bias it.
    """
    flux, divisors, filled, clipped, weights = [], [], [], [], []
    any_weights = any(s.inverse_variance is not None or not usable(s).all() for s in spectra)
    channel = np.arange(len(spectra[0].flux))
    for s in spectra:
        good = usable(s)
        if not good.any():
            raise LibraryError(f"{s.file}: no channel with a flux on the grid")
        finite, lines = np.isfinite(s.flux), np.interp(channel, channel[good], s.flux[good])
        row = np.where(finite, s.flux, lines)
        divisor = DIVISORS[how](lines)
        if divisor <= 0:
            raise LibraryError(f"{s.file}: no flux above zero on the grid")
        filled.append(int((~finite).sum()))
        clipped.append(0 if s.inverse_variance is not None else int((row < 0).sum()))
        flux.append((row if s.inverse_variance is not None else np.clip(row, 0, None)) / divisor)
        divisors.append(divisor)
        given = 1.0 if s.inverse_variance is None else s.inverse_variance * divisor**2
        weights.append(np.where(good, given, 0.0))
    return {
        "flux": np.array(flux),
        "inverse_variance": np.array(weights) if any_weights else None,
        "divisor": np.array(divisors),
        "n_filled": np.array(filled),
        "n_clipped": np.array(clipped),
    }
