"""What is wrong with the spectra of a library, and their normalisation."""

import hashlib

import numpy as np

from . import LibraryError
from .readers import Spectrum


def problems(spectra: list[Spectrum], limits: dict) -> dict[str, str]:
    """What is wrong with a spectrum, by its file.

    limits : largest shares of channels that may be NaN (or masked) and negative
    """
    found = {}
    for s in spectra:
        nan = np.mean(~usable(s))
        negative = np.mean(s.flux[np.isfinite(s.flux)] < 0) if np.isfinite(s.flux).any() else 0
        if nan > limits["max_nan"]:
            found[s.file] = f"{nan:.1%} of its channels are NaN, infinite or masked"
        elif not np.nanmax(s.flux) > 0:
            found[s.file] = "no flux above zero"
        elif s.inverse_variance is None and negative > limits["max_negative"]:
            found[s.file] = f"{negative:.1%} of its channels are negative"
    return found


def usable(s: Spectrum) -> np.ndarray:
    """(n_wave,) where the flux is a number that is not masked."""
    finite = np.isfinite(s.flux)
    return finite if s.inverse_variance is None else finite & (s.inverse_variance > 0)


def duplicates(spectra: list[Spectrum]) -> list[str]:
    """Files that are there twice, or hold the same fluxes under two names."""
    found, seen = [], {}
    names = set()
    for s in spectra:
        if s.file in names:
            found.append(f"{s.file}: there twice")
        names.add(s.file)
        content = hashlib.sha256(np.ascontiguousarray(s.flux)).digest()
        other = seen.setdefault(content, s.file)
        if other != s.file:
            found.append(f"{s.file}: the same fluxes as {other}")
    return found


def mixed_units(spectra: list[Spectrum]) -> list[str]:
    """Files whose wavelengths are powers of ten away from the others', and overlap none."""
    centre = np.array([np.sqrt(s.wavelength[0] * s.wavelength[-1]) for s in spectra])
    usual = np.median(centre)
    first, last = (np.median([s.wavelength[i] for s in spectra]) for i in (0, -1))
    return [
        f"{s.file}: wavelengths of {s.wavelength[0]:.5g} to {s.wavelength[-1]:.5g} Angstrom, "
        f"while most spectra have {first:.5g} to {last:.5g}: is its unit another? "
        "Where it is right, state start and stop under grid, so that it is left out"
        for s, where in zip(spectra, centre, strict=True)
        if (s.wavelength[-1] < first or s.wavelength[0] > last)
        and abs(np.log10(where / usual)) > 0.7
    ]


def normalised(spectra: list[Spectrum], how: str) -> dict[str, np.ndarray | None]:
    """Spectra on one grid as arrays: flux and inverse_variance (n_spectra, n_wave), and by
    spectrum the divisor and how many channels were filled or clipped.

    how : "maximum" or "mean", what a spectrum is divided by, or "none"

    NaN and masked channels are filled by straight lines, with inverse variance 0 where there is
    one.  Negative ones are set to zero where the library has no uncertainties, and stay where
    it has: a fit with weights is right with them, and biased without.
    """
    flux, divisors, filled, clipped, weights = [], [], [], [], []
    channel = np.arange(len(spectra[0].flux))
    for s in spectra:
        good = usable(s)
        if not good.any():
            raise LibraryError(f"{s.file}: no channel with a flux on the grid")
        row = (
            np.where(good, s.flux, 0)
            if good.all()
            else np.interp(channel, channel[good], s.flux[good])
        )
        divisor = {"maximum": np.max, "mean": np.mean, "none": lambda _: 1.0}[how](row)
        if divisor <= 0:
            raise LibraryError(f"{s.file}: no flux above zero on the grid")
        filled.append(int((~good).sum()))
        clipped.append(0 if s.inverse_variance is not None else int((row < 0).sum()))
        flux.append((row if s.inverse_variance is not None else np.clip(row, 0, None)) / divisor)
        divisors.append(divisor)
        weights.append(good if s.inverse_variance is None else s.inverse_variance * divisor**2)
    any_weights = any(s.inverse_variance is not None for s in spectra)
    return {
        "flux": np.array(flux),
        "inverse_variance": np.array(weights, float) if any_weights else None,
        "divisor": np.array(divisors),
        "n_filled": np.array(filled),
        "n_clipped": np.array(clipped),
    }
