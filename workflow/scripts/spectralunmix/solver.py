"""Alternating proximal gradient with extrapolation, for the smooth NMF objective.

The scheme of Xu & Yin (2013, SIAM J. Imaging Sci. 6, 1758): the weights are
updated (`updates`) against an extrapolation of the components, then the
components against the new weights.
Where the objective would rise the step is taken back and the extrapolation
restarted.  The product of X with the extrapolated components follows from those
with their last two iterates, so an outer iteration makes two passes over X and
ends with the true objective of its (W, H).
"""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from .objective import (
    Spectra,
    gradient_components,
    gradient_weights,
    relative_projected,
    roughness,
    value,
)
from .updates import EXACT, nonnegative_quadratic, smooth_nonnegative_quadratic

# Extrapolation: where it starts, how fast it grows while F falls and shrinks
# where F rises (Ang & Gillis 2019, Neural Comput. 31, 417, give the range).
FIRST_EXTRAPOLATION, GROWTH, SHRINKAGE = 0.5, 1.05, 1.5
CERTIFY_EVERY = 5  # outer iterations, with weights: a certificate then costs Gram matrices


@dataclasses.dataclass(frozen=True)
class Fit:
    """What one fit ends with; the columns of `weights` have unit length.

    weights : (n_spectra, k); components : (k, n_wave)
    objective : one value an accepted iteration, the start included; never rising
    optimality : (iteration, value) pairs of the larger factor's `relative_projected`
    n_iter : outer iterations made, rejected ones included
    converged : whether the last optimality is at most the tolerance
    """

    weights: Tensor
    components: Tensor
    objective: list[float]
    optimality: list[tuple[int, float]]
    n_iter: int
    converged: bool


def weights_for(
    spectra: Spectra, XHt: Tensor, H: Tensor, smoothness: Tensor, start: Tensor, **limits
) -> Tensor:
    """W >= 0, (fits, k, n_spectra), for components H, from H (v X)^T."""
    A = spectra.gram_of_components(H)
    ridge = torch.diag_embed(smoothness[:, None] * roughness(H))
    A = A + (ridge if A.dim() == 3 else ridge[..., None])
    return nonnegative_quadratic(A, XHt, start, **limits)


def components_for(WtX: Tensor, A: Tensor, W: Tensor, smoothness: Tensor, start: Tensor) -> Tensor:
    """H >= 0, (fits, k, n_wave), for weights W, from W^T (v X) and their Gram matrices A."""
    if not bool(smoothness.any()):
        return nonnegative_quadratic(A, WtX, start)
    coupling = smoothness[:, None] * W.square().sum(dim=2)
    return smooth_nonnegative_quadratic(A, WtX, start, coupling)


def fit(
    spectra: Spectra,
    H: Tensor,
    smoothness: Tensor,
    max_iter: int,
    tol: float,
    progress: Callable[[int, Tensor, Tensor], None] | None = None,
) -> list[Fit]:
    """Minimise F over W, H >= 0 from components H (fits, k, n_wave), all fits side by side.

    smoothness : (fits,)
    max_iter : outer iterations (two passes over X each)
    tol : a fit stops at this optimality; 0 never stops early
    progress : called with the iteration, the objectives and the optimalities
    """
    # F is a difference of sums as large as that of X^2: below this it is not told apart
    rounding = 2 * torch.finfo(H.dtype).eps * spectra.sum_of_squares
    last = now = _first(spectra, H, smoothness)
    optimal = _optimality(spectra, now, smoothness)
    n_iter = torch.zeros(len(H), dtype=torch.int64, device=H.device)
    active = (optimal > tol) | (tol == 0)
    objectives, optimalities = [(n_iter, now.F)], [(n_iter, optimal)]
    beta = torch.full_like(now.F, FIRST_EXTRAPOLATION)
    for iteration in range(1, max_iter + 1):
        if not bool(active.any()):
            break
        before, new = _propose(spectra, now, last, beta, smoothness)
        n_iter = n_iter + active
        accepted = active & (now.F + rounding >= new.F)
        new = dataclasses.replace(new, F=torch.minimum(new.F, now.F))
        last, now = now.replaced(accepted, before), now.replaced(accepted, new)
        beta = torch.where(accepted, (GROWTH * beta).clamp(max=1), beta / SHRINKAGE)
        objectives.append((torch.where(accepted, n_iter, -1), now.F))
        if spectra.weights is None or iteration % CERTIFY_EVERY == 0 or iteration == max_iter:
            optimal = _optimality(spectra, now, smoothness)
            optimalities.append((torch.where(active, n_iter, -1), optimal))
            active = active & ((optimal > tol) | (tol == 0))
            if progress:
                progress(iteration, now.F, optimal)
    return [
        Fit(
            now.W[i].mT,
            now.H[i],
            [float(F[i]) for n, F in objectives if n[i] >= 0],
            [(int(n[i]), float(value[i])) for n, value in optimalities if n[i] >= 0],
            int(n_iter[i]),
            bool(optimal[i] <= tol),
        )
        for i in range(len(H))
    ]


@dataclasses.dataclass(frozen=True)
class _Iterate:
    """Factors of all fits, with the products that F and its gradient need.

    W (fits, k, n_spectra), H (fits, k, n_wave), WtX = W^T (v X), A the Gram matrices
    of W, XHt = H (v X)^T, F (fits,)
    """

    W: Tensor
    H: Tensor
    WtX: Tensor
    A: Tensor
    XHt: Tensor
    F: Tensor

    def replaced(self, where: Tensor, other: "_Iterate") -> "_Iterate":
        """The other's values for the fits flagged in `where` (fits,)."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Iterate(
            *(torch.where(where.view(-1, *[1] * (a.dim() - 1)), b, a) for a, b in pairs)
        )


def _first(spectra: Spectra, H: Tensor, smoothness: Tensor) -> _Iterate:
    """Components H with the best weights for them."""
    XHt = spectra.with_components(H)
    W = weights_for(spectra, XHt, H, smoothness, torch.zeros_like(XHt), **EXACT)
    length = _lengths(W)
    W, H = W / length, H * length
    WtX, A = spectra.with_weights(W), spectra.gram_of_weights(W)
    return _Iterate(W, H, WtX, A, XHt * length, value(spectra, WtX, A, W, H, smoothness))


def _propose(
    spectra: Spectra, now: _Iterate, last: _Iterate, beta: Tensor, smoothness: Tensor
) -> tuple[_Iterate, _Iterate]:
    """The next iterate, and `now` in its gauge: columns of W of unit length."""
    ahead = beta[:, None, None]
    H_ahead = now.H + ahead * (now.H - last.H)
    XHt_ahead = now.XHt + ahead * (now.XHt - last.XHt)
    W = weights_for(spectra, XHt_ahead, H_ahead, smoothness, now.W)
    length = _lengths(W)
    W = W / length
    before = dataclasses.replace(now, H=now.H * length, XHt=now.XHt * length)
    WtX, A = spectra.with_weights(W), spectra.gram_of_weights(W)
    H = components_for(WtX, A, W, smoothness, before.H)
    F = value(spectra, WtX, A, W, H, smoothness)
    return before, _Iterate(W, H, WtX, A, spectra.with_components(H), F)


def _optimality(spectra: Spectra, at: _Iterate, smoothness: Tensor) -> Tensor:
    """The larger of both factors' relative projected gradients, (fits,)."""
    gradient = gradient_components(at.WtX, at.A, at.W, at.H, smoothness)
    in_components = relative_projected(gradient, at.H, at.WtX)
    gradient = gradient_weights(at.XHt, spectra.gram_of_components(at.H), at.W, at.H, smoothness)
    return torch.maximum(in_components, relative_projected(gradient, at.W, at.XHt))


def _lengths(W: Tensor) -> Tensor:
    """||w_k||, (fits, k, 1), or 1 where a component is empty."""
    length = W.norm(dim=2, keepdim=True)
    return torch.where(length > 0, length, 1.0)
