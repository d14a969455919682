"""cross_validate: held-out errors over numbers of components and smoothnesses."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import RandomState

from .comparison import mean_distance
from .factorisation import misfit
from .held_out import folds, held_out_errors
from .inputs import Array, for_dask, in_memory, of_cluster
from .nmf import solver, starts
from .nmf.checks import (
    check_at_least_zero,
    check_rank,
    check_smoothness,
    check_whole_number,
    spectra_of,
)
from .nmf.data import Spectra
from .nmf.resamples import counted_fits
from .threads import threads_for

STANDARD_ERRORS = 2.0  # where only m spectra gain, equally, the mean gain is about sqrt(m) of them
NEAR = 1e-4  # relative to the lowest objective: a fit that is no further above it is as good
EXACT = 1e-10  # of the sum of squares: below it differences of NEAR are rounding


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """What `cross_validate` found: held-out errors, and how stable the fits are.

    Attributes
    ----------
    n_components : ndarray of shape (n_k,)
        The numbers of components.
    smoothness : ndarray of shape (n_smoothness,)
        The smoothnesses.
    errors : ndarray of shape (n_k, n_smoothness, n_spectra)
        The held-out error of each spectrum: the mean of v (x - w H)^2 over its channels with
        inverse variance v > 0. Half of the channels count only where the other half has at least
        k of them, to find the weights from; NaN where neither half counts.
    reduced_chi2 : ndarray of shape (n_k, n_smoothness)
        Of the best fit of all spectra: sum v (x - w H)^2, divided by the number of values with
        v > 0 less the number of parameters, k (n_spectra + n_wave - k). It is a chi^2 where v is
        that of the noise, and not a mask; NaN without inverse variance.
    subsample_distance : ndarray of shape (n_k, n_smoothness)
        Mean distance of the components of the folds' fits to those of the fit of all spectra.
    start_distance : ndarray of shape (n_k, n_smoothness)
        Mean distance of the components from other starts to those from the best start.
    same_minimum : ndarray of shape (n_k, n_smoothness)
        Share of the other starts whose objective is within 1e-4 of the best.
    n_not_converged : ndarray of int, shape (n_k, n_smoothness)
        Number of fits that stopped before their tolerance.

    Examples
    --------
    >>> from spectralunmix import cross_validate
    >>> cross_validate([[1, 2], [2, 2], [2, 1]], [1], [0.0], n_folds=3).errors.shape
    (1, 1, 3)
    """

    n_components: np.ndarray
    smoothness: np.ndarray
    errors: np.ndarray
    reduced_chi2: np.ndarray
    subsample_distance: np.ndarray
    start_distance: np.ndarray
    same_minimum: np.ndarray
    n_not_converged: np.ndarray

    def __repr__(self) -> str:
        k, smoothness = self.chosen()
        return (
            f"<CrossValidation of {self.errors.shape[2]} spectra over {self.n_components.tolist()} "
            f"components and smoothnesses {self.smoothness.tolist()}; chosen: "
            f"{self.n_components[k]}, {self.smoothness[smoothness]:g}>"
        )

    @property
    def mean(self) -> np.ndarray:
        """The mean held-out error over spectra, ndarray of shape (n_k, n_smoothness)."""
        return np.nanmean(self.errors, axis=2)

    @property
    def standard_error(self) -> np.ndarray:
        """The standard error of `mean`, ndarray of shape (n_k, n_smoothness)."""
        return standard_error(self.errors)

    def least(self) -> tuple[int, int]:
        """Where the mean error is least: indices of `n_components` and of `smoothness`."""
        k, smoothness = np.unravel_index(self.mean.argmin(), self.mean.shape)
        return int(k), int(smoothness)

    def chosen(self, n_standard_errors: float = STANDARD_ERRORS) -> tuple[int, int]:
        """Choose the fewest components that explain held-out spectra, and their smoothness.

        The fewest are chosen whose mean error, at their best smoothness, exceeds the least by at
        most so many standard errors of the difference, taken spectrum by spectrum; then the
        largest smoothness in the same way. Breiman et al. (1984) allow one, without pairing.

        Parameters
        ----------
        n_standard_errors : float, default 2.0
            How many standard errors are allowed. With 1, a single spectrum can decide.

        Returns
        -------
        tuple of int
            Indices of `n_components` and of `smoothness`.
        """
        best = self.errors[self.least()]
        at = self.mean.argmin(axis=1)
        of_k = self.errors[np.arange(len(at)), at]
        k = int(np.flatnonzero(_within(of_k, best, n_standard_errors))[0])
        smoothness = int(np.flatnonzero(_within(self.errors[k], of_k[k], n_standard_errors))[-1])
        return k, smoothness

    @classmethod
    def joined(cls, parts: Sequence["CrossValidation"]) -> "CrossValidation":
        """Join the results of calls with different n_components.

        Parameters
        ----------
        parts : sequence of CrossValidation
            Of the same spectra and smoothness, one or several n_components each.

        Returns
        -------
        CrossValidation
            With all n_components, in rising order.
        """
        order = np.argsort([part.n_components[0] for part in parts])
        fields = [field.name for field in dataclasses.fields(cls) if field.name != "smoothness"]
        values = {name: np.concatenate([getattr(parts[i], name) for i in order]) for name in fields}
        return cls(smoothness=parts[0].smoothness, **values)


class Folds(NamedTuple):
    """What all fits of a cross-validation share."""

    held: list[np.ndarray]  # which spectra each fold holds out, (n_spectra,) bool
    n_repeats: int  # divisions into folds: each has every spectrum in one of its folds
    smoothness: np.ndarray
    init: str
    random_state: int  # of init
    seeds: list[int]  # of the other starts
    max_iter: int
    tol: float


def cross_validate(
    X: Array,
    n_components: Sequence[int],
    smoothness: Sequence[float],
    *,
    inverse_variance: Array | None = None,
    classes: Sequence[Any] | None = None,
    n_folds: int = 5,
    n_repeats: int = 3,
    n_starts: int = 4,
    init: str = "nndsvd",
    max_iter: int = 2000,
    tol: float = 1e-6,
    random_state: int = 0,
) -> CrossValidation:
    """Find the held-out error of each spectrum over numbers of components and smoothnesses.

    Each fold of spectra is held out in turn, and the components are fitted to the others. The
    channels are divided into ten segments. The weights of a held-out spectrum are found from
    every second segment, without penalty, and its error is that of the other segments; then the
    other way round. Single pixels cannot be held out: neighbouring channels are alike, and
    smoothness fills them in.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, in memory; or a Dask array, where there is a `distributed.Client`.
    n_components : sequence of int
        Numbers of components, in rising order.
    smoothness : sequence of float
        Smoothnesses, in rising order.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X; with it, an error is a chi^2 per value. None is
        1 throughout.
    classes : sequence or None, default None
        The class of each spectrum, (n_spectra,). Every fold gets its share of each class.
    n_folds : int, default 5
        Number of folds, from 2 to the number of spectra.
    n_repeats : int, default 3
        Number of divisions into folds; an error is the mean over them, and depends less on chance.
    n_starts : int, default 4
        Number of random starts for the fit of all spectra, beside `init`; 0 leaves them out.
    init : {"nndsvd", "spa", "random"}, default "nndsvd"
        The start of every fit.
    max_iter : int, default 2000
        Largest number of iterations of a fit.
    tol : float, default 1e-6
        A fit stops where its optimality is at most this.
    random_state : int, default 0
        Seed of the folds and of random starts.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ClusterLostError
        The workers of a Dask array are lost.
    ValueError
        Data or parameters are not what `smooth_nmf` takes; the values do not rise; or there are
        too few spectra for the folds or the components.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import cross_validate
    >>> rng = np.random.default_rng(0)
    >>> pure = np.stack([np.sin(np.linspace(0, 3, 50)), np.linspace(0, 1, 50) ** 2])
    >>> spectra = rng.random((40, 2)) @ pure + 0.01 * rng.standard_normal((40, 50))
    >>> result = cross_validate(spectra, [1, 2, 3], [0.0, 1.0], n_folds=3, n_repeats=1)
    >>> k, _ = result.chosen()
    >>> int(result.n_components[k])
    2
    """
    values = np.asarray(smoothness, dtype=float)
    _check(n_components, smoothness, init)
    for name, value in (("n_folds", n_folds), ("n_repeats", n_repeats), ("max_iter", max_iter)):
        check_whole_number(name, value)
    for name, value in (("n_starts", n_starts), ("random_state", random_state)):
        check_whole_number(name, value, least=0)
    check_at_least_zero("tol", tol)
    on_cluster = of_cluster(X)
    if on_cluster:
        X, inverse_variance = for_dask("arrays").checked(X, inverse_variance)
    else:
        X = in_memory(X, inverse_variance)
    if not 2 <= n_folds <= len(X):
        raise ValueError(f"n_folds={n_folds}: 2 to the number of spectra, {len(X)}, is needed")
    rng = np.random.default_rng(random_state)
    divisions = [folds(len(X), n_folds, classes, rng) for _ in range(n_repeats)]
    held = [division == fold for division in divisions for fold in range(n_folds)]
    left = len(X) - int(max(map(np.sum, held)))
    if max(n_components) > left:
        raise ValueError(
            f"n_components={max(n_components)} is more than the {left} spectra that are left where "
            f"one of n_folds={n_folds} is held out"
        )
    check_rank(max(n_components), X.shape)
    if X.shape[1] < 2:
        raise ValueError("X has one channel: cross_validate needs others, to find the weights from")
    seeds = [random_state + 1 + start for start in range(n_starts)]
    plan = Folds(held, n_repeats, values, init, random_state, seeds, max_iter, tol)
    if on_cluster:
        return for_dask("resampled").cross_validation(X, inverse_variance, plan, n_components)
    with threads_for(X):
        spectra = spectra_of(X, inverse_variance, "cpu", torch.float64)
        return cross_validation_of(spectra, plan, n_components)


def cross_validation_of(
    spectra: Spectra, plan: Folds, n_components: Sequence[int]
) -> CrossValidation:
    """`cross_validate` in a process: its errors are those of this process's spectra."""
    return CrossValidation.joined([_of_k(spectra, plan, k) for k in n_components])


def _check(n_components: Sequence[int], smoothness: Sequence[float], init: str) -> None:
    """ValueError : a value is out of its range, or the values do not rise."""
    for k in n_components:
        check_whole_number("n_components", k)
    for value in smoothness:
        check_smoothness(value)
    for name, values in (("n_components", n_components), ("smoothness", smoothness)):
        if len(values) == 0 or (np.diff(values) <= 0).any():
            raise ValueError(f"{name}={values!r}: one value or more, rising, is needed")
    if init not in starts.NAMES:
        raise ValueError(f"init={init!r}: 'nndsvd', 'spa' or 'random' is needed")


def _of_k(spectra: Spectra, plan: Folds, k: int) -> CrossValidation:
    """The part of the result for k components: all its fits make a single batch."""
    fits = _fits(spectra, plan, k)  # (n_folds * n_repeats + 1 + n_starts, n_smoothness)
    whole = len(plan.held)  # the row of the fit of all spectra
    errors = np.zeros((len(plan.smoothness), spectra.shape[0]))
    for held, row in zip(plan.held, fits, strict=False):
        H = np.stack([fit.H for fit in row])
        errors[:, held] += held_out_errors(spectra, held, H) / plan.n_repeats
    columns = list(zip(*fits, strict=True))  # by smoothness
    squares = float(spectra.sum_of_squares)
    components = [[fit.H for fit in column] for column in columns]
    by_smoothness = {
        "reduced_chi2": [_reduced_chi2(spectra, _lowest(column[whole:])) for column in columns],
        "subsample_distance": [_mean_distance(H[:whole], H[whole]) for H in components],
        "start_distance": [_from_best(column[whole:]) for column in columns],
        "same_minimum": [_share_of_best(column[whole:], squares) for column in columns],
        "n_not_converged": [sum(not fit.converged for fit in column) for column in columns],
    }
    arrays = {name: np.array([values]) for name, values in by_smoothness.items()}
    errors = spectra.scale.of_squares(errors)[None]
    return CrossValidation(np.array([k]), plan.smoothness, errors, **arrays)


def _reduced_chi2(spectra: Spectra, fit: solver.Fit) -> float:
    """`CrossValidation.reduced_chi2`; spectra and channels with v = 0 throughout do not count."""
    V = next(spectra.blocks()).V
    if V is None:
        return np.nan
    counts, k = V > 0, len(fit.H)
    n_spectra, n_pixels = spectra.comm.all_reduce(counts.any(dim=1).sum(), counts.sum())
    n_wave = int(spectra.comm.any(counts.any(dim=0)).sum())
    free = int(n_pixels) - k * (int(n_spectra) + n_wave - k)
    chi2 = float(spectra.scale.of_squares(misfit(spectra, fit.W, fit.H)))
    return chi2 / free if free > 0 else np.nan


def _mean_distance(components: list[np.ndarray], others: np.ndarray) -> float:
    """The mean distance of sets of components (k, n_wave) to others, after matching."""
    return float(np.mean([mean_distance(own, others, "rms") for own in components]))


def _from_best(of_starts: Sequence[solver.Fit]) -> float:
    """Mean distance of the components to those of the best start; NaN without another start."""
    best = _lowest(of_starts)
    others = [fit.H for fit in of_starts if fit is not best]
    return _mean_distance(others, best.H) if others else np.nan


def _share_of_best(of_starts: Sequence[solver.Fit], squares: float) -> float:
    """Share of the other starts that end as low as the best; NaN without another start."""
    best = _lowest(of_starts)
    low = [above(fit.F, best.F, squares) <= NEAR for fit in of_starts if fit is not best]
    return float(np.mean(low)) if low else np.nan


def _lowest(of_starts: Sequence[solver.Fit]) -> solver.Fit:
    return min(of_starts, key=lambda fit: fit.F)


def above(objective: float, least: float, squares: float) -> float:
    """How far an objective is above the lowest, relative to it where the fit is not exact.

    squares : sum of squares of the spectra, times the inverse variance if there is one
    """
    return (objective - least) / max(least, EXACT * squares)


def _fits(spectra: Spectra, plan: Folds, k: int) -> list[list[solver.Fit]]:
    """At each smoothness: fits without each fold, of all spectra, and from the other starts."""
    counts = [~held for held in plan.held]
    H = []
    for seen in (*counts, np.ones(spectra.shape[0], dtype=bool)):
        H.append(starts.named(spectra.rows(seen), plan.init, k, rng=RandomState(plan.random_state)))
    for seed in plan.seeds:
        H.append(starts.named(spectra, "random", k, rng=RandomState(seed)))
    counts += [np.ones(spectra.shape[0], dtype=bool)] * (1 + len(plan.seeds))
    n, lam = len(plan.smoothness), np.tile(plan.smoothness, len(H))
    repeated = np.repeat(np.stack(counts), n, axis=0), np.repeat(np.concatenate(H), n, axis=0)
    fits = list(counted_fits(spectra, *repeated, lam, plan.max_iter, plan.tol))
    return [fits[first : first + n] for first in range(0, len(fits), n)]


def _within(errors: np.ndarray, best: np.ndarray, n_standard_errors: float) -> np.ndarray:
    """Which errors (n, n_spectra) exceed the best by at most so many standard errors."""
    excess = errors - best
    return np.nanmean(excess, axis=1) <= n_standard_errors * standard_error(excess)


def standard_error(values: np.ndarray) -> np.ndarray:
    """The standard error of the mean over the last axis."""
    n = np.isfinite(values).sum(axis=-1)
    return np.nanstd(values, axis=-1, ddof=1) / np.sqrt(n)
