"""SmoothNMF: the factorisation with scikit-learn's conventions."""

import contextlib
import copy
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController
from torch import Tensor

from .nmf import solver, starts
from .nmf.arrays import as_given, as_tensor, checked_weights, device_named, float_array, on_disk
from .nmf.progress import Progress
from .nmf.scale import Array, exponent, scale_of
from .nmf.spectra import Spectra

MOST_SMOOTHNESS = 1e9  # the optimality ends at about 1e-16 times it, by rounding
OUT_OF_MEMORY = "out of memory", "can't allocate memory", "DefaultCPUAllocator"  # torch's words


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
        init: str | ArrayLike | Tensor = "nndsvd",
        n_restarts: int = 1,
        max_iter: int = 2000,
        tol: float = 1e-6,
        strict: bool = False,
        random_state: int | starts.Random | None = None,
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
        self,
        X: ArrayLike | Tensor,
        y: object = None,
        *,
        inverse_variance: ArrayLike | Tensor | None = None,
    ) -> Self:
        """Find the components of X (n_spectra, n_wave), with v (n_spectra, n_wave) or None."""
        self.fit_transform(X, inverse_variance=inverse_variance)
        return self

    def fit_transform(
        self,
        X: ArrayLike | Tensor,
        y: object = None,
        *,
        inverse_variance: ArrayLike | Tensor | None = None,
    ) -> Array:
        """As `fit`; return the weights (n_spectra, k)."""
        self._check_parameters()
        with _one_blas_thread(), self._memory_explained(X, inverse_variance):
            spectra = self._spectra(X, inverse_variance, reset=True)
            self._check_shape(spectra.shape)
            H = self._starts(spectra)
            fits = self._run(spectra, H, np.full(len(H), float(self.smoothness)))
            return self._keep(spectra, fits, as_given(X, self.dtype))

    def transform(
        self, X: ArrayLike | Tensor, *, inverse_variance: ArrayLike | Tensor | None = None
    ) -> Array:
        """Weights (n_spectra, k) of the spectra X (n_spectra, n_wave), the components held."""
        check_is_fitted(self)
        spectra = self._spectra(X, inverse_variance, reset=False)
        return as_given(X, self.dtype)(spectra.scale.of_weights(self._weights(spectra).T))

    def inverse_transform(self, X: ArrayLike | Tensor) -> Array:
        """Spectra (n_spectra, n_wave) of the weights X (n_spectra, k)."""
        check_is_fitted(self)
        weights = X if isinstance(X, Tensor) else check_array(X)
        if weights.shape[1] != len(self.components_):
            k = len(self.components_)
            raise ValueError(f"X is {tuple(weights.shape)}, not weights of {k} components")
        if isinstance(X, Tensor):
            return X @ torch.as_tensor(self.components_).to(X)
        return weights @ np.asarray(self.components_)

    def score(
        self,
        X: ArrayLike | Tensor,
        y: object = None,
        *,
        inverse_variance: ArrayLike | Tensor | None = None,
    ) -> float:
        """Minus the mean of v (X - W H)^2 over X (n_spectra, n_wave): higher is better."""
        check_is_fitted(self)
        spectra = self._spectra(X, inverse_variance, reset=False)
        misfit = spectra.misfit(self._weights(spectra), float_array(self.components_))
        return -spectra.scale.of_squares(misfit) / (spectra.shape[0] * spectra.shape[1])

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _run(self, spectra: Spectra, H: np.ndarray, smoothness: np.ndarray) -> list[solver.Fit]:
        progress = Progress(spectra.scale, self.verbose) if self.verbose else solver.silent
        return solver.fit(spectra, H, smoothness, self.max_iter, self.tol, progress)

    def _keep(
        self, spectra: Spectra, fits: list[solver.Fit], convert: Callable[[np.ndarray], Array]
    ) -> Array:
        """Take the fit of least objective as the result; return its weights."""
        best = min(fits, key=lambda fit: fit.now.F)
        W, H = _maximum_gauge(best.now.W, best.now.H)
        self.components_ = convert(H)
        self.objective_iterations_, objective = map(np.array, zip(*best.objective, strict=True))
        self.objective_ = spectra.scale.of_squares(objective)
        self.optimality_iterations_, self.optimality_ = map(
            np.array, zip(*best.optimality, strict=True)
        )
        self.converged_ = bool(self.optimality_[-1] <= self.tol)
        self.n_iter_ = best.n_iter
        self.restart_objectives_ = spectra.scale.of_squares([fit.now.F for fit in fits])
        self.reconstruction_err_ = spectra.scale.of_roots(spectra.misfit(W, H) ** 0.5)
        self._report(W, H)
        return convert(spectra.scale.of_weights(W.T))

    def _weights(self, spectra: Spectra) -> np.ndarray:
        """(k, n_spectra), best for the components of the fit."""
        H = float_array(self.components_)
        with _one_blas_thread():
            XHt, A = spectra.with_components(H[None])[0], spectra.gram_of_components(H[None])[0]
            of = XHt, A, H, float(self.smoothness), spectra.mean_weight
            return solver.weights_for(*of, np.zeros_like(XHt))

    def _spectra(self, X: Any, inverse_variance: ArrayLike | Tensor | None, reset: bool) -> Spectra:
        """X and v, checked, of the dtype and on the device asked for."""
        dtype = {"float64": torch.float64, "float32": torch.float32}[self.dtype]
        device = X.device if isinstance(X, Tensor) else device_named(self.device)
        if np.ma.is_masked(X) or np.ma.is_masked(inverse_variance):
            raise ValueError(
                "a masked array: give its values, and an inverse_variance of 0 where masked"
            )
        if on_disk(X):
            self._check_dimensions(X, reset)
        elif isinstance(X, Tensor):
            X = X.detach().to(device)
            self._check_dimensions(X, reset)
            X = X if X.is_floating_point() else X.to(dtype)
        else:
            floats = np.float64, np.float32
            X = validate_data(self, X, reset=reset, dtype=floats, ensure_all_finite=False)
            X = as_tensor(X).to(device)
        v = checked_weights(inverse_variance, X)
        spectra = Spectra(X, v, device, dtype, scale_of(X, v, dtype))
        spectra.scale.check_sum(spectra.sum_of_squares)
        return spectra

    def _check_dimensions(self, X: Array, reset: bool) -> None:
        if X.ndim != 2:
            raise ValueError(f"X has {X.ndim} dimensions, not (n_spectra, n_wave)")
        if reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} channels, the fit had {self.n_features_in_}")

    def _check_parameters(self) -> None:
        for name in ("n_components", "n_restarts", "max_iter"):
            value = getattr(self, name)
            is_whole = isinstance(value, Integral)
            if not (is_whole and value >= 1):
                raise ValueError(f"{name}={value!r}: a whole number of at least 1 is needed")
        for name in ("smoothness", "tol"):
            value = getattr(self, name)
            is_number = isinstance(value, Real)
            if not (is_number and 0 <= value < np.inf):
                raise ValueError(f"{name}={value!r}: a finite number of at least 0 is needed")
        if self.smoothness > MOST_SMOOTHNESS:
            raise ValueError(
                f"smoothness={self.smoothness!r}: at most {MOST_SMOOTHNESS:g} is needed; that "
                "smooths over 30 000 channels, and more cannot be told from rounding"
            )
        if isinstance(self.init, str) and self.init not in ("nndsvd", "spa", "random"):
            raise ValueError(f"init={self.init!r}: 'nndsvd', 'spa', 'random' or an array is needed")
        if self.n_restarts > 1 and not (isinstance(self.init, str) and self.init == "random"):
            raise ValueError(f"n_restarts={self.n_restarts} needs init='random'")
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype={self.dtype!r}: 'float64' or 'float32' is needed")

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        n_spectra, n_wave = shape
        if self.n_components > min(n_spectra, n_wave):
            raise ValueError(
                f"n_components={self.n_components} is more than {n_spectra} spectra "
                f"of {n_wave} channels can give"
            )

    def _starts(self, spectra: Spectra) -> np.ndarray:
        """(n_restarts, k, n_wave)."""
        k, n_wave = self.n_components, spectra.shape[1]
        largest = max(float(X.max()) for _, X, _ in spectra.unweighted().pieces())
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

    @contextlib.contextmanager
    def _memory_explained(self, X: Any, inverse_variance: object) -> Iterator[None]:
        """Say how much memory a fit needs, where that is more than there is."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            of_torch = any(words in str(error) for words in OUT_OF_MEMORY)
            if not (isinstance(error, MemoryError) or of_torch):
                raise
            copies = 2 if inverse_variance is None else 5  # X, v, v X and one while it is made
            size = X.shape[0] * X.shape[1] * np.dtype(self.dtype).itemsize * copies / 2**30
            raise MemoryError(
                f"a fit of {X.shape[0]} x {X.shape[1]} values in {self.dtype} needs about "
                f"{size:.2g} GiB on {self.device!r}: give X as a memory-mapped array, "
                "dtype='float32', or fewer spectra"
            ) from error

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


def scan_smoothness(
    model: SmoothNMF,
    X: ArrayLike | Tensor,
    smoothness: Iterable[float],
    *,
    inverse_variance: ArrayLike | Tensor | None = None,
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
    with _one_blas_thread(), first._memory_explained(X, inverse_variance):
        spectra = first._spectra(X, inverse_variance, reset=True)
        first._check_shape(spectra.shape)
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


def _one_blas_thread() -> contextlib.AbstractContextManager:
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
