"""SmoothNMF: the factorisation with scikit-learn's conventions."""

import logging
import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from . import solver, starts
from .objective import Spectra
from .updates import EXACT

log = logging.getLogger(__name__)


class NotConvergedError(RuntimeError):
    """A fit with strict=True stopped at its limit of iterations."""


class SmoothNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Non-negative matrix factorisation with smooth components, X ~ W H.

    Minimises, over W (n_spectra, k) >= 0 and H (k, n_wave) >= 0,

        sum_ij v_ij (X - W H)_ij^2 + smoothness * sum_k ||w_k||^2 ||D h_k||^2

    with D the first difference along wavelength: Eq. 1 of De Souza et al. (2026)
    in the gauge ||w_k|| = 1, where it is well-posed.  The penalty acts as the
    low-pass filter (1 + smoothness D^T D)^-1 on each component, with a length of
    about sqrt(smoothness) channels.

    v is the inverse variance given to `fit`, 1 without one.  Where it is 0 the value
    of X does not count and may be NaN.  A channel masked in every spectrum has no data
    term: with smoothness a component runs straight across it, between its neighbours;
    without, it keeps what the start had there, and neither is a measurement.
    X may be negative where noise makes it so; it is used as it is.

    Parameters
    ----------
    n_components : k, at most the number of spectra
    smoothness : lambda >= 0; 0 is plain NMF
    init : starting components: "nndsvd", "spa" (the most extreme spectra), "random", or
        an array (k, n_wave) to start from
    n_restarts : starts of init="random", fitted side by side; the lowest objective is kept
    max_iter : outer iterations, of two passes over X each
    tol : the fit stops where its optimality is at most this; 0 runs to `max_iter`
    strict : raise NotConvergedError, instead of a ConvergenceWarning, at `max_iter`
    random_state : int, numpy RandomState or None; used by init="random" alone
    device : "cpu", "cuda" (an error where there is none), or "auto"; tensors stay where they are
    dtype : "float64" or "float32"
    verbose : log objective and optimality every that many outer iterations; 0 does not

    Attributes
    ----------
    components_ : (k, n_wave), each with maximum 1, by falling share of the total flux;
        so the weights have the unit of X
    objective_ : (n_accepted + 1,), the objective from the start on; it never rises
    optimality_ : the relative projected gradient (`objective.relative_projected`) of both
        factors, the larger, wherever it was computed
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
        n_components=4,
        *,
        smoothness=1.0,
        init="nndsvd",
        n_restarts=1,
        max_iter=2000,
        tol=1e-6,
        strict=False,
        random_state=None,
        device="cpu",
        dtype="float64",
        verbose=0,
    ):
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

    def fit(self, X, y=None, *, inverse_variance=None):
        """Find the components of X (n_spectra, n_wave), with v (n_spectra, n_wave) or None."""
        self.fit_transform(X, inverse_variance=inverse_variance)
        return self

    def fit_transform(self, X, y=None, *, inverse_variance=None):
        """As `fit`; return the weights (n_spectra, k)."""
        self._check_parameters()
        as_given = _converter(X)
        X, v = self._validated(X, inverse_variance, reset=True)
        self._check_shape(X)
        spectra = Spectra(X, v)
        start = self._starts(spectra.X)
        smoothness = torch.full((len(start),), float(self.smoothness)).to(start)
        fits = solver.fit(spectra, start, smoothness, self.max_iter, self.tol, self._progress())
        best = min(fits, key=lambda fit: fit.objective[-1])
        W, H = _maximum_gauge(best.weights, best.components)
        self.components_ = as_given(H)
        self.objective_ = np.array(best.objective)
        self.optimality_ = np.array([value for _, value in best.optimality])
        self.converged_ = best.converged
        self.n_iter_ = best.n_iter
        self.restart_objectives_ = np.array([fit.objective[-1] for fit in fits])
        self.reconstruction_err_ = float(_misfit(spectra, W, H).sqrt())
        self._report(W, H)
        return as_given(W)

    def transform(self, X, *, inverse_variance=None):
        """Weights (n_spectra, k) of the spectra X (n_spectra, n_wave), the components held."""
        check_is_fitted(self)
        as_given = _converter(X)
        return as_given(self._solve(*self._validated(X, inverse_variance, reset=False))[1])

    def inverse_transform(self, X):
        """Spectra (n_spectra, n_wave) of the weights X (n_spectra, k)."""
        check_is_fitted(self)
        if isinstance(X, Tensor):
            return X @ torch.as_tensor(self.components_).to(X)
        return check_array(X) @ np.asarray(self.components_)

    def score(self, X, y=None, *, inverse_variance=None):
        """Minus the mean of v (X - W H)^2 over X (n_spectra, n_wave): higher is better."""
        check_is_fitted(self)
        spectra, W, H = self._solve(*self._validated(X, inverse_variance, reset=False))
        return -float(_misfit(spectra, W, H)) / spectra.X.numel()

    @property
    def _n_features_out(self):
        return len(self.components_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _solve(self, X: Tensor, v: Tensor | None) -> tuple[Spectra, Tensor, Tensor]:
        spectra, H = Spectra(X, v), torch.as_tensor(self.components_).to(X)
        smoothness = torch.tensor([float(self.smoothness)]).to(X)
        XHt = spectra.with_components(H[None])
        zero = torch.zeros_like(XHt)
        W = solver.weights_for(spectra, XHt, H[None], smoothness, zero, **EXACT)
        return spectra, W[0].mT, H

    def _validated(self, X, inverse_variance, reset: bool) -> tuple[Tensor, Tensor | None]:
        """X and v as tensors of the dtype asked for, on the device asked for."""
        dtype = {"float64": torch.float64, "float32": torch.float32}[self.dtype]
        device = X.device if isinstance(X, Tensor) else _device(self.device)
        if isinstance(X, Tensor):
            X = X.detach()
            self._check_tensor(X, reset, finite=inverse_variance is None)
        else:
            finite = True if inverse_variance is None else "allow-nan"
            numpy_dtype = getattr(np, self.dtype)
            X = validate_data(self, X, reset=reset, dtype=numpy_dtype, ensure_all_finite=finite)
            X = X if X.flags.writeable else X.copy()  # torch warns of the others
        X = torch.as_tensor(X).to(device, dtype)
        if inverse_variance is None:
            return X, None
        if not isinstance(inverse_variance, Tensor):
            inverse_variance = np.asarray(inverse_variance)
        v = torch.as_tensor(inverse_variance).to(device, dtype)
        if v.shape != X.shape:
            raise ValueError(f"inverse_variance is {tuple(v.shape)}, X is {tuple(X.shape)}")
        if not bool((torch.isfinite(v) & (v >= 0)).all()):
            raise ValueError("inverse_variance has negative, NaN or infinite values")
        if not bool(torch.isfinite(X[v > 0]).all()):
            raise ValueError("X has NaN or infinite values where inverse_variance is not 0")
        return X, v

    def _check_tensor(self, X: Tensor, reset: bool, finite: bool) -> None:
        if X.dim() != 2:
            raise ValueError(f"X has {X.dim()} dimensions, not (n_spectra, n_wave)")
        if finite and not bool(torch.isfinite(X).all()):
            raise ValueError("X has NaN or infinite values")
        if reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} channels, the fit had {self.n_features_in_}")

    def _check_parameters(self) -> None:
        for name in ("n_components", "n_restarts", "max_iter"):
            value = getattr(self, name)
            if not (isinstance(value, Integral) and value >= 1):
                raise ValueError(f"{name}={value!r}: a whole number of at least 1 is needed")
        for name in ("smoothness", "tol"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 <= value < np.inf):
                raise ValueError(f"{name}={value!r}: a finite number of at least 0 is needed")
        if isinstance(self.init, str) and self.init not in ("nndsvd", "spa", "random"):
            raise ValueError(f"init={self.init!r}: 'nndsvd', 'spa', 'random' or an array is needed")
        if self.n_restarts > 1 and not (isinstance(self.init, str) and self.init == "random"):
            raise ValueError(f"n_restarts={self.n_restarts} needs init='random'")
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype={self.dtype!r}: 'float64' or 'float32' is needed")

    def _check_shape(self, X: Tensor) -> None:
        n_spectra, n_wave = X.shape
        if self.n_components > min(n_spectra, n_wave):
            raise ValueError(
                f"n_components={self.n_components} is more than {n_spectra} spectra "
                f"of {n_wave} channels can give"
            )

    def _starts(self, X: Tensor) -> Tensor:
        """(n_restarts, k, n_wave)."""
        k = self.n_components
        if not bool((X > 0).any()):
            raise ValueError("X has no value above zero: there is nothing to factorise")
        if not isinstance(self.init, str):
            H = torch.as_tensor(self.init).to(X)
            if H.shape != (k, X.shape[1]) or not bool((torch.isfinite(H) & (H >= 0)).all()):
                raise ValueError(f"init: non-negative components ({k}, {X.shape[1]}) are needed")
            return H[None]
        if self.init == "random":
            seed = check_random_state(self.random_state).randint(2**31)
            generator = torch.Generator().manual_seed(seed)
            return torch.stack([starts.random(X, k, generator) for _ in range(self.n_restarts)])
        return getattr(starts, self.init)(X, k)[None]

    def _progress(self):
        if not self.verbose:
            return None

        def progress(iteration: int, objective: Tensor, optimality: Tensor) -> None:
            if iteration % self.verbose == 0:
                best = int(objective.argmin())
                log.info(
                    "iteration %d: objective %.9g, optimality %.1e",
                    iteration,
                    float(objective[best]),
                    float(optimality[best]),
                )

        return progress

    def _report(self, W: Tensor, H: Tensor) -> None:
        """Say what a caller should know of a fit that did not end well."""
        if empty := int((W.amax(dim=0) * H.amax(dim=1) == 0).sum()):
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


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={name!r}: there is no CUDA device; use 'cpu' or 'auto'")
    return device


def _converter(X):
    """What gives a tensor back as the caller's kind of array."""
    return (lambda Z: Z) if isinstance(X, Tensor) else (lambda Z: Z.cpu().numpy())


def _misfit(spectra: Spectra, W: Tensor, H: Tensor) -> Tensor:
    squares = (spectra.X - W @ H).square()
    return (squares if spectra.weights is None else spectra.weights * squares).sum()


def _maximum_gauge(W: Tensor, H: Tensor) -> tuple[Tensor, Tensor]:
    """The same W H with every component's maximum 1, by falling share of the total flux."""
    maximum = H.amax(dim=1)
    maximum = torch.where(maximum > 0, maximum, 1.0)
    order = (W.sum(dim=0) * H.sum(dim=1)).argsort(descending=True, stable=True)
    return (W * maximum)[:, order].contiguous(), (H / maximum[:, None])[order].contiguous()
