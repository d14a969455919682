"""smooth_nmf and unmix: functions that fit components and weights, or weights alone."""

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import torch

from .inputs import Array, as_floats, for_dask, is_dask
from .nmf import solver, starts
from .nmf.arrays import as_given, float_array
from .nmf.checks import (
    DTYPES,
    RandomState,
    Settings,
    check_components,
    check_not_masked,
    check_rank,
    check_smoothness,
    check_two_dimensions,
    memory_explained,
    spectra_of,
)
from .nmf.communication import ALONE, Communicator
from .nmf.data import Spectra
from .nmf.progress import Progress
from .nmf.scale import exponent
from .threads import one_blas_thread


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What `smooth_nmf` found: weights and components, X ~ W H, and how near the optimum they are.

    Attributes
    ----------
    weights : array of shape (n_spectra, k)
        W >= 0, in the unit of X.
    components : array of shape (k, n_wave)
        H >= 0, each with maximum 1, in the order of falling share of the total flux.
    objective : ndarray of shape (n_accepted + 1,)
        The objective, from the start on, wherever it was computed on the whole X. It does not
        rise, except by rounding.
    optimality : ndarray of shape (n_accepted + 1,)
        The certificate at the same places: the relative projected gradient of W or of H,
        whichever is larger. It is 0 exactly where W and H are stationary.
    iterations : ndarray of shape (n_accepted + 1,)
        The number of iterations made at the same places.
    converged : bool
        Whether the last optimality is at most `tol`.
    n_iter : int
        Number of iterations made.
    restart_objectives : ndarray of shape (n_starts,)
        The last objective of the fit from each start. The result is the fit with the lowest.
    reconstruction_err : float
        ``sqrt(sum_ij v_ij (X - W H)_ij^2)``, in the unit of X where the inverse variance v is 1.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import smooth_nmf
    >>> result = smooth_nmf(np.array([[2.0, 1.0], [4.0, 2.0]]), 1, smoothness=0)
    >>> result.components.round(3)
    array([[1. , 0.5]])
    """

    weights: Array
    components: Array
    objective: np.ndarray
    optimality: np.ndarray
    iterations: np.ndarray
    converged: bool
    n_iter: int
    restart_objectives: np.ndarray
    reconstruction_err: float


def smooth_nmf(
    X: Array,
    n_components: int = 4,
    *,
    smoothness: float = 1.0,
    inverse_variance: Array | None = None,
    init: str | Array = "nndsvd",
    n_restarts: int = 1,
    solver: str = "anticipation",
    max_iter: int = 2000,
    tol: float = 1e-6,
    random_state: RandomState = None,
    device: str = "cpu",
    dtype: str = "float64",
    verbose: int = 0,
) -> Result:
    """Factorise spectra into a few smooth, non-negative components, X ~ W H.

    The fit minimises, over the weights W >= 0 (n_spectra, k) and the components H >= 0
    (k, n_wave)::

        sum_ij v_ij (X - W H)_ij^2 + smoothness * sum_ik v_i w_ik^2 ||D h_k||^2

    D is the first difference along wavelength. Without v this is Eq. 1 of De Souza et al. (2026)
    in the gauge ``||w_k|| = 1``, where it is well-posed. The penalty acts on each component as the
    low-pass filter ``(1 + smoothness D^T D)^-1``, whose length is about sqrt(smoothness) channels.

    v is the inverse variance, or 1 where none is given. v_i is the mean over those values of
    spectrum i's inverse variance that are not 0. A constant factor in v multiplies the objective
    by that factor, and changes nothing else. Where v is 0 the value of X does not count and may
    be NaN. In a channel where v is 0 in every spectrum, a component is no measurement: with
    smoothness it runs straight between the neighbouring channels; without, it keeps the values
    that the start had there.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, of numpy, torch, pandas or Dask. An array on disk (numpy.memmap, or the data
        of a FITS image that is opened with memmap=True) may be larger than memory: it is read in
        blocks of rows. A Dask array is fitted on the workers of the current `distributed.Client`;
        without a client it is read chunk by chunk. Negative values, which noise makes, are
        allowed.
    n_components : int, default 4
        Number of components, k. At most the number of spectra, and of channels.
    smoothness : float, default 1.0
        lambda, 0 to 1e9. The fit smooths over about sqrt(lambda) channels; 0 is plain NMF.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        The inverse variance v of each value of X, 0 where a value does not count. None is 1
        throughout.
    init : {"nndsvd", "spa", "random"} or array, default "nndsvd"
        The start: the components that the fit begins with. "nndsvd" takes them from singular
        vectors, "spa" takes the most extreme spectra. An array of shape (k, n_wave) is one start,
        an array of shape (n, k, n_wave) is n starts.
    n_restarts : int, default 1
        Number of starts with init="random". They are fitted side by side, and the fit with the
        lowest objective is kept.
    solver : {"anticipation", "proximal_gradient"}, default "anticipation"
        How the factors are updated. "proximal_gradient" is the update of De Souza et al. (2026).
    max_iter : int, default 2000
        Largest number of iterations. Each makes two passes over X, or over a compressed X where
        X is large.
    tol : float, default 1e-6
        The fit stops where its optimality is at most this; 0 runs to `max_iter`.
    random_state : int, numpy Generator, numpy RandomState or None, default None
        Seed of init="random"; other starts do not use it.
    device : {"cpu", "cuda", "cuda:1", ..., "auto"}, default "cpu"
        Where arrays are fitted. "auto" is "cuda" where there is such a device. Tensors stay on
        their device.
    dtype : {"float64", "float32"}, default "float64"
        The precision of X, of the passes over it and of the result.
    verbose : int, default 0
        Log the objective and the optimality about every `verbose` iterations; 0 logs nothing.

    Returns
    -------
    Result
        Its weights and components are tensors on X's device where X is a tensor. Its weights are
        a Dask array where X is one.

    Raises
    ------
    ClusterLostError
        The workers of a Dask array are lost. The error has the last components.
    ValueError
        X has NaN or infinite values where the inverse variance is above 0, or no value above 0;
        there are more components than spectra or channels; or a parameter is out of its range.

    Warns
    -----
    ConvergenceWarning
        The fit stopped at `max_iter`, or where no step lowers the objective, before its
        optimality was at most `tol`.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import smooth_nmf
    >>> pure = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    >>> spectra = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0]]) @ pure
    >>> result = smooth_nmf(spectra, 2, smoothness=0)
    >>> result.weights.round(3)
    array([[2., 0.],
           [1., 1.],
           [0., 1.]])
    >>> result.converged
    True
    """
    settings = Settings(
        *(n_components, smoothness, init, n_restarts, solver, max_iter, tol),
        *(random_state, device, dtype, verbose),
    )
    settings.check()
    check_not_masked(X, inverse_variance)
    X = as_floats(X)
    check_two_dimensions(X)
    ((result,),) = results(X, inverse_variance, settings, [smoothness])
    warn_of(result, settings)
    return result


def results(
    X: Array,
    inverse_variance: Array | None,
    settings: Settings,
    smoothness: list[float],
    every_start: bool = False,
    comm: Communicator = ALONE,
) -> list[list[Result]]:
    """Fit at each smoothness, from every start; all fits share passes over X.

    For each smoothness the list holds the best fit, or with `every_start` all fits.

    comm : the processes that have further spectra; the weights are of this process's spectra
    """
    if is_dask(X):
        of_dask = for_dask("fits").results_of_dask
        return of_dask(X, inverse_variance, settings, smoothness, every_start)
    with one_blas_thread(), memory_explained(X, inverse_variance, settings.dtype, settings.device):
        dtype = DTYPES[settings.dtype]
        spectra = spectra_of(X, inverse_variance, settings.device, dtype, comm)
        check_rank(settings.n_components, (spectra.n_in_all, spectra.shape[1]))
        H = _starts(spectra, settings)
        fits = solver.solve(
            spectra,
            torch.from_numpy(np.concatenate([H] * len(smoothness))).to(spectra.device),
            np.repeat(np.asarray(smoothness, float), len(H)),
            settings.max_iter,
            settings.tol,
            Progress(spectra.scale, settings.verbose) if settings.verbose else solver.silent,
            settings.solver,
        )
        by_smoothness = []
        for first in range(0, len(fits), len(H)):
            of_starts = fits[first : first + len(H)]
            groups = [[fit] for fit in of_starts] if every_start else [of_starts]
            convert = as_given(X, settings.dtype)
            by_smoothness.append([_result(spectra, group, convert) for group in groups])
    return by_smoothness


def warn_of(result: Result, settings: Settings, stacklevel: int = 3) -> None:
    """Warn of empty components, and of a fit that did not converge."""
    if empty := _n_empty(result):
        message = f"{empty} of {len(result.components)} components are empty"
        warnings.warn(message, stacklevel=stacklevel)
    if not_converged := why_not_converged(result, settings):
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(not_converged, ConvergenceWarning, stacklevel=stacklevel)


def why_not_converged(result: Result, settings: Settings) -> str:
    """Why a fit did not converge, and the way out; "" where it did."""
    if result.converged or settings.tol == 0:
        return ""
    reached = f"optimality {result.optimality[-1]:.1e} > tol={settings.tol:.1e}"
    if result.n_iter < settings.max_iter:
        return (
            f"after {result.n_iter} iterations no step lowers the objective, {reached}: raise tol"
        )
    return f"stopped at max_iter={settings.max_iter} with {reached}: raise max_iter or tol"


def unmix(
    X: Array,
    components: Array,
    *,
    smoothness: float = 0.0,
    inverse_variance: Array | None = None,
) -> Array:
    """Find the non-negative weights with which given components describe spectra best.

    The weights w >= 0 of each spectrum x minimise::

        sum_j v_j (x_j - sum_k w_k h_kj)^2 + smoothness * mean(v) * sum_k w_k^2 ||D h_k||^2

    v is the spectrum's inverse variance, mean(v) the mean of its values above 0, and D the first
    difference along wavelength. This is the objective of `smooth_nmf` with fixed components.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra, of numpy, torch, pandas or Dask, or on disk, as `smooth_nmf` takes them.
    components : array of shape (k, n_wave)
        The components, in the same channels.
    smoothness : float, default 0.0
        lambda, 0 to 1e9: how strongly the weights of rough components are penalised.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X, 0 where a value does not count. None is 1
        throughout.

    Returns
    -------
    array of shape (n_spectra, k)
        The weights, in the unit of X divided by the unit of the components. A tensor on X's
        device where X is a tensor; a Dask array, not yet computed, where X is one.

    Raises
    ------
    ValueError
        X and the components differ in the number of channels; the components have NaN or infinite
        values, or X has them where the inverse variance is above 0; an inverse variance is
        negative; or smoothness is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import unmix
    >>> components = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> spectra = np.array([[2.0, 0.0, 2.0], [1.0, 3.0, 4.0]])
    >>> unmix(spectra, components).round(6)
    array([[2., 0.],
           [1., 3.]])
    """
    check_smoothness(smoothness)
    check_not_masked(X, inverse_variance)
    H = float_array(components)
    if is_dask(X):
        check_components(H, X.shape[1])
        return for_dask("arrays").unmixed(X, H, smoothness, inverse_variance, np.float64)
    data = as_floats(X)
    check_two_dimensions(data)
    check_components(H, data.shape[1])
    spectra = spectra_of(data, inverse_variance, "cpu", torch.float64)
    # each component over a power of two: the squares of very large or small ones are no numbers
    scale = exponent(np.abs(H).max(axis=1, initial=0, keepdims=True))
    W = best_weights(spectra, np.ldexp(H, -scale), smoothness)
    return as_given(X, "float64")(spectra.scale.of_weights(np.ldexp(W, -scale).T))


def best_weights(spectra: Spectra, H: np.ndarray, smoothness: float) -> np.ndarray:
    """The weights, (k, n_spectra), that are best for components H (k, n_wave)."""
    with one_blas_thread():
        on_device = torch.from_numpy(H[None]).to(spectra.device)
        lam = on_device.new_tensor([float(smoothness)])
        return solver.weights_for(spectra, lam, on_device)[0].cpu().numpy()


def misfit(spectra: Spectra, W: np.ndarray, H: np.ndarray) -> float:
    """sum_ij v_ij (X - W H)_ij^2 for W (k, n_spectra) and H (k, n_wave)."""
    return spectra.misfit(*(torch.from_numpy(Z).to(spectra.device) for Z in (W, H)))


def _starts(spectra: Spectra, settings: Settings) -> np.ndarray:
    """The starts of a fit, (n_starts, k, n_wave)."""
    k, n_wave = settings.n_components, spectra.shape[1]
    largest = torch.stack([X.max().double() for _, X, *_ in spectra.unweighted().pieces()]).max()
    if not spectra.comm.largest(largest) > 0:
        raise ValueError("X has no value above zero: there is nothing to factorise")
    if not isinstance(settings.init, str):
        H = float_array(settings.init)
        right = H.shape[-2:] == (k, n_wave) and H.ndim <= 3 and H.size
        if not right or not (np.isfinite(H) & (H >= 0)).all():
            raise ValueError(f"init: non-negative components ({k}, {n_wave}) are needed")
        H = np.ldexp(H, -exponent(H.max(axis=-1, keepdims=True)))
        return H.reshape(-1, k, n_wave)
    rng = settings.random_state
    if not isinstance(rng, np.random.Generator):
        from sklearn.utils import check_random_state

        rng = check_random_state(rng)
    return starts.named(spectra, settings.init, k, settings.n_restarts, rng)


def _result(
    spectra: Spectra,
    of_starts: list[solver.Fit],
    convert: Callable[[np.ndarray], Array],
) -> Result:
    """The fit of least objective, in the caller's unit and kind of array."""
    best = min(of_starts, key=lambda fit: fit.F)
    flux = torch.from_numpy(best.W.sum(axis=1) * best.H.sum(axis=1))
    W, H = _maximum_gauge(best.W, best.H, spectra.comm.total(flux).numpy())
    iterations, objective = map(np.array, zip(*best.objective, strict=True))
    optimality = np.array([value for _, value in best.optimality])
    return Result(
        weights=convert(spectra.scale.of_weights(W.T)),
        components=convert(H),
        objective=spectra.scale.of_squares(objective),
        optimality=optimality,
        iterations=iterations,
        converged=best.converged,
        n_iter=best.n_iter,
        restart_objectives=spectra.scale.of_squares([fit.F for fit in of_starts]),
        reconstruction_err=spectra.scale.of_roots(misfit(spectra, W, H) ** 0.5),
    )


def _n_empty(result: Result) -> int:
    """The number of components without a weight, or without a value, above 0."""
    present = (result.weights > 0).any(axis=0), (result.components > 0).any(axis=1)
    weights, components = (np.asarray(flags, dtype=bool) for flags in present)
    return int((~(weights & components)).sum())


def _maximum_gauge(W: np.ndarray, H: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same W H with every component's maximum 1, by falling flux in all spectra."""
    maximum = H.max(axis=1, keepdims=True)
    maximum[maximum == 0] = 1
    order = np.argsort(-flux, kind="stable")
    return (W * maximum)[order], (H / maximum)[order]
