"""Alternating proximal gradient with extrapolation, for the smooth NMF objective.

The scheme of Xu & Yin (2013, SIAM J. Imaging Sci. 6, 1758): each factor is
updated by accelerated proximal-gradient steps (`updates`) against an
extrapolation of the other, and the extrapolation is restarted where the
objective would rise.  The products of X with an extrapolated factor follow from
those with its last two iterates, so one outer iteration makes exactly two passes
over X and ends with the true objective and the true optimality of (W, H).
"""

import dataclasses

import torch
from torch import Tensor

from .objective import misfit, optimality, penalty, roughness
from .updates import nonnegative_quadratic

# Extrapolation: where it starts, how fast it grows while F falls and shrinks
# where F rises (Ang & Gillis 2019, Neural Comput. 31, 417, give the range).
FIRST_EXTRAPOLATION, GROWTH, SHRINKAGE = 0.5, 1.05, 1.5
# A start's weights are solved for to rounding: exact components give an exact fit.
EXACT = {"max_steps": 20_000, "tol": 1e-12}


@dataclasses.dataclass(frozen=True)
class Fit:
    """What a fit ends with; the columns of `weights` have unit length.

    weights : (n_spectra, k); components : (k, n_wave)
    objective, optimality : one value an accepted iteration, the start included
    n_iter : outer iterations made, rejected ones included
    converged : whether the last optimality is at most the tolerance
    """

    weights: Tensor
    components: Tensor
    objective: list[float]
    optimality: list[float]
    n_iter: int
    converged: bool


@dataclasses.dataclass(frozen=True)
class _Iterate:
    """A pair (W, H) with its two products with X."""

    W: Tensor
    H: Tensor
    WtX: Tensor
    XHt: Tensor

    def rescaled(self, length: Tensor) -> "_Iterate":
        """The same W H with the columns of W divided by `length` (k,)."""
        up, down = length[:, None], length
        return _Iterate(self.W / down, self.H * up, self.WtX / up, self.XHt * down)


def _lengths(W: Tensor) -> Tensor:
    """||w_k||, (k,), or 1 where a component is empty."""
    length = W.norm(dim=0)
    return torch.where(length > 0, length, 1.0)


def weights_for(X_Ht: Tensor, H: Tensor, smoothness: float, start: Tensor, **limits) -> Tensor:
    """W >= 0, (n_spectra, k), for components H, from X H^T (n_spectra, k)."""
    A = H @ H.T + smoothness * torch.diag(roughness(H))
    return nonnegative_quadratic(A, X_Ht.T, start.T, **limits).T


def components_for(Wt_X: Tensor, W: Tensor, smoothness: float, start: Tensor, **limits) -> Tensor:
    """H >= 0, (k, n_wave), for weights W, from W^T X (k, n_wave)."""
    coupling = smoothness * W.square().sum(dim=0) if smoothness else None
    return nonnegative_quadratic(W.T @ W, Wt_X, start, coupling, **limits)


def _start(X: Tensor, H: Tensor, smoothness: float) -> _Iterate:
    XHt = X @ H.T
    W = weights_for(XHt, H, smoothness, torch.zeros_like(XHt), **EXACT)
    return _Iterate(W, H, W.T @ X, XHt).rescaled(_lengths(W))


def fit(X: Tensor, H: Tensor, smoothness: float, max_iter: int, tol: float) -> Fit:
    """Minimise F over W, H >= 0 from the components H (k, n_wave).

    X : (n_spectra, n_wave), not changed
    max_iter : outer iterations (two passes over X each)
    tol : stop at this relative projected gradient (`objective.optimality`); 0 never stops early
    """
    sum_of_squares = X.square().sum()

    def value(at: _Iterate) -> float:
        return float(misfit(at.XHt, at.W, at.H, sum_of_squares) + penalty(at.W, at.H, smoothness))

    def certificate(at: _Iterate) -> float:
        return float(optimality(at.XHt, at.WtX, at.W, at.H, smoothness))

    last = now = _start(X, H, smoothness)
    objective, optimalities = [value(now)], [certificate(now)]
    beta, n_iter = FIRST_EXTRAPOLATION, 0
    while n_iter < max_iter and not optimalities[-1] <= tol:
        n_iter += 1
        H_ahead = now.H + beta * (now.H - last.H)
        XHt_ahead = now.XHt + beta * (now.XHt - last.XHt)
        W = weights_for(XHt_ahead, H_ahead, smoothness, now.W)
        WtX = W.T @ X
        W_ahead = W + beta * (W - now.W)
        WtX_ahead = WtX + beta * (WtX - now.WtX)
        H = components_for(WtX_ahead, W_ahead, smoothness, now.H)
        new = _Iterate(W, H, WtX, X @ H.T)
        F = value(new)
        if F <= objective[-1]:  # noqa: SIM300
            length = _lengths(W)
            last, now = now.rescaled(length), new.rescaled(length)
            objective.append(F)
            optimalities.append(certificate(now))
            beta = min(1.0, GROWTH * beta)
        else:
            last, beta = now, beta / SHRINKAGE
    return Fit(now.W, now.H, objective, optimalities, n_iter, optimalities[-1] <= tol)
