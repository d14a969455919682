"""Compares components of several libraries with each other, and with each other's spectra."""

import dataclasses
import itertools
import logging
from typing import NamedTuple

import numpy as np
from astropy.table import Table

from spectralunmix import comparison, files, unmix
from spectralunmix.libraries import grids
from spectralunmix.libraries.readers import Spectrum

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class LibraryResult:
    """A library's components and its spectra.

    Attributes
    ----------
    title : str
        The library's name.
    medium : {"air", "vacuum", "unknown"}
        Medium in which the wavelengths are given.
    wavelength : ndarray of shape (n_wave,)
        In Angstrom, in vacuum where the medium is known.
    components : ndarray of shape (k, n_wave)
    classes : list of str
        The class that each component is assigned to, "" without one.
    doubtful : set of str
        Classes whose assignment is doubtful.
    flux : ndarray of shape (n_spectra, n_wave)
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None
    """

    title: str
    medium: str
    wavelength: np.ndarray
    components: np.ndarray
    classes: list[str]
    doubtful: set[str]
    flux: np.ndarray
    inverse_variance: np.ndarray | None


class OnCommonChannels(NamedTuple):
    """A library's components (k, n_wave) and spectra (n_spectra, n_wave) on common channels.

    counts : (n_spectra, n_wave), 1 where a value counts and 0 elsewhere; None where all count
    """

    components: np.ndarray
    flux: np.ndarray
    counts: np.ndarray | None


class Match(NamedTuple):
    """A component of a library, and the component of another library that matches it."""

    library: str
    other: str
    component: int
    class_name: str
    other_component: int
    other_class: str
    distance: float


def load(name: str, spectra: str, components: str, assignments: str, summary: str) -> LibraryResult:
    """A library's results, from the files of its run, in vacuum.

    Parameters
    ----------
    name : str
        The library, for a warning.
    spectra, components, assignments, summary : str
        Paths of the files.

    Returns
    -------
    LibraryResult
    """
    wavelength, names, curves = files.read_curves(components)
    rows = files.read_table(assignments)
    rows = rows[rows["method"] == "nmf"]
    class_of = dict(zip(rows["component"], rows["class"], strict=True))
    medium = files.read_medium(spectra)
    return LibraryResult(
        title=files.read_json(summary)["library"],
        medium=medium,
        wavelength=in_vacuum(wavelength, medium, name),
        components=curves,
        classes=[class_of.get(component, "") for component in names],
        doubtful=set(rows["class"][rows["doubtful"]]),
        flux=files.read_spectra(spectra)[1],
        inverse_variance=files.read_inverse_variance(spectra),
    )


def in_vacuum(wavelength: np.ndarray, medium: str, name: str) -> np.ndarray:
    """Vacuum wavelengths (n_wave,) of a library; unchanged where the medium is unknown."""
    if medium == "unknown":
        log.warning(
            "%s: the medium of the wavelengths is unknown; they are not changed, and may be wrong "
            "by 0.03 %%",
            name,
        )
    return grids.in_vacuum(wavelength) if medium == "air" else wavelength


def common_channels(libraries: dict[str, LibraryResult]) -> tuple[np.ndarray, str]:
    """The wavelengths (n_wave,) that all libraries can be brought to, and in words which."""
    undecided = dict.fromkeys(("start", "stop", "step"))
    return grids.decided([library.wavelength for library in libraries.values()], undecided)


def on_common_channels(library: LibraryResult, common: np.ndarray) -> OnCommonChannels:
    """The library's components and spectra in the channels at `common`, (n_wave,) Angstrom."""
    components, _ = rebinned(library.wavelength, library.components, common)
    flux, weights = rebinned(library.wavelength, library.flux, common, library.inverse_variance)
    return OnCommonChannels(
        components, flux, None if weights is None else (weights > 0).astype(float)
    )


def rebinned(
    wavelength: np.ndarray, rows: np.ndarray, common: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Resample spectra to other channels, with their inverse variance if they have one.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        The channels of the spectra, in Angstrom.
    rows : ndarray of shape (n_spectra, n_wave)
        The spectra.
    common : ndarray of shape (n_common,)
        The channels to which they are resampled, in Angstrom.
    weights : ndarray of shape (n_spectra, n_wave) or None, default None
        Inverse variance of each value.

    Returns
    -------
    flux : ndarray of shape (n_spectra, n_common)
    weights : ndarray of shape (n_spectra, n_common) or None
    """
    given = [None] * len(rows) if weights is None else weights
    spectra = [
        grids.on_grid(Spectrum("", wavelength, row, {}, weight), common)
        for row, weight in zip(rows, given, strict=True)
    ]
    flux = np.array([s.flux for s in spectra])
    return flux, None if weights is None else np.array([s.inverse_variance for s in spectra])


def matched(
    libraries: dict[str, LibraryResult], common: dict[str, OnCommonChannels], metric: str
) -> list[Match]:
    """Match the components of each pair of libraries, one to one, by least total distance.

    Parameters
    ----------
    libraries : dict of LibraryResult
        By name.
    common : dict of OnCommonChannels
        The same libraries.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    list of Match
        Components are numbered from 1.
    """
    matches = []
    for a, b in itertools.permutations(libraries, 2):
        distance, _ = comparison.distances(common[a].components, common[b].components, metric)
        for i, j in zip(*comparison.assign(distance), strict=True):
            classes = libraries[a].classes[i], libraries[b].classes[j]
            match = Match(a, b, int(i + 1), classes[0], int(j + 1), classes[1], distance[i, j])
            matches.append(match)
    return matches


def explained(components: np.ndarray, flux: np.ndarray, counts: np.ndarray | None = None) -> float:
    """Share of the sum of squares of spectra that components explain with their best weights.

    Parameters
    ----------
    components : ndarray of shape (k, n_wave)
        The components.
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    counts : ndarray of shape (n_spectra, n_wave) or None, default None
        1 where a value counts and 0 elsewhere; None where all count.

    Returns
    -------
    float
    """
    residual = flux - unmix(flux, components, inverse_variance=counts) @ components
    counted = 1.0 if counts is None else counts
    return float(1 - (counted * residual**2).sum() / (counted * flux**2).sum())


def explained_shares(common: dict[str, OnCommonChannels]) -> np.ndarray:
    """What the components of a library (column) explain of each library's spectra (row)."""
    return np.array(
        [
            [explained(own.components, other.flux, other.counts) for own in common.values()]
            for other in common.values()
        ]
    )


def match_table(matches: list[Match], metric: str) -> Table:
    """The table of matches, with a row for each."""
    names = ["library", "other", "component", "class", "other_component", "other_class", "distance"]
    return Table(rows=matches, names=names, meta={"metric": metric})


def transfer_table(names: list[str], shares: np.ndarray) -> Table:
    """A row for each of the `explained_shares` of the libraries of these names."""
    rows = [(names[i], names[j], share) for (i, j), share in np.ndenumerate(shares)]
    return Table(rows=rows, names=["spectra", "components", "explained"])


def n_of_one_class(matches: list[Match]) -> int:
    """The number of matched components that have the same class in both libraries."""
    return sum(match.class_name == match.other_class != "" for match in matches)
