"""bootstrap and jackknife: how far components depend on the spectra that happened to be taken."""

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

# What a refit leaves of the optimality that it begins with. It begins at the fit in question, so
# one that ends early shows too little spread: 2 % too little at the most in what was tried. Without
# smoothness data may hardly tell components apart: 1e-5 was 20 % too little in such a case.
TOL = 5e-4
TOL_WITHOUT_SMOOTHNESS = 1e-6
RESAMPLED = "spectra", "noise"
ABSENT = 1e-9  # of the largest contribution to a spectrum; a component below it is rounding
NOISE_ROWS = 1024  # that are drawn from one seed
OF_NOISE = 1  # in the seed, so that spectra and noise are not drawn from the same numbers


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Bootstrap:
    """Components of resamples, matched to those of the fit that is in question.

    Attributes
    ----------
    components : ndarray of shape (n_resamples, k, n_wave)
        H >= 0, each divided by its maximum, in the order of the fit's; 0 throughout where no
        spectrum of the resample has the component.
    counts : array of int, shape (n_resamples, n_spectra)
        How often each resample has each spectrum; a Dask array of a Dask array.
    n_not_converged : int
        How many of the fits stopped before their tolerance.
    """

    components: np.ndarray
    counts: np.ndarray
    n_not_converged: int

    @property
    def standard_error(self) -> np.ndarray:
        """The standard deviation of the components over resamples, (k, n_wave).

        In the unit of components with maximum 1: 0 in a channel where they have it.
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
    """Fit resamples of the spectra, to see how far components depend on these (Efron 1979).

    A resample of "spectra" draws as many spectra as there are, with replacement, from each class
    by itself. The noise of the spectra is in it as well.  A resample of "noise" keeps the
    spectra, and draws the noise that their inverse variance tells of anew, around the fit.
    Every fit begins with the components in question: where others fit as well, as without
    smoothness where components overlap, the spread does not tell of them.  With smoothness,
    resamples of noise are smoothed twice: their standard errors hold, their percentiles do not.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, in memory; or a Dask array, where there is a `distributed.Client`.
    components : array of shape (k, n_wave)
        Those that `smooth_nmf` found of them.
    smoothness : float, default 1.0
        The one that they were found with; the default is that of `smooth_nmf`.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        Weights of the pixels.
    classes : sequence or None, default None
        What each spectrum is, (n_spectra,). None: all are of one class.
    resample : {"spectra", "noise"}, default "spectra"
        What is drawn. "noise" needs inverse_variance.
    n_resamples : int, default 200
        How many.
    first : int, default 0
        The number of the first. A resample depends on its number and on `random_state` alone, so
        that parts made apart are those of one call.
    max_iter : int, default 2000
        Most iterations of a fit.
    tol : float or None, default None
        The optimality at which a fit ends, relative to that which it begins with. None is 5e-4,
        and 1e-6 without smoothness.
    random_state : int, default 0
        Seed.

    Returns
    -------
    Bootstrap

    Raises
    ------
    ValueError
        As in `smooth_nmf`; noise is to be drawn, and there is no inverse variance.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import bootstrap, smooth_nmf
    >>> rng = np.random.default_rng(0)
    >>> pure = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    >>> spectra = rng.dirichlet([0.5, 0.5], 60) @ pure
    >>> found = smooth_nmf(spectra, 2, smoothness=0)
    >>> resamples = bootstrap(spectra, found.components, smoothness=0, n_resamples=50)
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
    # NaN equals nothing, itself neither: its spectra would be drawn in no class
    if labels.shape != (len(X),) or (labels != labels).any():
        raise ValueError(f"classes: one for each of the {len(X)} spectra is needed")
    numbers = range(first, first + n_resamples)
    codes = np.unique(labels, return_inverse=True)[1]
    labels = codes.astype(np.min_scalar_type(int(codes.max(initial=0))))  # fewer bytes to send
    of = Resampling(resample, labels, random_state, numbers, smoothness, max_iter, tol)
    if on_cluster:
        return for_dask("resampled").bootstrap_of_dask(X, inverse_variance, H, of)
    return bootstrap_of(X, inverse_variance, H, of, slice(0, len(X)))


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
    of: Resampling,
    rows: slice,
    comm: Communicator = ALONE,
) -> Bootstrap:
    """`bootstrap` of spectra of which this process has some rows: its counts are of these."""
    v = None if v is None else np.asarray(v, float)
    fit = of.smoothness, v, of.max_iter, of.tol, comm
    if of.resample == "spectra":
        every = (drawn(of.classes, of.random_state, number)[rows].copy() for number in of.numbers)
        counts = np.stack(list(every))
        found, missed = _refits(X, H, counts, *fit)
        return Bootstrap(found, counts, missed)
    assert v is not None
    counts = np.ones((len(of.numbers), len(X)), dtype=int)
    model = unmix(X, H, smoothness=of.smoothness, inverse_variance=v) @ H
    error = np.sqrt(np.divide(1, v, out=np.zeros_like(v, dtype=float), where=v > 0))
    found, missed = np.empty((len(of.numbers), *H.shape)), 0
    for i, number in enumerate(of.numbers):
        noise = drawn_noise(rows, X.shape[1], of.random_state, number)
        noise *= error
        noise += model
        made = _refits(noise, H, counts[i : i + 1], *fit)
        found[i], missed = made[0][0], missed + made[1]
    return Bootstrap(found, counts, missed)


def drawn_noise(rows: slice, n_wave: int, random_state: int, number: int) -> np.ndarray:
    """Noise of unit variance, (n_rows, n_wave), of those rows, whoever has the others."""
    parts = []
    for block in range(rows.start // NOISE_ROWS, -(-rows.stop // NOISE_ROWS)):
        of_block = [block] if block else []
        rng = np.random.default_rng([random_state, number, OF_NOISE, *of_block])
        first = block * NOISE_ROWS
        n = min(rows.stop - first, NOISE_ROWS)
        parts.append(rng.standard_normal((n, n_wave))[max(rows.start - first, 0) :])
    return np.concatenate(parts)


def drawn(classes: np.ndarray, random_state: int, number: int) -> np.ndarray:
    """How often the resample of that number has each spectrum, as many as there are of a class.

    Parameters
    ----------
    classes : ndarray of shape (n_spectra,)
        What each spectrum is.
    random_state, number : int
        The seed, and the number of the resample: all that it depends on.

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
    """Components without one of the spectra, each in its turn: which spectra they hang on.

    Parameters
    ----------
    X, components, smoothness, inverse_variance, max_iter, tol
        As in `bootstrap`.
    left_out : sequence of int or None, default None
        The numbers of the spectra that are left out in turn. None: all are.

    Returns
    -------
    ndarray of shape (n_left_out, k, n_wave)
        In the order of the components given, each with maximum 1; 0 throughout where no spectrum
        is left that has the component.

    Raises
    ------
    ValueError
        As in `smooth_nmf`.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import jackknife, smooth_nmf
    >>> pure = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    >>> spectra = np.array([[2.0, 0.0], [1.0, 1.0], [1.0, 2.0], [0.0, 1.0]]) @ pure
    >>> found = smooth_nmf(spectra, 2, smoothness=0)
    >>> jackknife(spectra, found.components, smoothness=0).shape
    (4, 2, 3)
    """
    X, H, tol = _checked(X, inverse_variance, components, smoothness, max_iter, tol)
    if len(X) < 2:
        raise ValueError("jackknife: two spectra at the least are needed")
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
    """X and the components as arrays of numpy, the latter with maximum 1, and the tolerance."""
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
    """Fits from components H in which each spectrum counts so often, (n_fits, n_spectra).

    Their components, (n_fits, k, n_wave), each with maximum 1, in the order of H; and how many
    fits stopped before their tolerance.  A component that no spectrum of a fit has is 0 throughout:
    without smoothness it would stay as it began.

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
