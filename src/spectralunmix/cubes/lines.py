"""Fits emission lines of component spectra: fluxes, and a common velocity and width."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares, nnls

from spectralunmix.libraries.grids import in_vacuum

LIGHT = 299792.458  # km/s
WINDOW = 2000.0  # km/s on either side of a line, within which it is fitted
FASTEST = 1000.0  # km/s: largest velocity that is tried
WIDTHS = (10.0, 400.0)  # km/s: smallest and largest width that is tried
AT_THE_END = 0.98  # share of these limits, beyond which the best value is no measurement
SIGNIFICANT = 5.0  # a line is significant if its flux is at least so many times its error
STRONG = 10.0  # the strongest line has to be at least so many times its error
FEWEST_LINES = 2  # number of significant lines, because a single one may be any line
FEWEST = 3  # channels for each line, and each term of the continuum
CONTINUUM = 3  # terms of the continuum, a parabola
COVERED = 0.5  # share of a line that has to lie in channels that count
TINY = 1e-300


class Line(NamedTuple):
    """An emission line: its name, and its wavelength in air, in Angstrom (NIST)."""

    name: str
    air: float


LINES = (
    Line("[OII] 3726", 3726.03),
    Line("[OII] 3729", 3728.82),
    Line("[NeIII] 3869", 3868.76),
    Line("Hδ", 4101.73),
    Line("Hγ", 4340.46),
    Line("[OIII] 4363", 4363.21),
    Line("HeII 4686", 4685.71),
    Line("Hβ", 4861.32),
    Line("[OIII] 4959", 4958.91),
    Line("[OIII] 5007", 5006.84),
    Line("[NI] 5198", 5197.90),
    Line("HeI 5876", 5875.62),
    Line("[OI] 6300", 6300.30),
    Line("[OI] 6364", 6363.78),
    Line("[NII] 6548", 6548.05),
    Line("Hα", 6562.79),
    Line("[NII] 6583", 6583.45),
    Line("[SII] 6716", 6716.44),
    Line("[SII] 6731", 6730.82),
    Line("[ArIII] 7136", 7135.79),
    Line("[SIII] 9069", 9068.6),
    Line("[SIII] 9531", 9530.6),
    Line("HeI 10830", 10830.2),
    Line("Paβ", 12818.08),
    Line("[FeII] 16436", 16435.5),
    Line("Paα", 18750.98),
    Line("Brγ", 21655.1),
)
# Pairs from the same upper level: their ratio depends on atomic physics alone.
DOUBLETS = {
    "[NII] 6583/6548": ("[NII] 6583", "[NII] 6548", 3.05),
    "[OI] 6300/6364": ("[OI] 6300", "[OI] 6364", 3.1),
    "[OIII] 5007/4959": ("[OIII] 5007", "[OIII] 4959", 2.98),
}


@dataclasses.dataclass(frozen=True)
class EmissionLines:
    """The lines of a spectrum.

    Attributes
    ----------
    names : list of str
        Those within the spectrum.
    wavelengths : ndarray
        Their rest wavelengths, in the spectrum's medium.
    fluxes, errors : ndarray
        In the spectrum's unit times Angstrom; NaN where too few channels at the line count.
    velocity, width : float
        Of all lines, in km/s, the width (sigma) with the instrument's; NaN where fewer than two
        lines are significant, none is of ten times its error, or the best velocity or width is
        at the end of what is looked for.
    """

    names: list[str]
    wavelengths: np.ndarray
    fluxes: np.ndarray
    errors: np.ndarray
    velocity: float
    width: float

    @property
    def significant(self) -> np.ndarray:
        """Whether the flux of each line is significant; all are False without a velocity."""
        there = np.nan_to_num(self.fluxes) > SIGNIFICANT * np.nan_to_num(self.errors, nan=np.inf)
        return there & np.isfinite(self.velocity)

    def ratio(self, doublet: str) -> float | None:
        """The flux ratio of a pair in DOUBLETS; None where a line of it is not significant."""
        first, second, _ = DOUBLETS[doublet]
        flux = dict(zip(self.names, np.where(self.significant, self.fluxes, 0), strict=True))
        return float(flux[first] / flux[second]) if flux.get(first) and flux.get(second) else None


class Group(NamedTuple):
    """A group of lines whose windows touch.

    wavelength, values, widths : (n,), of the channels of these windows that count
    lines : which of all lines they are
    places : their rest wavelengths
    """

    wavelength: np.ndarray
    values: np.ndarray
    widths: np.ndarray
    lines: list[int]
    places: np.ndarray


def within(wavelength: np.ndarray, medium: str) -> list[tuple[str, float]]:
    """The lines that lie within the rest wavelengths, with their wavelengths in the medium.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom, rising.
    medium : {"air", "vacuum", "unknown"}
        Taken for air where it is not known.
    """
    places = np.array([line.air for line in LINES])
    places = in_vacuum(places) if medium == "vacuum" else places
    inside = (places > wavelength[0]) & (places < wavelength[-1])
    return [(LINES[i].name, float(places[i])) for i in np.flatnonzero(inside)]


def emission_lines(
    wavelength: np.ndarray, spectrum: np.ndarray, counted: np.ndarray, medium: str
) -> EmissionLines:
    """Fit Gaussians with a common velocity and width, on a curved continuum, to all lines.

    Fluxes are at least zero. Their errors are of the scatter that the fit leaves, taken as
    correlated as it is: smoothing correlates it, and so do the absorption lines of stars.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        At rest, in Angstrom, rising.
    spectrum : ndarray of shape (n_wave,)
        The component.
    counted : ndarray of bool of shape (n_wave,)
        Which channels count.
    medium : {"air", "vacuum", "unknown"}
        What the wavelengths are in.

    Returns
    -------
    EmissionLines
    """
    lines = within(wavelength, medium)
    names, places = [name for name, _ in lines], np.array([place for _, place in lines])
    fluxes, errors = np.full((2, len(names)), np.nan)
    groups = _groups(wavelength, spectrum, counted, places)
    if not groups:
        return EmissionLines(names, places, fluxes, errors, np.nan, np.nan)
    starts = [(v, w) for v in np.linspace(-0.6, 0.6, 13) * FASTEST for w in (60.0, 150.0)]
    best = least_squares(
        _left_by_all,
        min(starts, key=lambda start: float(np.square(_left_by_all(start, groups)).sum())),
        bounds=([-FASTEST, WIDTHS[0]], [FASTEST, WIDTHS[1]]),
        x_scale=(30.0, 30.0),
        args=(groups,),
    )
    velocity, width = map(float, best.x)
    for group in groups:
        _, fluxes[group.lines], errors[group.lines] = _solved(group, velocity, width)
    found = EmissionLines(names, places, fluxes, errors, velocity, width)
    at_the_end = abs(velocity) > AT_THE_END * FASTEST or width > AT_THE_END * WIDTHS[1]
    strong = found.fluxes > STRONG * found.errors
    if at_the_end or found.significant.sum() < FEWEST_LINES or not strong.any():
        return dataclasses.replace(found, velocity=np.nan, width=np.nan)
    return found


def _groups(
    wavelength: np.ndarray, spectrum: np.ndarray, counted: np.ndarray, places: np.ndarray
) -> list[Group]:
    """Groups of lines, in their order, that have enough channels for a fit."""
    reach = WINDOW / LIGHT
    together: list[list[int]] = []
    for i, place in enumerate(places):
        if together and place * (1 - reach) < places[together[-1][-1]] * (1 + reach):
            together[-1].append(i)
        else:
            together.append([i])
    widths, groups = np.gradient(wavelength), []
    for lines in together:
        low, high = places[lines[0]] * (1 - reach), places[lines[-1]] * (1 + reach)
        at = (wavelength > low) & (wavelength < high) & counted
        if at.sum() > FEWEST * (len(lines) + CONTINUUM):
            groups.append(Group(wavelength[at], spectrum[at], widths[at], lines, places[lines]))
    return groups


def _profiles(group: Group, velocity: float, width: float) -> np.ndarray:
    """Gaussians with an area of 1 Angstrom, (n_lines, n); 0 where half of a line does not count."""
    centres = group.places[:, None] * (1 + velocity / LIGHT)
    sigma = np.maximum(centres * width / LIGHT, np.median(group.widths) / 3)
    made = np.exp(-0.5 * ((group.wavelength - centres) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    area = (made * group.widths).sum(axis=1, keepdims=True)
    return np.where(area > COVERED, made, 0)


def _solved(
    group: Group, velocity: float, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The residuals of the values, the fluxes, which are at least 0, and their errors."""
    profiles = _profiles(group, velocity, width)
    x = 2 * (group.wavelength - group.wavelength.mean()) / np.ptp(group.wavelength)
    continuum = np.stack([x**power for power in range(CONTINUUM)])
    # the continuum may have either sign, so nnls gets it with both signs
    design = np.concatenate([profiles, continuum, -continuum]).T
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1
    found = nnls(design / scale, group.values)[0] / scale
    left = group.values - design @ found
    free = (design / scale)[:, : len(profiles) + CONTINUUM]
    n_free = max(len(left) - free.shape[1], 1)
    variance = np.square(left).sum() / n_free * _correlated(left)
    of_each = np.diag(np.linalg.pinv(free.T @ free))[: len(profiles)] / scale[: len(profiles)] ** 2
    measured = profiles.any(axis=1)
    fluxes = np.where(measured, found[: len(profiles)], np.nan)
    return left, fluxes, np.where(measured, np.sqrt(of_each * variance), np.nan)


def _correlated(left: np.ndarray) -> float:
    """The variance of sums of neighbours, relative to that of independent values."""
    left = left - left.mean()
    total = 1.0
    for lag in range(1, len(left) // 4):
        correlation = float(left[:-lag] @ left[lag:]) / max(float(left @ left), TINY)
        if correlation <= 0:
            break
        total += 2 * correlation
    return total


def _left_by_all(parameters: Sequence[float], groups: Sequence[Group]) -> np.ndarray:
    """The residuals in all channels with the best fluxes at a velocity and a width."""
    return np.concatenate([_solved(group, *parameters)[0] for group in groups])
