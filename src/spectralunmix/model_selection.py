"""cross_validate: how well components of some spectra explain others, over k and smoothness."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from .comparison import mean_distance
from .factorisation import misfit
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

SEGMENTS = 10  # of the channels: weights are found from every second one, errors are of the others
# Where one spectrum alone gains, the mean gain is one standard error exactly, however large it is:
# a rule of one standard error would leave the choice to it. Of m equal gains it is about sqrt(m).
STANDARD_ERRORS = 2.0
NEAR = 1e-4  # above the lowest objective, relative to it: as good a fit
EXACT = 1e-10  # of the sum of squares: of an objective below it NEAR is rounding


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Errors of spectra that a fit has not seen, and what else tells of its components.

    Attributes
    ----------
    n_components : ndarray of shape (n_k,)
        The numbers of components.
    smoothness : ndarray of shape (n_smoothness,)
        The smoothnesses.
    errors : ndarray of shape (n_k, n_smoothness, n_spectra)
        Of each spectrum, where it was held out, the mean of v (x - w H)^2 over its channels of
        weight above 0, those of a half left out whose other half has too few to find
        the weights from; NaN where it has none.
    reduced_chi2 : ndarray of shape (n_k, n_smoothness)
        Of the fit of all spectra, sum v (x - w H)^2 over the number of pixels with weight less
        that of parameters, k (n_spectra + n_wave - k); of the lowest start; NaN without inverse
        variance. It is a chi^2 where this is of uncertainties, and not a mask.
    subsample_distance : ndarray of shape (n_k, n_smoothness)
        Mean distance of the components of each fold's fit to those of the fit of all spectra.
    start_distance : ndarray of shape (n_k, n_smoothness)
        Mean distance of the components from other starts to those of the best; NaN without.
    same_minimum : ndarray of shape (n_k, n_smoothness)
        Share of the other starts whose objective is within 1e-4 of the best; NaN without.
    n_not_converged : ndarray of int, shape (n_k, n_smoothness)
        How many of the fits stopped before their tolerance.
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
        """The mean error over spectra, (n_k, n_smoothness)."""
        return np.nanmean(self.errors, axis=2)

    @property
    def standard_error(self) -> np.ndarray:
        """Of the mean, over spectra, (n_k, n_smoothness)."""
        return standard_error(self.errors)

    def least(self) -> tuple[int, int]:
        """Where the mean error is least: places in `n_components` and `smoothness`."""
        k, smoothness = np.unravel_index(self.mean.argmin(), self.mean.shape)
        return int(k), int(smoothness)

    def chosen(self, n_standard_errors: float = STANDARD_ERRORS) -> tuple[int, int]:
        """The fewest components that do, and their smoothness: places in both.

        The fewest components whose error, at their best smoothness, is within two standard errors
        of the least; the standard error is that of the difference, spectrum by spectrum.  Then the
        largest smoothness within as many of the least error with so many components.  The rule of
        Breiman et al. (1984) is of one, unpaired.

        Parameters
        ----------
        n_standard_errors : float, default 2.0
            How many standard errors. With one, a single spectrum can decide.
        """
        best = self.errors[self.least()]
        at = self.mean.argmin(axis=1)
        of_k = self.errors[np.arange(len(at)), at]
        k = int(np.flatnonzero(_within(of_k, best, n_standard_errors))[0])
        smoothness = int(np.flatnonzero(_within(self.errors[k], of_k[k], n_standard_errors))[-1])
        return k, smoothness

    @classmethod
    def joined(cls, parts: Sequence["CrossValidation"]) -> "CrossValidation":
        """Those of several calls that differ in n_components alone, by these."""
        order = np.argsort([part.n_components[0] for part in parts])
        fields = [field.name for field in dataclasses.fields(cls) if field.name != "smoothness"]
        values = {name: np.concatenate([getattr(parts[i], name) for i in order]) for name in fields}
        return cls(smoothness=parts[0].smoothness, **values)


class Folds(NamedTuple):
    """What all fits of a cross-validation share."""

    held: list[np.ndarray]  # which spectra each fold holds out, (n_spectra,) bool
    n_repeats: int  # of which each spectrum is in one fold
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
    """Errors of spectra that a fit has not seen, over numbers of components and smoothnesses.

    Whole spectra are held out, a fold at a time.  The components are those of the others.  The
    weights of a held-out spectrum are found from every second tenth of its channels, without
    penalty, and its error is that of the other tenths; then the other way round.  Single pixels
    would not do: neighbouring channels are alike, and smoothness fills them in.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, in memory; or a Dask array, where there is a `distributed.Client`.
    n_components : sequence of int
        Numbers of components, rising.
    smoothness : sequence of float
        Smoothnesses, rising.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        Weights of the pixels. With them an error is a chi^2 over the number of its pixels.
    classes : sequence or None, default None
        What each spectrum is, (n_spectra,): every fold has its share of each class.
    n_folds : int, default 5
        Parts that the spectra are divided into.
    n_repeats : int, default 3
        How often, each time otherwise; a spectrum's error is the mean. Where few spectra carry a
        component, one division alone decides by chance.
    n_starts : int, default 4
        Random starts of the fit of all spectra, beside `init`, to see whether they end alike;
        0 leaves them out.
    init : {"nndsvd", "spa", "random"}, default "nndsvd"
        The components that a fit begins with, the random ones of `random_state`.
    max_iter, tol
        As in `smooth_nmf`.
    random_state : int, default 0
        Seed of the folds and the starts.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ValueError
        As in `smooth_nmf`; numbers of components or smoothnesses that do not rise; fewer spectra
        than folds, or than components in the others.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import cross_validate
    >>> rng = np.random.default_rng(0)
    >>> pure = np.stack([np.sin(np.linspace(0, 3, 50)), np.linspace(0, 1, 50) ** 2])
    >>> spectra = rng.random((40, 2)) @ pure + 0.01 * rng.standard_normal((40, 50))
    >>> found = cross_validate(spectra, [1, 2, 3], [0.0, 1.0])
    >>> k, _ = found.chosen()
    >>> int(found.n_components[k])
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
    held = [fold == each for fold in divisions for each in range(n_folds)]
    left = len(X) - int(max(map(np.sum, held)))
    if max(n_components) > left:
        raise ValueError(
            f"n_components={max(n_components)} is more than the {left} spectra that are left where "
            f"one of n_folds={n_folds} is held out"
        )
    check_rank(max(n_components), X.shape)
    if X.shape[1] < 2:
        raise ValueError("one channel: cross_validate needs others to find the weights from")
    seeds = [random_state + 1 + start for start in range(n_starts)]
    of = Folds(held, n_repeats, values, init, random_state, seeds, max_iter, tol)
    if on_cluster:
        return for_dask("resampled").cross_validation(X, inverse_variance, of, n_components)
    with threads_for(X):
        spectra = spectra_of(X, inverse_variance, "cpu", torch.float64)
        return cross_validation_of(spectra, of, n_components)


def cross_validation_of(
    spectra: Spectra, of: Folds, n_components: Sequence[int]
) -> CrossValidation:
    """`cross_validate`, its errors those of the spectra that this process has."""
    return CrossValidation.joined([_of_k(spectra, of, k) for k in n_components])


def _check(n_components: Sequence[int], smoothness: Sequence[float], init: str) -> None:
    """ValueError : a value is out of its range, or the values do not rise."""
    for k in n_components:
        check_whole_number("n_components", k)
    for value in smoothness:
        check_smoothness(value)
    for name, of in (("n_components", n_components), ("smoothness", smoothness)):
        if len(of) == 0 or (np.diff(of) <= 0).any():
            raise ValueError(f"{name}={of!r}: one value or more, rising, is needed")
    if init not in starts.NAMES:
        raise ValueError(f"init={init!r}: 'nndsvd', 'spa' or 'random' is needed")


def folds(
    n: int, n_folds: int, classes: Sequence[Any] | None, rng: np.random.Generator
) -> np.ndarray:
    """The fold of each of n spectra, (n,): as many of each class in every fold as can be.

    ValueError : not a class for each spectrum
    """
    order = rng.permutation(n)
    if classes is not None:
        if np.shape(classes) != (n,):
            raise ValueError(f"classes: one for each of the {n} spectra is needed")
        _, which = np.unique(np.asarray(classes), return_inverse=True)
        order = order[np.argsort(which[order], kind="stable")]
    fold = np.empty(n, dtype=int)
    fold[order] = np.arange(n) % n_folds
    return fold


def _of_k(spectra: Spectra, of: Folds, k: int) -> CrossValidation:
    """The part of one number of components: all its fits are one batch."""
    fits = _fits(spectra, of, k)  # (n_folds * n_repeats + 1 + n_starts, n_smoothness)
    whole = len(of.held)  # the row of the fit of all spectra
    errors = np.zeros((len(of.smoothness), spectra.shape[0]))
    for held, row in zip(of.held, fits, strict=False):
        H = np.stack([fit.H for fit in row])
        errors[:, held] += held_out_errors(spectra, held, H) / of.n_repeats
    columns = list(zip(*fits, strict=True))
    squares = float(spectra.sum_of_squares)
    components = [[fit.H for fit in column] for column in columns]
    found = {
        "reduced_chi2": [_reduced_chi2(spectra, _lowest(column[whole:])) for column in columns],
        "subsample_distance": [_mean_distance(H[:whole], H[whole]) for H in components],
        "start_distance": [_from_best(column[whole:]) for column in columns],
        "same_minimum": [_share_of_best(column[whole:], squares) for column in columns],
        "n_not_converged": [sum(not fit.converged for fit in column) for column in columns],
    }
    errors = spectra.scale.of_squares(errors)
    by_smoothness = {name: np.array([values]) for name, values in found.items()}
    return CrossValidation(np.array([k]), of.smoothness, errors[None], **by_smoothness)


def _reduced_chi2(spectra: Spectra, fit: solver.Fit) -> float:
    """chi^2 of a fit over its degrees of freedom; NaN without weights, or where none are left.

    Spectra and channels without any weight count for none.
    """
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
    """Of several sets of components (k, n_wave) to those of others, matched."""
    return float(np.mean([mean_distance(own, others, "rms") for own in components]))


def _from_best(of_starts: Sequence[solver.Fit]) -> float:
    """Mean distance of the components to those of the start of least objective; NaN for one."""
    best = _lowest(of_starts)
    others = [fit.H for fit in of_starts if fit is not best]
    return _mean_distance(others, best.H) if others else np.nan


def _share_of_best(of_starts: Sequence[solver.Fit], squares: float) -> float:
    """Share of the other starts that end as low as the best; NaN for one."""
    best = _lowest(of_starts)
    low = [above(fit.F, best.F, squares) <= NEAR for fit in of_starts if fit is not best]
    return float(np.mean(low)) if low else np.nan


def _lowest(of_starts: Sequence[solver.Fit]) -> solver.Fit:
    return min(of_starts, key=lambda fit: fit.F)


def above(objective: float, least: float, squares: float) -> float:
    """How far an objective is above the lowest, relative to it where the fit is not exact.

    squares : sum of squares of the spectra, times their weights where there are some
    """
    return (objective - least) / max(least, EXACT * squares)


def _fits(spectra: Spectra, of: Folds, k: int) -> list[list[solver.Fit]]:
    """Of each fold's others, of all spectra, and of all from other starts; at each smoothness."""
    counts = [~held for held in of.held]
    H = []
    for seen in (*counts, np.ones(spectra.shape[0], dtype=bool)):
        rng = np.random.RandomState(of.random_state)
        H.append(starts.named(spectra.rows(seen), of.init, k, rng=rng))
    for seed in of.seeds:
        H.append(starts.named(spectra, "random", k, rng=np.random.RandomState(seed)))
    counts += [np.ones(spectra.shape[0], dtype=bool)] * (1 + len(of.seeds))
    each = len(of.smoothness)
    of_each = np.repeat(np.stack(counts), each, axis=0), np.repeat(np.concatenate(H), each, axis=0)
    lam = np.tile(of.smoothness, len(H))
    found = list(counted_fits(spectra, *of_each, lam, of.max_iter, of.tol))
    return [found[first : first + each] for first in range(0, len(found), each)]


def held_out_errors(spectra: Spectra, held: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Mean weighted squares that H (n, k, n_wave) leaves of those spectra, (n, n_held).

    A half of a spectrum counts where the other half has at least k pixels with weight, to find
    its weights from; NaN where neither does.
    """
    block = next(spectra.rows(held).blocks())
    V = torch.ones_like(block.X) if block.V is None else block.V
    n_wave = H.shape[2]
    even = torch.from_numpy(np.arange(n_wave) * min(SEGMENTS, n_wave) // n_wave % 2 == 0)
    squares, n_pixels = np.zeros((len(H), len(V))), np.zeros(len(V))
    for known in (even, ~even):
        seen = Spectra(block.X[:, known], None if block.V is None else block.V[:, known])
        enough = ((V[:, known] > 0).sum(dim=1) >= H.shape[1]).numpy()
        n_pixels += enough * (V[:, ~known] > 0).sum(dim=1).numpy()
        for left, components in zip(squares, torch.from_numpy(H), strict=True):
            none = torch.zeros(1, dtype=torch.float64)
            Wt = solver.weights_for(seen, none, components[None, :, known])[0]
            residual = block.X[:, ~known] - Wt.mT @ components[:, ~known]
            left += enough * (V[:, ~known] * residual.square()).sum(dim=1).numpy()
    return squares / np.where(n_pixels > 0, n_pixels, np.nan)


def _within(errors: np.ndarray, best: np.ndarray, n_standard_errors: float) -> np.ndarray:
    """Which errors (n, n_spectra) are above the best by so many standard errors of that at most."""
    more = errors - best
    return np.nanmean(more, axis=1) <= n_standard_errors * standard_error(more)


def standard_error(values: np.ndarray) -> np.ndarray:
    """Of the mean over the last axis."""
    n = np.isfinite(values).sum(axis=-1)
    return np.nanstd(values, axis=-1, ddof=1) / np.sqrt(n)
