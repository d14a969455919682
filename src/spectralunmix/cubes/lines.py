"""Emission lines of component spectra: fluxes, one velocity and one width for all of them."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares, nnls

from spectralunmix.libraries.grids import in_vacuum

LIGHT = 299792.458  # km/s
WINDOW = 2000.0  # km/s on either side of a line that its fit looks at
NEAR = 1000.0  # km/s, the largest velocity that is looked for
WIDTHS = (30.0, 400.0)  # km/s, of lines
SIGNIFICANT = 5.0  # times its error, from where on a line's flux is one
FEWEST = 3  # channels a line, and an error, need


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
# Pairs from one upper level, whose ratio is that of transition probabilities and energies alone.
DOUBLETS = {
    "[NII] 6583/6548": ("[NII] 6583", "[NII] 6548", 3.05),
    "[OI] 6300/6364": ("[OI] 6300", "[OI] 6364", 3.1),
    "[OIII] 5007/4959": ("[OIII] 5007", "[OIII] 4959", 2.98),
}


@dataclasses.dataclass(frozen=True)
class EmissionLines:
    """The lines of one spectrum.

    Attributes
    ----------
    names : list of str
        Those within the spectrum.
    wavelengths : ndarray
        Their rest wavelengths, in the spectrum's medium.
    fluxes, errors : ndarray
        In the spectrum's unit times Angstrom.
    velocity, width : float
        Of all lines, in km/s; NaN where no line is significant.
    """

    names: list[str]
    wavelengths: np.ndarray
    fluxes: np.ndarray
    errors: np.ndarray
    velocity: float
    width: float

    @property
    def significant(self) -> np.ndarray:
        """Whether each line has a flux of at least five times its error."""
        return self.fluxes > SIGNIFICANT * self.errors

    def ratio(self, doublet: str) -> float | None:
        """Of a pair's two lines, one of DOUBLETS; None where one is not significant."""
        first, second, _ = DOUBLETS[doublet]
        flux = dict(zip(self.names, np.where(self.significant, self.fluxes, 0), strict=True))
        return float(flux[first] / flux[second]) if flux.get(first) and flux.get(second) else None


def within(wavelength: np.ndarray, medium: str) -> list[tuple[str, float]]:
    """The lines, with their wavelengths in that medium, that lie within rest wavelengths.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom, rising.
    medium : {"air", "vacuum", "unknown"}
        Taken for air where it is not known.
    """
    margin = 1 + WINDOW / LIGHT
    places = np.array([line.air for line in LINES])
    places = in_vacuum(places) if medium == "vacuum" else places
    inside = (places > wavelength[0] * margin) & (places < wavelength[-1] / margin)
    return [(LINES[i].name, float(places[i])) for i in np.flatnonzero(inside)]


def emission_lines(
    wavelength: np.ndarray, spectrum: np.ndarray, counted: np.ndarray, medium: str
) -> EmissionLines:
    """Gaussians of one velocity and width on a straight continuum, at all lines of a spectrum.

    Fluxes are at least zero. Their errors are of the scatter that the fit leaves: where stars have
    absorption lines they say little.

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
    none = np.zeros(len(names))
    groups = _groups(wavelength, counted, places)
    if not groups:
        return EmissionLines(names, places, none, none, np.nan, np.nan)
    starts = [(v, w) for v in np.linspace(-0.6, 0.6, 13) * NEAR for w in (60.0, 150.0)]
    cost = [
        np.square(_misfit(start, wavelength, spectrum, places, groups)).sum() for start in starts
    ]
    best = least_squares(
        _misfit,
        starts[int(np.argmin(cost))],
        bounds=([-NEAR, WIDTHS[0]], [NEAR, WIDTHS[1]]),
        x_scale=(30.0, 30.0),
        args=(wavelength, spectrum, places, groups),
    )
    velocity, width = best.x
    fluxes, errors = np.zeros(len(names)), np.full(len(names), np.inf)
    for channels, of_group in groups:
        at = wavelength[channels]
        profiles = _profiles(at, places[of_group], velocity, width)
        _, fluxes[of_group], errors[of_group] = _solved(at, spectrum[channels], profiles)
    found = EmissionLines(names, places, fluxes, errors, float(velocity), float(width))
    if found.significant.any():
        return found
    return dataclasses.replace(found, velocity=np.nan, width=np.nan)


Group = tuple[np.ndarray, list[int]]  # channels, and the lines in them


def _groups(wavelength: np.ndarray, counted: np.ndarray, places: np.ndarray) -> list[Group]:
    """Lines whose windows touch, with the channels of these windows."""
    groups: list[Group] = []
    last = -np.inf
    for i, place in enumerate(places):
        if place * (1 - WINDOW / LIGHT) < last and groups:
            groups[-1][1].append(i)
        else:
            groups.append((np.array([], int), [i]))
        last = place * (1 + WINDOW / LIGHT)
    found = []
    for _, of_group in groups:
        low, high = places[of_group[0]], places[of_group[-1]]
        inside = (wavelength > low * (1 - WINDOW / LIGHT)) & (
            wavelength < high * (1 + WINDOW / LIGHT)
        )
        channels = np.flatnonzero(inside & counted)
        if len(channels) > FEWEST * (len(of_group) + 2) and inside.sum() == len(channels):
            found.append((channels, of_group))
    return found


def _profiles(at: np.ndarray, places: np.ndarray, velocity: float, width: float) -> np.ndarray:
    """(n_lines, n), Gaussians of area 1 Angstrom."""
    centres = places[:, None] * (1 + velocity / LIGHT)
    sigma = centres * width / LIGHT
    return np.exp(-0.5 * ((at - centres) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def _solved(
    at: np.ndarray, values: np.ndarray, profiles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is left of the values, fluxes of at least zero, and their errors."""
    x = (at - at.mean()) / np.ptp(at)
    straight = np.stack([np.ones_like(x), x])
    # the continuum may have either sign: nnls takes it twice
    design = np.concatenate([profiles, straight, -straight]).T
    scale = np.abs(design).max(axis=0)
    found = nnls(design / scale, values)[0] / scale
    left = values - design @ found
    free = design[:, : len(profiles) + 2]
    variance = np.square(left).sum() / max(len(at) - free.shape[1], 1)
    spread = np.sqrt(np.diag(np.linalg.pinv(free.T @ free)) * variance)
    return left, found[: len(profiles)], spread[: len(profiles)]


def _misfit(
    parameters: Sequence[float],
    wavelength: np.ndarray,
    spectrum: np.ndarray,
    places: np.ndarray,
    groups: list[Group],
) -> np.ndarray:
    """What the best fluxes leave in the channels of all groups."""
    parts = []
    for channels, of_group in groups:
        at = wavelength[channels]
        profiles = _profiles(at, places[of_group], *parameters)
        parts.append(_solved(at, spectrum[channels], profiles)[0])
    return np.concatenate(parts)
