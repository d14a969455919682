"""Distances of components to prototypes and to each other, and their shares in spectra."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

Pairs = tuple[np.ndarray, np.ndarray]  # indices of components, and of their classes


def root_mean_square(spectra: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, m): root mean square difference of spectra (n, n_wave) and others (m, n_wave).

    Each is divided by its largest absolute flux first. A spectrum without flux stays zero.
    """
    a = _divided(spectra, np.abs(spectra).max(axis=1))
    b = _divided(others, np.abs(others).max(axis=1))
    return np.sqrt(np.square(a[:, None] - b[None]).mean(axis=2))


def spectral_angle(spectra: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, m): angle in radians between spectra (n, n_wave) and others (m, n_wave).

    A spectrum without flux is at right angles to all.
    """
    a = _divided(spectra, np.linalg.norm(spectra, axis=1))
    b = _divided(others, np.linalg.norm(others, axis=1))
    # 2 atan2 keeps small angles exact, where arccos of a cosine near 1 does not.
    return 2 * np.arctan2(
        np.linalg.norm(a[:, None] - b[None], axis=2), np.linalg.norm(a[:, None] + b[None], axis=2)
    )


def _divided(spectra: np.ndarray, divisors: np.ndarray) -> np.ndarray:
    """Spectra (n, n_wave) over divisors (n,); a spectrum that is zero throughout stays so."""
    return spectra / np.where(divisors > 0, divisors, 1)[:, None]


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "rms": root_mean_square,
    "angle": spectral_angle,
}


def shares(weights: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Contribution of a component to a spectrum, ||w_ik h_k||, divided by the sum over all.

    Parameters
    ----------
    weights : ndarray of shape (n_spectra, k)
    components : ndarray of shape (k, n_wave)

    Returns
    -------
    ndarray of shape (n_spectra, k)
        0 for a spectrum that no component contributes to.
    """
    contribution = weights * np.linalg.norm(components, axis=1)
    total = contribution.sum(axis=1, keepdims=True)
    return contribution / np.where(total > 0, total, 1)


def distances(
    components: np.ndarray, prototypes: np.ndarray, metric: str = "rms", signed: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of components to prototypes, and the signs of components that give them.

    Parameters
    ----------
    components : ndarray of shape (k, n_wave)
    prototypes : ndarray of shape (n_classes, n_wave)
    metric : {"rms", "angle"}, default "rms"
    signed : bool, default False
        The components' sign is free (eigenspectra); the one that lies closer is taken.

    Returns
    -------
    distances : ndarray of shape (k, n_classes)
    signs : ndarray of int, shape (k, n_classes)
        1 or -1.
    """
    as_is = METRICS[metric](components, prototypes)
    if not signed:
        return as_is, np.ones(as_is.shape, dtype=int)
    flipped = METRICS[metric](-components, prototypes)
    return np.minimum(as_is, flipped), np.where(as_is <= flipped, 1, -1)


def assign(distances: np.ndarray) -> Pairs:
    """Pairs (component, class) of least total distance, as two index arrays.

    distances : (k, n_classes). Pairs are one to one; if the numbers differ, some have no pair.
    """
    return linear_sum_assignment(distances)


def mean_distance(components: np.ndarray, others: np.ndarray, metric: str) -> float:
    """Mean distance of components (k, n_wave) to those of others (m, n_wave) assigned to them."""
    distance, _ = distances(components, others, metric)
    return float(distance[assign(distance)].mean())


def in_order_of(reference: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Components (k, n_wave) in the order of the reference's (k, n_wave) that match them."""
    distance, _ = distances(reference, components)
    places, found = assign(distance)
    return components[found[np.argsort(places)]]


def reach(
    prototypes: np.ndarray, spectra: np.ndarray, classes: np.ndarray, metric: str = "rms"
) -> np.ndarray:
    """The largest distance to a prototype at which a component can stand for its class.

    That is as far as the farthest spectrum of the class, or the nearest other prototype, where
    that is farther.

    Parameters
    ----------
    prototypes : ndarray of shape (n_classes, n_wave)
    spectra : ndarray of shape (n_spectra, n_wave)
    classes : ndarray of int, shape (n_spectra,)
        Of the spectra, as numbers of prototypes.
    metric : {"rms", "angle"}, default "rms"

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    between = METRICS[metric](prototypes, prototypes)
    np.fill_diagonal(between, np.inf)
    nearest = between.min(axis=1)
    own = [METRICS[metric](spectra[classes == j], p[None]) for j, p in enumerate(prototypes)]
    farthest = np.array([distance.max(initial=0) for distance in own])
    return np.maximum(farthest, np.where(np.isfinite(nearest), nearest, 0))


def doubtful(distances: np.ndarray, pairs: Pairs, reach: np.ndarray) -> np.ndarray:
    """Which assignments do not say what a component stands for.

    The component lies nearer to another prototype than to that of its class, or beyond the
    reach of its class.

    Parameters
    ----------
    distances : ndarray of shape (k, n_classes)
    pairs : tuple of two ndarray of int
        As `assign` returns them.
    reach : ndarray of shape (n_classes,)
        As `reach` returns it.

    Returns
    -------
    ndarray of bool, shape (n_pairs,)
    """
    components, classes = pairs
    own = distances[components, classes]
    return (distances[components].min(axis=1) < own) | (own > reach[classes])


def typical(
    flux: np.ndarray, reconstruction: np.ndarray, labels: list[str]
) -> tuple[dict[str, int], np.ndarray]:
    """The spectrum of each class whose relative residual is the median of its class.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        NaN where a value does not count.
    reconstruction : ndarray of shape (n_spectra, n_wave)
        What the components make of the spectra.
    labels : list of str
        The class of each spectrum.

    Returns
    -------
    rows : dict of int
        The number of that spectrum, by class.
    residual : ndarray of shape (n_spectra,)
        The root of the squares left over the root of the flux's.
    """
    left = np.nansum((flux - reconstruction) ** 2, axis=1)
    residual = np.sqrt(left / np.nansum(flux**2, axis=1))
    rows = {}
    for name in dict.fromkeys(labels):
        members = np.flatnonzero(np.asarray(labels) == name)
        ranked = members[np.argsort(residual[members], kind="stable")]
        rows[name] = int(ranked[(len(ranked) - 1) // 2])
    return rows, residual
