"""Residuals of a fit, and the influence of single spectra on its components."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from spectralunmix.uncertainty import jackknife

RANK = 1e-10  # relative to the largest singular value of the weights: smaller ones are rounding
ALONE = 1e-6  # where 1 - leverage is below this, the spectrum alone determines a component
EVERY = ""  # in place of the name of a class: all spectra


@dataclasses.dataclass(frozen=True, eq=False)
class Residuals:
    """The residual of each spectrum, and its influence on the fit.

    Attributes
    ----------
    relative : ndarray of shape (n_spectra,)
        sqrt(sum v (x - w H)^2 / sum v x^2), with v = 1 where there is no inverse variance.
    chi2 : ndarray of shape (n_spectra,) or None
        sum v (x - w H)^2 divided by the number of values that count; None where v is that of a
        mask alone.
    leverage : ndarray of shape (n_spectra,)
        Between 0 and 1, see `leverages`; they add up to the number of components.
    cook : ndarray of shape (n_spectra,)
        See `cook_distances`.
    """

    relative: np.ndarray
    chi2: np.ndarray | None
    leverage: np.ndarray
    cook: np.ndarray


def residuals(
    flux: np.ndarray,
    weights: np.ndarray,
    components: np.ndarray,
    inverse_variance: np.ndarray | None = None,
    uncertain: bool = False,
) -> Residuals:
    """The residual of each spectrum, and its influence on the fit.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    weights : ndarray of shape (n_spectra, k)
    components : ndarray of shape (k, n_wave)
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value, 0 where masked.
    uncertain : bool, default False
        Whether the inverse variance is that of the noise, and not of a mask alone.

    Returns
    -------
    Residuals
    """
    v = np.ones(flux.shape) if inverse_variance is None else inverse_variance
    counts = v > 0
    squares = _squares_left(flux, weights, components, v)
    whole = np.sum(v * np.where(counts, flux, 0) ** 2, axis=1)
    leverage = leverages(weights, inverse_variance)
    chi2 = squares / np.maximum(counts.sum(axis=1), 1) if uncertain else None
    return Residuals(
        relative=np.sqrt(squares / np.where(whole > 0, whole, 1)),
        chi2=chi2,
        leverage=leverage,
        cook=cook_distances(squares, leverage, int(counts.sum()), counts.any(axis=0).sum()),
    )


def _squares_left(
    flux: np.ndarray, weights: np.ndarray, components: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """sum v (x - w H)^2 of each spectrum; masked values may be NaN."""
    left = np.where(v > 0, flux - weights @ components, 0)
    return np.sum(v * left**2, axis=1)


def leverages(weights: np.ndarray, inverse_variance: np.ndarray | None = None) -> np.ndarray:
    """The leverage of each spectrum: its share in its own fit.

    In each channel the components are a regression of the fluxes on the weights W. The leverage is
    the diagonal of the hat matrix W (W' W)^-1 W'. With inverse variance it is that of
    V^1/2 W (W' V W)^-1 W' V^1/2, where V is the inverse variance in the channel.

    Parameters
    ----------
    weights : ndarray of shape (n_spectra, k)
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None

    Returns
    -------
    ndarray of shape (n_spectra,)
        The mean over the channels in which some spectrum counts; a masked value has leverage 0.
    """
    k = weights.shape[1]
    v = np.ones((len(weights), 1)) if inverse_variance is None else inverse_variance
    largest = v.max(axis=0)
    v = v[:, largest > 0] / largest[largest > 0]
    scale = weights.max(axis=0)  # units of components change rounding alone
    scaled = weights / np.where(scale > 0, scale, 1)
    products = (scaled[:, :, None] * scaled[:, None]).reshape(len(weights), k * k)
    gram = (v.T @ products).reshape(-1, k, k)
    inverse = np.linalg.pinv(gram, rcond=RANK, hermitian=True).reshape(-1, k * k)
    return np.clip((v * (products @ inverse.T)).mean(axis=1), 0, 1)


def cook_distances(
    squares: np.ndarray, leverage: np.ndarray, n_pixels: int, n_wave: int
) -> np.ndarray:
    """Cook's distance (1977) of each spectrum, as if the fit were a regression on the weights.

    It is h / (1 - h)^2 times the squared residuals of the spectrum, divided by k times their
    expectation, with the leverage h. It is large where a spectrum has much influence and is
    explained badly.

    Parameters
    ----------
    squares : ndarray of shape (n_spectra,)
        The sum of squared residuals of each spectrum, times the inverse variance.
    leverage : ndarray of shape (n_spectra,)
    n_pixels, n_wave : int
        Number of values that count, and number of channels.

    Returns
    -------
    ndarray of shape (n_spectra,)
        Infinite where the leverage is 1, because a component describes that spectrum alone.
    """
    k = max(leverage.sum(), 1.0)
    expected = k * n_wave * squares.sum() / max(n_pixels - k * n_wave, 1)
    free = 1 - leverage
    alone = free < ALONE
    distance = leverage * squares / np.where(alone, 1, free) ** 2
    return np.where(alone, np.inf, distance / (expected if expected > 0 else 1))


@dataclasses.dataclass(frozen=True, eq=False)
class Influence:
    """The changes of components when spectra are left out, one at a time.

    Attributes
    ----------
    changes : ndarray of shape (n_spectra, k)
        The root mean square change of each component over wavelength, components divided by their
        maximum; NaN for spectra that were not left out.
    spectrum, component : int
        The spectrum that moves a component most, and which; -1 where none was left out.
    without : ndarray of shape (n_wave,)
        That component without that spectrum, its maximum 1.
    """

    changes: np.ndarray
    spectrum: int
    component: int
    without: np.ndarray


def influence(
    flux: np.ndarray,
    weights: np.ndarray,
    components: np.ndarray,
    cook: np.ndarray,
    *,
    smoothness: float,
    inverse_variance: np.ndarray | None,
    most_left_out: int,
    max_iter: int,
) -> Influence:
    """Leave spectra out in turn; where there are many, those with the largest Cook distance.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    weights : ndarray of shape (n_spectra, k)
    components : ndarray of shape (k, n_wave)
        Those of the fit. One that a single spectrum has any weight of is gone without it: all
        zero, which is not what a fit without data for it would say.
    cook : ndarray of shape (n_spectra,)
        See `cook_distances`.
    smoothness, inverse_variance, max_iter
        As in `jackknife`.
    most_left_out : int
        How many at most.

    Returns
    -------
    Influence
    """
    full = components / np.maximum(components.max(axis=1, keepdims=True), np.finfo(float).tiny)
    changes = np.full((len(flux), len(components)), np.nan)
    if len(flux) == 1:
        return Influence(changes, -1, -1, np.full(flux.shape[1], np.nan))
    rows = np.sort(np.argsort(-cook, kind="stable")[:most_left_out])
    found = jackknife(
        flux,
        components,
        smoothness=smoothness,
        inverse_variance=inverse_variance,
        left_out=rows.tolist(),
        max_iter=max_iter,
    )
    moved = np.sqrt(np.mean((found - full) ** 2, axis=2))
    changes[rows] = moved
    row, component = np.unravel_index(int(np.argmax(moved)), moved.shape)
    return Influence(changes, int(rows[row]), int(component), found[row, component])


def over_wavelength(
    flux: np.ndarray,
    weights: np.ndarray,
    components: np.ndarray,
    classes: Sequence[str],
    inverse_variance: np.ndarray | None = None,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The root mean square and the mean of the residuals in each channel, by class and of all.

    Parameters
    ----------
    flux, weights, components, inverse_variance
        As in `residuals`.
    classes : sequence of str
        Of each spectrum.

    Returns
    -------
    dict of pairs of ndarray of shape (n_wave,)
        By class, in the order of the classes, and under EVERY those of all spectra. The inverse
        variance weighs the means; NaN where no spectrum of the class has the channel.
    """
    v = np.ones(flux.shape) if inverse_variance is None else inverse_variance
    left = np.where(v > 0, flux - weights @ components, 0)
    labels, found = np.asarray(classes), {}
    for name in [*dict.fromkeys(labels.tolist()), EVERY]:
        rows = np.ones(len(labels), bool) if name == EVERY else labels == name
        total = v[rows].sum(axis=0)
        total = np.where(total > 0, total, np.nan)
        squares, mean = (np.sum(v[rows] * left[rows] ** p, axis=0) / total for p in (2, 1))
        found[name] = np.sqrt(squares), mean
    return found
