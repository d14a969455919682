"""SmoothNMF: the factorisation with scikit-learn's conventions."""

import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import solver, starts


class SmoothNMF(TransformerMixin, BaseEstimator):
    """Non-negative matrix factorisation with smooth components, X ~ W H.

    Minimises, over W (n_spectra, k) >= 0 and H (k, n_wave) >= 0,

        ||X - W H||_F^2 + smoothness * sum_k ||w_k||^2 ||D h_k||^2

    with D the first difference along wavelength: Eq. 1 of De Souza et al. (2026)
    in the gauge ||w_k|| = 1, where it is well-posed.  The penalty acts as the
    low-pass filter (1 + smoothness D^T D)^-1 on each component, with a length of
    about sqrt(smoothness) channels.  Computed in float64 on the CPU.

    Parameters
    ----------
    n_components : k, at most the number of spectra
    smoothness : lambda >= 0; 0 is plain NMF
    init : starting components: "nndsvd", "spa" (the most extreme spectra) or "random"
    max_iter : outer iterations, of two passes over X each
    tol : the fit stops where `optimality_` is at most this; 0 runs to `max_iter`
    random_state : int, numpy RandomState or None; used by init="random" alone

    Attributes
    ----------
    components_ : (k, n_wave), each with maximum 1, by falling share of the total flux;
        so the weights have the unit of X
    objective_ : (n_accepted + 1,), the objective from the start on; it never rises
    optimality_ : (n_accepted + 1,), the relative projected gradient (`objective.optimality`)
    converged_ : whether the last optimality is at most `tol`
    n_iter_ : outer iterations made
    reconstruction_err_ : ||X - W H||_F
    n_features_in_ : n_wave

    Raises
    ------
    ValueError : X has NaN, infinite or negative values or is zero throughout;
        more components than spectra or channels; a parameter out of its range
    """

    def __init__(
        self,
        n_components=4,
        *,
        smoothness=1.0,
        init="nndsvd",
        max_iter=2000,
        tol=1e-6,
        random_state=None,
    ):
        self.n_components = n_components
        self.smoothness = smoothness
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find the components of X (n_spectra, n_wave)."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X, y=None):
        """Find the components of X (n_spectra, n_wave); return the weights (n_spectra, k)."""
        X = self._validated(X, reset=True)
        self._check_parameters(X)
        result = solver.fit(X, self._start(X), float(self.smoothness), self.max_iter, self.tol)
        if not result.converged and self.tol > 0:
            warnings.warn(
                f"stopped at max_iter={self.max_iter} with optimality "
                f"{result.optimality[-1]:.1e} > tol={self.tol:.1e}: raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        W, H = _maximum_gauge(result.weights, result.components)
        if empty := int((W.sum(dim=0) * H.sum(dim=1) == 0).sum()):
            warnings.warn(f"{empty} of {len(H)} components are empty", stacklevel=2)
        self.components_ = H.numpy()
        self.objective_ = np.array(result.objective)
        self.optimality_ = np.array(result.optimality)
        self.converged_ = result.converged
        self.n_iter_ = result.n_iter
        self.reconstruction_err_ = float((X - W @ H).norm())
        return W.numpy()

    def transform(self, X):
        """Weights (n_spectra, k) of the spectra X (n_spectra, n_wave), the components held."""
        check_is_fitted(self)
        X, H = self._validated(X, reset=False), torch.from_numpy(self.components_)
        start = torch.zeros((len(X), len(H)), dtype=X.dtype)
        return solver.weights_for(X @ H.T, H, float(self.smoothness), start, **solver.EXACT).numpy()

    def inverse_transform(self, W):
        """Spectra (n_spectra, n_wave) of the weights W (n_spectra, k)."""
        check_is_fitted(self)
        return np.asarray(W) @ self.components_

    def _validated(self, X, reset: bool) -> torch.Tensor:
        X = validate_data(
            self, X, reset=reset, dtype=np.float64, order="C", ensure_non_negative=True
        )
        return torch.from_numpy(X)

    def _check_parameters(self, X: torch.Tensor) -> None:
        k, (n_spectra, n_wave) = self.n_components, X.shape
        if not (isinstance(k, Integral) and k >= 1):
            raise ValueError(f"n_components={k!r}: a whole number of at least 1 is needed")
        if k > min(n_spectra, n_wave):
            raise ValueError(
                f"n_components={k} is more than {n_spectra} spectra of {n_wave} channels can give"
            )
        for name in ("smoothness", "tol"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 <= value < np.inf):
                raise ValueError(f"{name}={value!r}: a finite number of at least 0 is needed")
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1):
            raise ValueError(f"max_iter={self.max_iter!r}: a whole number of at least 1 is needed")
        if self.init not in ("nndsvd", "spa", "random"):
            raise ValueError(f"init={self.init!r}: 'nndsvd', 'spa' or 'random' is needed")
        if not X.any():
            raise ValueError("X is zero throughout: there is nothing to factorise")

    def _start(self, X: torch.Tensor) -> torch.Tensor:
        if self.init == "random":
            seed = check_random_state(self.random_state).randint(2**31)
            return starts.random(X, self.n_components, torch.Generator().manual_seed(seed))
        return getattr(starts, self.init)(X, self.n_components)


def _maximum_gauge(W: torch.Tensor, H: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same W H with every component's maximum 1, by falling share of the total flux."""
    maximum = H.amax(dim=1)
    maximum = torch.where(maximum > 0, maximum, 1.0)
    order = (W.sum(dim=0) * H.sum(dim=1)).argsort(descending=True, stable=True)
    return (W * maximum)[:, order].contiguous(), (H / maximum[:, None])[order].contiguous()
