"""bootstrap and jackknife: how far components depend on the spectra that were observed."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from .comparison import in_order_of
from .factorisation import unmix
from .inputs import Array, for_dask, in_memory, of_cluster
from .nmf.arrays import float_array
from .nmf.checks import (
    check_at_least_zero,
    check_components,
    check_rank,
    check_smoothness,
    check_whole_number,
    spectra_of,
)
from .nmf.communication import ALONE, Communicator
from .nmf.resamples import counted_fits
from .threads import threads_for

# A refit stops at this optimality, relative to that of its start. It starts from the fit in
# question, so a refit that stops early shows too little spread: at most 2 % too little in trials.
# Without smoothness the spectra may hardly tell components apart: there 1e-5 gave 20 % too little.
TOL = 5e-4
TOL_WITHOUT_SMOOTHNESS = 1e-6
RESAMPLED = "spectra", "noise"
ABSENT = 1e-9  # relative to the largest contribution to a spectrum: a component below is rounding
NOISE_ROWS = 1024  # rows whose noise is drawn from the same seed
OF_NOISE = 1  # part of the seed, so that spectra and noise are not drawn from the same numbers


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Bootstrap:
    """What `bootstrap` found: the components of every resample, in the order of the fit's.

    Attributes
    ----------
    components : ndarray of shape (n_resamples, k, n_wave)
        H >= 0, each component divided by its maximum, in the order of the components given. A
        component is 0 throughout where no spectrum of the resample has it.
    counts : array of int, shape (n_resamples, n_spectra)
        How often each resample has each spectrum; a Dask array where X is one.
    n_not_converged : int
        Number of fits that stopped before their tolerance.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import bootstrap
    >>> pure = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    >>> spectra = np.random.default_rng(0).random((20, 2)) @ pure
    >>> bootstrap(spectra, pure, smoothness=0, n_resamples=10)
    <Bootstrap: 10 resamples of 2 components of 3 channels>
    """

    components: np.ndarray
    counts: np.ndarray
    n_not_converged: int

    @property
    def standard_error(self) -> np.ndarray:
        """The standard deviation of each component over the resamples.

        Returns
        -------
        ndarray of shape (k, n_wave)
            On the scale of components with maximum 1; 0 in a channel where every resample has the
            maximum.
        """
        return self.components.std(axis=0, ddof=1)

    def __repr__(self) -> str:
        n, k, n_wave = self.components.shape
        return f"<Bootstrap: {n} resamples of {k} components of {n_wave} channels>"


def bootstrap(
    X: Array,
    components: Array,
    *,
    smoothness: float = 1.0,
    inverse_variance: Array | None = None,
    classes: Sequence[Any] | None = None,
    resample: str = "spectra",
    n_resamples: int = 200,
    first: int = 0,
    max_iter: int = 2000,
    tol: float | None = None,
    random_state: int = 0,
) -> Bootstrap:
    """Fit resamples of the spectra, to see how far components depend on them (Efron 1979).

    A resample of "spectra" draws as many spectra as there are, with replacement, separately in
    each class. It includes the effect of the noise. A resample of "noise" keeps the spectra, and
    adds new noise, with the given inverse variance, to the fitted model of each spectrum.

    Every fit starts from the given components. Where other components fit the spectra equally
    well, which can happen without smoothness where components overlap, the spread over resamples
    does not show it. With smoothness, resamples of noise are smoothed twice: their standard
    errors hold, their percentiles do not.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, in memory; or a Dask array, where there is a `distributed.Client`.
    components : array of shape (k, n_wave)
        The components that `smooth_nmf` found in these spectra.
    smoothness : float, default 1.0
        lambda of the fit that found the components. The default is that of `smooth_nmf`.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X, 0 where a value does not count. None is 1
        throughout.
    classes : sequence or None, default None
        The class of each spectrum, (n_spectra,). None puts all spectra in one class.
    resample : {"spectra", "noise"}, default "spectra"
        What is drawn. "noise" needs `inverse_variance`.
    n_resamples : int, default 200
        Number of resamples; the standard errors of one alone are NaN.
    first : int, default 0
        Number of the first resample. A resample depends on its number and on `random_state` alone,
        so several calls with consecutive numbers make the same resamples as a single call.
    max_iter : int, default 2000
        Largest number of iterations of a fit.
    tol : float or None, default None
        A fit stops where its optimality is at most `tol` times that of its start. None is 5e-4,
        or 1e-6 without smoothness.
    random_state : int, default 0
        Seed of the resamples.

    Returns
    -------
    Bootstrap

    Raises
    ------
    ClusterLostError
        The workers of a Dask array are lost.
    ValueError
        The data or the parameters are not what `smooth_nmf` takes; `classes` has not one class
        for each spectrum; or `resample` is "noise" and there is no inverse variance.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import bootstrap, smooth_nmf
    >>> rng = np.random.default_rng(0)
    >>> pure = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    >>> spectra = rng.dirichlet([0.5, 0.5], 60) @ pure
    >>> fit = smooth_nmf(spectra, 2, smoothness=0)
    >>> resamples = bootstrap(spectra, fit.components, smoothness=0, n_resamples=50)
    >>> bool((resamples.standard_error < 0.1).all())
    True
    """
    check_whole_number("n_resamples", n_resamples)
    for name, value in (("first", first), ("random_state", random_state)):
        check_whole_number(name, value, least=0)
    if resample not in RESAMPLED:
        raise ValueError(f"resample={resample!r}: 'spectra' or 'noise' is needed")
    if resample == "noise" and inverse_variance is None:
        raise ValueError("resample='noise' needs inverse_variance, which says how much noise")
    on_cluster = of_cluster(X)
    if on_cluster:
        X, inverse_variance = for_dask("arrays").checked(X, inverse_variance)
    X, H, tol = _checked(X, inverse_variance, components, smoothness, max_iter, tol, on_cluster)
    labels = np.zeros(len(X)) if classes is None else np.asarray(classes)
    # NaN does not equal itself: spectra of that class would never be drawn
    if labels.shape != (len(X),) or (labels != labels).any():
        raise ValueError(f"classes: a class for each of the {len(X)} spectra is needed")
    numbers = range(first, first + n_resamples)
    codes = np.unique(labels, return_inverse=True)[1]
    labels = codes.astype(np.min_scalar_type(int(codes.max(initial=0))))  # fewer bytes to send
    plan = Resampling(resample, labels, random_state, numbers, smoothness, max_iter, tol)
    if on_cluster:
        return for_dask("resampled").bootstrap_of_dask(X, inverse_variance, H, plan)
    return bootstrap_of(X, inverse_variance, H, plan, slice(0, len(X)))


class Resampling(NamedTuple):
    """What all resamples share: arguments of `bootstrap`, and the classes of all spectra."""

    resample: str
    classes: np.ndarray
    random_state: int
    numbers: range
    smoothness: float
    max_iter: int
    tol: float


def bootstrap_of(
    X: np.ndarray,
    v: Array | None,
    H: np.ndarray,
    plan: Resampling,
    rows: slice,
    comm: Communicator = ALONE,
) -> Bootstrap:
    """`bootstrap` in a process that has some rows of the spectra; the counts are of these."""
    v = None if v is None else np.asarray(v, float)
    fit = plan.smoothness, v, plan.max_iter, plan.tol, comm
    if plan.resample == "spectra":
        drawn_of = [drawn(plan.classes, plan.random_state, n)[rows].copy() for n in plan.numbers]
        counts = np.stack(drawn_of)
        components, missed = _refits(X, H, counts, *fit)
        return Bootstrap(components, counts, missed)
    assert v is not None
    counts = np.ones((len(plan.numbers), len(X)), dtype=int)
    model = unmix(X, H, smoothness=plan.smoothness, inverse_variance=v) @ H
    error = np.sqrt(np.divide(1, v, out=np.zeros_like(v, dtype=float), where=v > 0))
    components, missed = np.empty((len(plan.numbers), *H.shape)), 0
    for i, number in enumerate(plan.numbers):
        noise = drawn_noise(rows, X.shape[1], plan.random_state, number)
        noise *= error
        noise += model
        made = _refits(noise, H, counts[i : i + 1], *fit)
        components[i], missed = made[0][0], missed + made[1]
    return Bootstrap(components, counts, missed)


def drawn_noise(rows: slice, n_wave: int, random_state: int, number: int) -> np.ndarray:
    """Noise of unit variance for these rows, (n_rows, n_wave); it does not depend on other rows."""
    parts = []
    for block in range(rows.start // NOISE_ROWS, -(-rows.stop // NOISE_ROWS)):
        of_block = [block] if block else []
        rng = np.random.default_rng([random_state, number, OF_NOISE, *of_block])
        first = block * NOISE_ROWS
        n = min(rows.stop - first, NOISE_ROWS)
        parts.append(rng.standard_normal((n, n_wave))[max(rows.start - first, 0) :])
    return np.concatenate(parts)


def drawn(classes: np.ndarray, random_state: int, number: int) -> np.ndarray:
    """How often a resample has each spectrum; every class keeps its number of spectra.

    Parameters
    ----------
    classes : ndarray of shape (n_spectra,)
        The class of each spectrum.
    random_state, number : int
        The seed, and the number of the resample.

    Returns
    -------
    ndarray of int, shape (n_spectra,)
    """
    rng = np.random.default_rng([random_state, number])
    counts = np.zeros(len(classes), dtype=int)
    for name in dict.fromkeys(classes.tolist()):
        members = np.flatnonzero(classes == name)
        np.add.at(counts, rng.choice(members, len(members)), 1)
    return counts


def jackknife(
    X: Array,
    components: Array,
    *,
    smoothness: float = 1.0,
    inverse_variance: Array | None = None,
    left_out: Sequence[int] | None = None,
    max_iter: int = 2000,
    tol: float | None = None,
) -> np.ndarray:
    """Fit the spectra without one of them, each in turn, to see which spectra matter.

    Every fit starts from the given components.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, in memory.
    components : array of shape (k, n_wave)
        The components that `smooth_nmf` found in these spectra.
    smoothness : float, default 1.0
        lambda of the fit that found the components. The default is that of `smooth_nmf`.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X, 0 where a value does not count. None is 1
        throughout.
    left_out : sequence of int or None, default None
        Rows of X, from 0, that are left out in turn. None leaves out every row in turn.
    max_iter : int, default 2000
        Largest number of iterations of a fit.
    tol : float or None, default None
        A fit stops where its optimality is at most `tol` times that of its start. None is 5e-4,
        or 1e-6 without smoothness.

    Returns
    -------
    ndarray of shape (n_left_out, k, n_wave)
        The components of each fit, in the order of the components given, each with maximum 1. A
        component is 0 throughout where no spectrum that is left has it.

    Raises
    ------
    ValueError
        The data or the parameters are not what `smooth_nmf` takes; X has fewer than two spectra;
        or `left_out` has a number that is no row of X.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import jackknife, smooth_nmf
    >>> pure = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    >>> spectra = np.array([[2.0, 0.0], [1.0, 1.0], [1.0, 2.0], [0.0, 1.0]]) @ pure
    >>> fit = smooth_nmf(spectra, 2, smoothness=0)
    >>> jackknife(spectra, fit.components, smoothness=0).shape
    (4, 2, 3)
    """
    X, H, tol = _checked(X, inverse_variance, components, smoothness, max_iter, tol)
    if len(X) < 2:
        raise ValueError("jackknife: at least two spectra are needed")
    which = np.arange(len(X)) if left_out is None else np.asarray(left_out)
    if which.ndim != 1 or not np.isin(which, np.arange(len(X))).all() or not which.size:
        raise ValueError(
            f"left_out={left_out!r}: numbers of spectra, 0 to {len(X) - 1}, are needed"
        )
    which = which.astype(int)
    counts = np.ones((len(which), len(X)), dtype=np.uint8)
    counts[np.arange(len(which)), which] = 0
    found, _ = _refits(X, H, counts, smoothness, inverse_variance, max_iter, tol)
    return found


def _checked(
    X: Array,
    inverse_variance: Array | None,
    components: Array,
    smoothness: float,
    max_iter: int,
    tol: float | None,
    on_cluster: bool = False,
) -> tuple[Array, np.ndarray, float]:
    """X as a numpy array, the components with maximum 1, and the tolerance."""
    if tol is None:
        tol = TOL if smoothness > 0 else TOL_WITHOUT_SMOOTHNESS
    check_whole_number("max_iter", max_iter)
    check_at_least_zero("tol", tol)
    check_smoothness(smoothness)
    X = X if on_cluster else in_memory(X, inverse_variance)
    H = float_array(components)
    check_components(H, X.shape[1])
    if (H < 0).any():
        raise ValueError("components: values of at least 0 are needed")
    check_rank(len(H), X.shape)
    maximum = H.max(axis=1, keepdims=True)
    return X, H / np.where(maximum > 0, maximum, 1), tol


def _refits(
    X: np.ndarray,
    H: np.ndarray,
    counts: np.ndarray,
    smoothness: float,
    inverse_variance: Array | None,
    max_iter: int,
    tol: float,
    comm: Communicator = ALONE,
) -> tuple[np.ndarray, int]:
    """Fit resamples from components H; counts (n_fits, n_spectra) says how often a spectrum counts.

    Returns the components of each fit, (n_fits, k, n_wave), each with maximum 1, in the order of
    H; and the number of fits that stopped before their tolerance. A component that no spectrum of
    a fit has is set to 0, because without smoothness it would stay as it began.

    comm : the processes that have further spectra
    """
    made, missed = np.empty((len(counts), *H.shape)), 0
    with threads_for(X):
        spectra = spectra_of(X, inverse_variance, "cpu", torch.float64, comm)
        start = np.broadcast_to(H, made.shape)
        lam = np.full(len(counts), float(smoothness))
        fits = counted_fits(spectra, counts, start, lam, max_iter, tol, relative=True)
        for i, fit in enumerate(fits):
            maximum = fit.H.max(axis=1)
            most = torch.from_numpy(fit.W[:, counts[i] > 0].max(axis=1, initial=0))
            share = comm.largest(most).numpy() * maximum
            absent = share <= ABSENT * share.max()
            divided = fit.H / np.where(absent, np.inf, maximum)[:, None]
            made[i] = in_order_of(H, divided)
            missed += not fit.converged
    return made, missed
