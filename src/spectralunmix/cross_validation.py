"""cross_validate: how well components of some spectra explain others, over k and smoothness."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .factorisation import FLOATS, Array, one_blas_thread
from .nmf import solver, starts
from .nmf.checks import (
    check_not_masked,
    check_rank,
    check_smoothness,
    check_two_dimensions,
    check_whole_number,
    spectra_of,
)
from .nmf.data import Spectra

SEGMENTS = 10  # of the channels: weights are found from every second one, errors are of the others


@dataclasses.dataclass(frozen=True, eq=False)
class CrossValidation:
    """Errors of spectra that a fit has not seen.

    Attributes
    ----------
    n_components : ndarray of shape (n_k,)
        The numbers of components.
    smoothness : ndarray of shape (n_smoothness,)
        The smoothnesses.
    errors : ndarray of shape (n_k, n_smoothness, n_spectra)
        Of each spectrum, where it was held out, the mean of v (x - w H)^2 over its channels of
        weight above 0; NaN where it has none.
    n_not_converged : ndarray of shape (n_k, n_smoothness)
        How many of the fits stopped before their tolerance.
    """

    n_components: np.ndarray
    smoothness: np.ndarray
    errors: np.ndarray
    n_not_converged: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean error over spectra, (n_k, n_smoothness)."""
        return np.nanmean(self.errors, axis=2)

    @property
    def standard_error(self) -> np.ndarray:
        """Of the mean, over spectra, (n_k, n_smoothness)."""
        return _standard_error(self.errors)

    def least(self) -> tuple[int, int]:
        """Where the mean error is least: places in `n_components` and `smoothness`."""
        k, smoothness = np.unravel_index(self.mean.argmin(), self.mean.shape)
        return int(k), int(smoothness)

    def chosen(self) -> tuple[int, int]:
        """By the paired one-standard-error rule: places in `n_components` and `smoothness`.

        The fewest components whose error, at their best smoothness, is within one standard error
        of the least; the standard error is that of the difference, spectrum by spectrum (Breiman et
        al. 1984 have the rule, unpaired).  Then the largest smoothness by the same rule.
        """
        best = self.errors[self.least()]
        at = self.mean.argmin(axis=1)
        of_k = self.errors[np.arange(len(at)), at]
        k = int(np.flatnonzero(_within(of_k, best))[0])
        smoothness = int(np.flatnonzero(_within(self.errors[k], of_k[k]))[-1])
        return k, smoothness


def cross_validate(
    X: Array,
    n_components: Sequence[int],
    smoothness: Sequence[float],
    *,
    inverse_variance: Array | None = None,
    classes: Sequence[Any] | None = None,
    n_folds: int = 5,
    init: str = "nndsvd",
    max_iter: int = 2000,
    tol: float = 1e-6,
    random_state: int | None = 0,
) -> CrossValidation:
    """Errors of spectra that a fit has not seen, over numbers of components and smoothnesses.

    Whole spectra are held out, a fold at a time.  The components are those of the others.  The
    weights of a held-out spectrum are found from every second tenth of its channels, without
    penalty, and its error is that of the other tenths; then the other way round.  Single pixels
    would not do: neighbouring channels are alike.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, as `smooth_nmf` takes them, in memory.
    n_components : sequence of int
        Numbers of components, rising.
    smoothness : sequence of float
        Smoothnesses, rising.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        Weights of the pixels. With them an error is a chi^2 over the number of its pixels.
    classes : sequence or None, default None
        What each spectrum is: every fold has its share of each class.
    n_folds : int, default 5
        Parts that the spectra are divided into.
    init : {"nndsvd", "spa"}, default "nndsvd"
        The components that a fit begins with.
    max_iter, tol
        As in `smooth_nmf`.
    random_state : int or None, default 0
        Seed of the folds.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ValueError
        As in `smooth_nmf`; fewer spectra than folds, or than components in the others.
    """
    for name, value in (("n_folds", n_folds), ("max_iter", max_iter)):
        check_whole_number(name, value)
    for k in n_components:
        check_whole_number("n_components", k)
    for value in smoothness:
        check_smoothness(value)
    check_not_masked(X, inverse_variance)
    X = np.asarray(X, float) if getattr(X, "dtype", None) not in FLOATS else X
    check_two_dimensions(X)
    if not 2 <= n_folds <= len(X):
        raise ValueError(f"n_folds={n_folds}: 2 to the number of spectra, {len(X)}, is needed")
    fold = folds(len(X), n_folds, classes, np.random.default_rng(random_state))
    check_rank(max(n_components), (int(np.bincount(fold).max() * (n_folds - 1)), X.shape[1]))
    shape = len(n_components), len(smoothness)
    errors, failed = np.empty((*shape, len(X))), np.empty(shape, dtype=int)
    with one_blas_thread():
        spectra = spectra_of(X, inverse_variance, "cpu", torch.float64)
        for i, k in enumerate(n_components):
            fits = _fits(spectra, fold, k, smoothness, init, max_iter, tol)
            H = np.stack([fit.H for fit in fits]).reshape(n_folds, len(smoothness), k, -1)
            missed = [fit.optimality[-1][1] > tol for fit in fits]
            failed[i] = np.reshape(missed, (n_folds, -1)).sum(axis=0)
            for each in range(n_folds):
                held = fold == each
                errors[i][:, held] = held_out_errors(spectra, held, H[each])
        errors = spectra.scale.of_squares(errors)
    return CrossValidation(np.array(n_components), np.array(smoothness, float), errors, failed)


def folds(
    n: int, n_folds: int, classes: Sequence[Any] | None, rng: np.random.Generator
) -> np.ndarray:
    """The fold of each of n spectra, (n,): as many of each class in every fold as can be."""
    order = rng.permutation(n)
    if classes is not None:
        _, which = np.unique(np.asarray(classes), return_inverse=True)
        order = order[np.argsort(which[order], kind="stable")]
    fold = np.empty(n, dtype=int)
    fold[order] = np.arange(n) % n_folds
    return fold


def _fits(
    spectra: Spectra,
    fold: np.ndarray,
    k: int,
    smoothness: Sequence[float],
    init: str,
    max_iter: int,
    tol: float,
) -> list[solver.Fit]:
    """Those of each fold's others, at each smoothness, side by side."""
    n_folds = fold.max() + 1
    counts = np.stack([fold != each for each in range(n_folds)]).astype(float)
    H = np.concatenate([starts.named(spectra.rows(fold != f), init, k) for f in range(n_folds)])
    each = len(smoothness)
    counted = spectra.counted(torch.from_numpy(np.repeat(counts, each, axis=0)))
    lam = np.tile(np.asarray(smoothness, float), n_folds)
    return solver.solve(counted, torch.from_numpy(np.repeat(H, each, axis=0)), lam, max_iter, tol)


def held_out_errors(spectra: Spectra, held: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Mean weighted squares that H (n, k, n_wave) leaves of those spectra, (n, n_held)."""
    part = spectra.rows(held)
    block = next(part.blocks())
    V = torch.ones_like(block.X) if block.V is None else block.V
    components = torch.from_numpy(H)
    none = torch.zeros(len(H), dtype=torch.float64)
    even = torch.from_numpy(np.arange(H.shape[2]) * SEGMENTS // H.shape[2] % 2 == 0)
    squares = torch.zeros(len(H), int(held.sum()), dtype=torch.float64)
    for known in (even, ~even):
        seen = Spectra(block.X, V * known)
        Wt = solver.weights_for(seen, none, components)
        residual = block.X - Wt.mT @ components
        squares += (V * ~known * residual.square()).sum(dim=-1)
    return (squares / (V > 0).sum(dim=-1)).numpy()


def _within(errors: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Which errors (n, n_spectra) are above the best by one standard error of that at most."""
    more = errors - best
    return np.nanmean(more, axis=1) <= _standard_error(more)


def _standard_error(values: np.ndarray) -> np.ndarray:
    """Of the mean over the last axis."""
    n = np.isfinite(values).sum(axis=-1)
    return np.nanstd(values, axis=-1, ddof=1) / np.sqrt(n)
