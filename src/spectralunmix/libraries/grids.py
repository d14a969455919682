"""Rebins all spectra of a library to the same channels, and converts air to vacuum."""

import dataclasses

import numpy as np
from scipy import sparse

from . import LibraryError
from .readers import Spectrum


def edges(wavelength: np.ndarray) -> np.ndarray:
    """The edges of channels, (n_wave + 1,), half-way between their centres."""
    middle = (wavelength[1:] + wavelength[:-1]) / 2
    first, last = 2 * wavelength[0] - middle[0], 2 * wavelength[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def stated(grid: dict) -> np.ndarray | None:
    """The channels (n_wave,) in Angstrom of an entry with start, stop and step; else None."""
    if any(grid[key] is None for key in ("start", "stop", "step")):
        return None
    return _in_steps(grid["start"], grid["stop"], grid)


def _in_steps(start: float, stop: float, grid: dict) -> np.ndarray:
    if grid["spacing"] == "log10":
        start, stop = np.log10(start), np.log10(stop)
    axis = start + grid["step"] * np.arange(round((stop - start) / grid["step"]) + 1)
    return 10**axis if grid["spacing"] == "log10" else axis


def decided(wavelengths: list[np.ndarray], grid: dict) -> tuple[np.ndarray, str]:
    """Choose channels (n_wave,) in Angstrom for spectra on these grids, and say how.

    What the entry does not state, the data decide: the range that all cover, and the
    channels of the spectrum with the fewest in it.

    Raises LibraryError where the spectra have no range in common.
    """
    start = grid["start"] or max(w[0] for w in wavelengths)
    stop = grid["stop"] or min(w[-1] for w in wavelengths)
    inside = [w[(w >= start) & (w <= stop)] for w in wavelengths]
    if min(map(len, inside)) < 2:
        raise LibraryError(
            f"grid: no range in common: one spectrum begins at {max(w[0] for w in wavelengths):.6g}"
            f" and one ends at {min(w[-1] for w in wavelengths):.6g} Angstrom: state start and "
            "stop, so that those outside are left out"
        )
    if grid["step"] is not None:
        channels = _in_steps(start, stop, grid)
        how = f"in steps of {grid['step']:g} ({grid['spacing']})"
    else:
        channels = min(inside, key=len)
        if all(np.array_equal(w, channels) for w in inside):
            return channels, "the spectra's own"
        how = "the channels of the coarsest spectrum"
    channels = channels[_within(channels, wavelengths)]
    return channels, f"{channels[0]:.6g} to {channels[-1]:.6g} Angstrom, {how}"


def _within(channels: np.ndarray, wavelengths: list[np.ndarray]) -> np.ndarray:
    """Which channels every spectrum covers completely."""
    first = max(edges(w)[0] for w in wavelengths)
    last = min(edges(w)[-1] for w in wavelengths)
    cuts, slack = edges(channels), 1e-9 * last
    return (cuts[:-1] >= first - slack) & (cuts[1:] <= last + slack)


def covers(wavelength: np.ndarray, grid: np.ndarray) -> bool:
    """Whether the channels at `wavelength` cover those of the grid."""
    have, want = edges(wavelength), edges(grid)
    slack = 1e-9 * want[-1]  # for rounding
    return have[0] <= want[0] + slack and want[-1] <= have[-1] + slack


def on_grid(spectrum: Spectrum, wavelength: np.ndarray) -> Spectrum:
    """Rebin a spectrum to the channels at `wavelength`; its integral over each is kept.

    The flux of a channel is the mean of the old ones that it covers, by length.  Those that are
    NaN do not count, nor do those without a weight where there are others: a channel of none but
    such has the mean of their flux, NaN where they have none, with inverse variance 0.
    The variance of the mean takes the old channels' errors as independent.
    """
    new_edges, weight = edges(wavelength), spectrum.inverse_variance
    inside = (spectrum.wavelength >= new_edges[0]) & (spectrum.wavelength <= new_edges[-1])
    if np.array_equal(spectrum.wavelength[inside], wavelength):
        flux, weight = spectrum.flux[inside], None if weight is None else weight[inside]
        return _with(spectrum, wavelength, flux, weight)
    finite = np.isfinite(spectrum.flux)
    share = overlaps(edges(spectrum.wavelength), new_edges)
    flux, length = _mean(share, spectrum.flux, finite)
    if weight is not None:
        good = finite & (weight > 0)
        weighted, length = _mean(share, spectrum.flux, good)
        flux = np.where(length > 0, weighted, flux)
        variance = share.power(2) @ np.where(good, 1 / np.where(good, weight, 1.0), 0.0)
        weight = np.where(length > 0, length**2 / np.where(length > 0, variance, 1.0), 0.0)
    return _with(spectrum, wavelength, flux, weight)


def _mean(
    share: sparse.csr_array, flux: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each new channel, the mean flux of old channels that count, or NaN, and their length."""
    length = share @ counts.astype(float)
    total = share @ np.where(counts, flux, 0.0)
    return np.where(length > 0, total / np.where(length > 0, length, 1.0), np.nan), length


def _with(
    spectrum: Spectrum,
    wavelength: np.ndarray,
    flux: np.ndarray,
    inverse_variance: np.ndarray | None,
) -> Spectrum:
    return dataclasses.replace(
        spectrum, wavelength=wavelength, flux=flux, inverse_variance=inverse_variance
    )


def overlaps(old: np.ndarray, new: np.ndarray) -> sparse.csr_array:
    """The overlap in Angstrom of channels with edges `new` and `old`, (n_new, n_old)."""
    cuts = np.union1d(old, new)
    cuts = cuts[(cuts >= max(old[0], new[0])) & (cuts <= min(old[-1], new[-1]))]
    row, column = (np.searchsorted(e, cuts[:-1], side="right") - 1 for e in (new, old))
    return sparse.csr_array((np.diff(cuts), (row, column)), shape=(len(new) - 1, len(old) - 1))


def in_vacuum(wavelength: np.ndarray) -> np.ndarray:
    """Convert wavelengths in standard air, (n_wave,) in Angstrom, to vacuum.

    The refractive index is that of Ciddor (1996, Appl. Opt. 35, 1566) for dry air at 15 C and
    1013.25 hPa with 450 ppm of CO2. It is taken at the wavelength in air, an error below 1e-8.
    Wavelengths below 2000 Angstrom stay, because libraries give them in vacuum.
    """
    wavenumber = (1e4 / wavelength) ** 2  # squared, 1 / micron^2
    index = 1 + 0.05792105 / (238.0185 - wavenumber) + 0.00167917 / (57.362 - wavenumber)
    return np.where(wavelength > 2000, wavelength * index, wavelength)
