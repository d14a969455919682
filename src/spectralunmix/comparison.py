"""Components against class prototypes: distances and the one-to-one assignment."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def root_mean_square(spectra, others):
    """(n, m): root mean square difference of spectra (n, n_wave) and others (m, n_wave).

    Each is divided by its largest absolute flux first.  An empty one is a flux of zero.
    """
    a, b = (_divided(x, np.abs(x).max(axis=1)) for x in (spectra, others))
    return np.sqrt(np.square(a[:, None] - b[None]).mean(axis=2))


def spectral_angle(spectra, others):
    """(n, m): angle in radians between spectra (n, n_wave) and others (m, n_wave).

    An empty one is at right angles to all.
    """
    a, b = (_divided(x, np.linalg.norm(x, axis=1)) for x in (spectra, others))
    # 2 atan2 keeps small angles exact, where arccos of a cosine near 1 does not.
    return 2 * np.arctan2(
        np.linalg.norm(a[:, None] - b[None], axis=2), np.linalg.norm(a[:, None] + b[None], axis=2)
    )


def shares(weights, components):
    """(n_spectra, k): what a component contributes, ||w_ik h_k||, over the sum of them all.

    weights : (n_spectra, k); components : (k, n_wave).  0 for a spectrum that none contributes to.
    """
    contribution = weights * np.linalg.norm(components, axis=1)
    total = contribution.sum(axis=1, keepdims=True)
    return contribution / np.where(total > 0, total, 1)


def _divided(spectra, by):
    """Spectra (n, n_wave) over by (n,); a spectrum that is zero throughout stays so."""
    return spectra / np.where(by > 0, by, 1)[:, None]


METRICS = {"rms": root_mean_square, "angle": spectral_angle}


def distances(components, prototypes, metric="rms", signed=False):
    """Distances (k, n_classes) and the signs (k, n_classes) at which they hold.

    components : (k, n_wave); prototypes : (n_classes, n_wave)
    metric : "rms" or "angle"
    signed : the components' sign is free (eigenspectra); the one that lies closer is taken
    """
    as_is = METRICS[metric](components, prototypes)
    if not signed:
        return as_is, np.ones(as_is.shape, dtype=int)
    flipped = METRICS[metric](-components, prototypes)
    return np.minimum(as_is, flipped), np.where(as_is <= flipped, 1, -1)


def assign(distances):
    """Pairs (component, class) of least total distance, as two index arrays.

    distances : (k, n_classes).  One to one; where the numbers differ the surplus stays out.
    """
    return linear_sum_assignment(distances)


def reach(prototypes, spectra, classes, metric="rms"):
    """(n_classes,): how far from a prototype a component may lie and still stand for its class.

    That is as far as the farthest spectrum of the class, or the nearest other prototype, where
    that is farther.

    prototypes : (n_classes, n_wave); spectra : (n_spectra, n_wave)
    classes : (n_spectra,) of the spectra, numbers of prototypes
    """
    between = METRICS[metric](prototypes, prototypes)
    np.fill_diagonal(between, np.inf)
    nearest = between.min(axis=1)
    own = [METRICS[metric](spectra[classes == j], p[None]) for j, p in enumerate(prototypes)]
    farthest = np.array([distance.max(initial=0) for distance in own])
    return np.maximum(farthest, np.where(np.isfinite(nearest), nearest, 0))


def doubtful(distances, pairs, reach):
    """(n_pairs,) bool: assignments that do not say what a component stands for.

    The component lies nearer to another prototype than to that of its class, or beyond the
    reach of its class.

    distances : (k, n_classes); pairs : as `assign` returns them; reach : (n_classes,)
    """
    components, classes = pairs
    own = distances[components, classes]
    return (distances[components].min(axis=1) < own) | (own > reach[classes])
