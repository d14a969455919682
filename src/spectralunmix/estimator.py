"""SmoothNMF: the factorisation with scikit-learn's conventions."""

import copy
import functools
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController
from torch import Tensor

from .nmf import solver, starts
from .nmf.arrays import as_given, float_array, on_disk
from .nmf.checks import (
    check_at_least_zero,
    check_components,
    check_not_masked,
    check_rank,
    check_smoothness,
    check_two_dimensions,
    check_whole_number,
    memory_explained,
    spectra_of,
)
from .nmf.data import Spectra
from .nmf.progress import Progress
from .nmf.scale import exponent

Array = Any  # a numpy array, also one on disk; a torch tensor; a pandas table: out as it came in
FLOATS = (np.float64, np.float32)  # kinds of numbers that are taken as they are


class NotConvergedError(RuntimeError):
    """A fit with strict=True stopped at its limit of iterations; the model has what it found."""


class SmoothNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Non-negative matrix factorisation with smooth components, X ~ W H.

    Minimises, over W (n_spectra, k) >= 0 and H (k, n_wave) >= 0,

        sum_ij v_ij (X - W H)_ij^2 + smoothness * sum_ik v_i w_ik^2 ||D h_k||^2

    with D the first difference along wavelength: without v Eq. 1 of De Souza et al. (2026)
    in the gauge ||w_k|| = 1, where it is well-posed.  The penalty acts as the
    low-pass filter (1 + smoothness D^T D)^-1 on each component, with a length of
    about sqrt(smoothness) channels.

    v is the inverse variance given to `fit`, 1 without one, and v_i the mean of spectrum
    i's that are not 0: v times a constant is F times that constant, and changes nothing
    else.  Where v is 0 the value of X does not count and may be NaN.  A channel masked in
    every spectrum has no data term: with smoothness a component runs straight across it,
    between its neighbours; without, it keeps what the start had there, and neither is a
    measurement.
    X may be negative where noise makes it so; it is used as it is.

    X, and v, may be larger than memory: a memory-mapped array (numpy.memmap, or the data
    of a FITS image opened with memmap=True) is read in blocks of rows.

    Parameters
    ----------
    n_components : k, at most the number of spectra
    smoothness : lambda, 0 to 1e9; 0 is plain NMF
    init : starting components: "nndsvd", "spa" (the most extreme spectra), "random", or
        an array to start from, (k, n_wave), or (n, k, n_wave) for n starts
    n_restarts : starts of init="random", fitted side by side; the lowest objective is kept
    max_iter : iterations, each of two passes over X, or over X compressed where it is large
    tol : the fit stops where its optimality is at most this; 0 runs to `max_iter`
    strict : raise NotConvergedError, instead of a ConvergenceWarning, at `max_iter`; the model is
        fitted all the same, and `transform` gives the weights
    random_state : int, numpy Generator or RandomState, or None; used by init="random" alone
    device : "cpu", "cuda" (an error where there is none), or "auto"; tensors stay where they are.
        X and the passes over it are there; the factors' own problems are solved on the CPU
    dtype : "float64" or "float32"
    verbose : log objective and optimality every that many outer iterations, to the terminal
        where the caller has no other place for logs; 0 does not

    Attributes
    ----------
    components_ : (k, n_wave), each with maximum 1, by falling share of the total flux;
        so the weights have the unit of X
    objective_ : (n_accepted + 1,), the objective from the start on, wherever it was computed on
        the whole X; it never rises
    objective_iterations_ : (n_accepted + 1,), the outer iterations after which it had these values
    optimality_ : the relative projected gradient (`objective.relative_projected`) of both
        factors, the larger, wherever it was computed
    optimality_iterations_ : of the shape of optimality_, the outer iterations after which
    converged_ : whether the last optimality is at most `tol`
    n_iter_ : outer iterations made
    restart_objectives_ : (n_restarts,), the last objective of each start
    reconstruction_err_ : sqrt(sum_ij v_ij (X - W H)_ij^2)
    n_features_in_ : n_wave

    Raises
    ------
    ValueError : X has NaN or infinite values under weight, or none above zero; more
        components than spectra or channels; a parameter out of its range
    """

    def __init__(
        self,
        n_components: int = 4,
        *,
        smoothness: float = 1.0,
        init: str | Array = "nndsvd",
        n_restarts: int = 1,
        max_iter: int = 2000,
        tol: float = 1e-6,
        strict: bool = False,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
        device: str = "cpu",
        dtype: str = "float64",
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.smoothness = smoothness
        self.init = init
        self.n_restarts = n_restarts
        self.max_iter = max_iter
        self.tol = tol
        self.strict = strict
        self.random_state = random_state
        self.device = device
        self.dtype = dtype
        self.verbose = verbose

    def fit(
        self, X: Array, y: object = None, *, inverse_variance: Array | None = None
    ) -> "SmoothNMF":
        """Find the components of X (n_spectra, n_wave), with v (n_spectra, n_wave) or None."""
        self.fit_transform(X, inverse_variance=inverse_variance)
        return self

    def fit_transform(
        self, X: Array, y: object = None, *, inverse_variance: Array | None = None
    ) -> Array:
        """As `fit`; return the weights (n_spectra, k)."""
        self._check_parameters()
        with _one_blas_thread(), memory_explained(X, inverse_variance, self.dtype, self.device):
            spectra = self._spectra(X, inverse_variance, reset=True)
            check_rank(self.n_components, spectra.shape)
            H = self._starts(spectra)
            fits = self._run(spectra, H, np.full(len(H), float(self.smoothness)))
            return self._keep(spectra, fits, as_given(X, self.dtype))

    def transform(self, X: Array, *, inverse_variance: Array | None = None) -> Array:
        """Weights (n_spectra, k) of the spectra X (n_spectra, n_wave), the components held."""
        check_is_fitted(self)
        spectra = self._spectra(X, inverse_variance, reset=False)
        W = _best_weights(spectra, float_array(self.components_), self.smoothness)
        return as_given(X, self.dtype)(spectra.scale.of_weights(W.T))

    def inverse_transform(self, X: Array) -> Array:
        """Spectra (n_spectra, n_wave) of the weights X (n_spectra, k)."""
        check_is_fitted(self)
        weights = X if isinstance(X, Tensor) else check_array(X)
        if weights.shape[1] != len(self.components_):
            k = len(self.components_)
            raise ValueError(f"X is {tuple(weights.shape)}, not weights of {k} components")
        if isinstance(X, Tensor):
            return X @ torch.as_tensor(self.components_).to(X)
        return weights @ np.asarray(self.components_)

    def score(self, X: Array, y: object = None, *, inverse_variance: Array | None = None) -> float:
        """Minus the mean of v (X - W H)^2 over X (n_spectra, n_wave): higher is better."""
        check_is_fitted(self)
        spectra = self._spectra(X, inverse_variance, reset=False)
        H = float_array(self.components_)
        misfit = _misfit(spectra, _best_weights(spectra, H, self.smoothness), H)
        return -float(spectra.scale.of_squares(misfit)) / (spectra.shape[0] * spectra.shape[1])

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _run(self, spectra: Spectra, H: np.ndarray, smoothness: np.ndarray) -> list[solver.Fit]:
        progress = Progress(spectra.scale, self.verbose) if self.verbose else solver.silent
        starts_on_device = torch.from_numpy(H).to(spectra.device)
        return solver.solve(
            spectra, starts_on_device, smoothness, self.max_iter, self.tol, progress
        )

    def _keep(
        self, spectra: Spectra, fits: list[solver.Fit], convert: Callable[[np.ndarray], Array]
    ) -> Array:
        """Take the fit of least objective as the result; return its weights."""
        best = min(fits, key=lambda fit: fit.F)
        W, H = _maximum_gauge(best.W, best.H)
        self.components_ = convert(H)
        self.objective_iterations_, objective = map(np.array, zip(*best.objective, strict=True))
        self.objective_ = spectra.scale.of_squares(objective)
        self.optimality_iterations_, self.optimality_ = map(
            np.array, zip(*best.optimality, strict=True)
        )
        self.converged_ = bool(self.optimality_[-1] <= self.tol)
        self.n_iter_ = best.n_iter
        self.restart_objectives_ = spectra.scale.of_squares([fit.F for fit in fits])
        self.reconstruction_err_ = spectra.scale.of_roots(_misfit(spectra, W, H) ** 0.5)
        self._report(W, H)
        return convert(spectra.scale.of_weights(W.T))

    def _spectra(self, X: Array, inverse_variance: Array | None, reset: bool) -> Spectra:
        """X and v, checked, of the dtype and on the device asked for."""
        dtype = {"float64": torch.float64, "float32": torch.float32}[self.dtype]
        check_not_masked(X, inverse_variance)
        if on_disk(X) or isinstance(X, Tensor):
            self._check_dimensions(X, reset)
        else:
            X = validate_data(self, X, reset=reset, dtype=FLOATS, ensure_all_finite=False)
        return spectra_of(X, inverse_variance, self.device, dtype)

    def _check_dimensions(self, X: Array, reset: bool) -> None:
        check_two_dimensions(X)
        if reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} channels, the fit had {self.n_features_in_}")

    def _check_parameters(self) -> None:
        for name in ("n_components", "n_restarts", "max_iter"):
            check_whole_number(name, getattr(self, name))
        check_smoothness(self.smoothness)
        check_at_least_zero("tol", self.tol)
        if isinstance(self.init, str) and self.init not in ("nndsvd", "spa", "random"):
            raise ValueError(f"init={self.init!r}: 'nndsvd', 'spa', 'random' or an array is needed")
        if self.n_restarts > 1 and not (isinstance(self.init, str) and self.init == "random"):
            raise ValueError(f"n_restarts={self.n_restarts} needs init='random'")
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype={self.dtype!r}: 'float64' or 'float32' is needed")

    def _starts(self, spectra: Spectra) -> np.ndarray:
        """(n_restarts, k, n_wave)."""
        k, n_wave = self.n_components, spectra.shape[1]
        largest = max(float(X.max()) for _, X, *_ in spectra.unweighted().pieces())
        if not largest > 0:
            raise ValueError("X has no value above zero: there is nothing to factorise")
        if not isinstance(self.init, str):
            H = float_array(self.init)
            if H.shape[-2:] != (k, n_wave) or H.ndim > 3 or not (np.isfinite(H) & (H >= 0)).all():
                raise ValueError(f"init: non-negative components ({k}, {n_wave}) are needed")
            H = np.ldexp(H, -exponent(H.max(axis=-1, keepdims=True)))
            return H.reshape(-1, k, n_wave)
        rng = self.random_state
        rng = rng if isinstance(rng, np.random.Generator) else check_random_state(rng)
        return starts.named(spectra, self.init, k, self.n_restarts, rng)

    def _report(self, W: np.ndarray, H: np.ndarray) -> None:
        """Say what a caller should know of a fit that did not end well."""
        if empty := int((W.max(axis=1) * H.max(axis=1) == 0).sum()):
            warnings.warn(f"{empty} of {len(H)} components are empty", stacklevel=3)
        if self.converged_ or self.tol == 0:
            return
        message = (
            f"stopped at max_iter={self.max_iter} with optimality "
            f"{self.optimality_[-1]:.1e} > tol={self.tol:.1e}: raise max_iter or tol"
        )
        if self.strict:
            raise NotConvergedError(message)
        warnings.warn(message, ConvergenceWarning, stacklevel=3)


def unmix(
    X: Array,
    components: Array,
    *,
    smoothness: float = 0.0,
    inverse_variance: Array | None = None,
) -> Array:
    """The non-negative weights with which given components fit spectra best.

    Each spectrum's weights w >= 0 minimise

        sum_j v_j (x_j - sum_k w_k h_kj)^2 + smoothness * mean(v) * sum_k w_k^2 ||D h_k||^2

    with v its inverse variance, mean(v) the mean of those above 0 and D the first difference
    along wavelength: the objective of `SmoothNMF` with the components held.

    Parameters
    ----------
    X : array of shape (n_spectra, n_wave)
        The spectra: of numpy, torch or pandas, or on disk, as `SmoothNMF.fit` takes them.
    components : array of shape (k, n_wave)
        The components, in the same channels.
    smoothness : float, default 0.0
        Penalty of weights of rough components, 0 to 1e9.
    inverse_variance : array of shape (n_spectra, n_wave) or None, default None
        Weights of the pixels; 0 where a value does not count. None is 1 throughout.

    Returns
    -------
    array of shape (n_spectra, k)
        The weights, in the unit of X over that of the components; a tensor on X's device where X
        is one.

    Raises
    ------
    ValueError
        X and the components have different channels, or one of them has NaN or infinite values
        under weight; a negative inverse variance; a smoothness out of its range.

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
    H, as_it_is = float_array(components), on_disk(X) or isinstance(X, Tensor)
    data = X if as_it_is else check_array(X, dtype=FLOATS, ensure_all_finite=False)
    check_two_dimensions(data)
    check_components(H, data.shape[1])
    spectra = spectra_of(data, inverse_variance, "cpu", torch.float64)
    # each component over a power of two: the squares of very large or small ones are no numbers
    scale = exponent(np.abs(H).max(axis=1, initial=0, keepdims=True))
    W = _best_weights(spectra, np.ldexp(H, -scale), smoothness)
    return as_given(X, "float64")(spectra.scale.of_weights(np.ldexp(W, -scale).T))


def scan_smoothness(
    model: SmoothNMF,
    X: Array,
    smoothness: Sequence[float],
    *,
    inverse_variance: Array | None = None,
    every_start: bool = False,
) -> list:
    """The model fitted to X (n_spectra, n_wave) at each smoothness, side by side: a list of models.

    All fits share their passes over X, and each is the one that `fit` finds at its smoothness.
    every_start : not the best of the starts alone, but a list of them all at each smoothness
    """
    models = [clone(model).set_params(smoothness=float(value)) for value in smoothness]
    if not models:
        raise ValueError("smoothness: at least one value is needed")
    for each in models:
        each._check_parameters()
    first = models[0]
    with _one_blas_thread(), memory_explained(X, inverse_variance, first.dtype, first.device):
        spectra = first._spectra(X, inverse_variance, reset=True)
        check_rank(first.n_components, spectra.shape)
        H = first._starts(spectra)
        repeated = np.repeat([each.smoothness for each in models], len(H))
        fits = first._run(spectra, np.concatenate([H] * len(models)), repeated)
    names = {key: value for key, value in vars(first).items() if key.endswith("_in_")}
    found: list[list[SmoothNMF]] = []
    for i, each in enumerate(models):
        vars(each).update(names)
        of_starts = fits[i * len(H) : (i + 1) * len(H)]
        found.append([])
        for group in [[fit] for fit in of_starts] if every_start else [of_starts]:
            found[-1].append(copy.copy(each))
            found[-1][-1]._keep(spectra, group, as_given(X, each.dtype))
    return found if every_start else [one for (one,) in found]


def _best_weights(spectra: Spectra, H: np.ndarray, smoothness: float) -> np.ndarray:
    """The weights, (k, n_spectra), that are best for components H (k, n_wave)."""
    with _one_blas_thread():
        on_device = torch.from_numpy(H[None]).to(spectra.device)
        lam = on_device.new_tensor([float(smoothness)])
        return solver.weights_for(spectra, lam, on_device)[0].cpu().numpy()


def _misfit(spectra: Spectra, W: np.ndarray, H: np.ndarray) -> float:
    """sum_ij v_ij (X - W H)_ij^2 for W (k, n_spectra) and H (k, n_wave)."""
    return spectra.misfit(*(torch.from_numpy(Z).to(spectra.device) for Z in (W, H)))


def _one_blas_thread() -> AbstractContextManager:
    """A context in which numpy takes one thread, and torch, which makes the passes over X, all.

    Two pools of threads in turn wait for the same cores: a fit of 80 x 2250 pixels with weights
    takes up to 5 times as long on 2 cores.
    """
    return _thread_pools().limit(limits=1, user_api="blas")


@functools.cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all libraries that are loaded, once


def _maximum_gauge(W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same W H with every component's maximum 1, by falling share of the total flux."""
    maximum = H.max(axis=1, keepdims=True)
    maximum[maximum == 0] = 1
    order = np.argsort(-W.sum(axis=1) * H.sum(axis=1), kind="stable")
    return (W * maximum)[order], (H / maximum)[order]
