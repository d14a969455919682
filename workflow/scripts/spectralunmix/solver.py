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
    fits = len(H)
    # F is a difference of sums as large as that of X^2: below this it is not told apart
    rounding = 2 * torch.finfo(H.dtype).eps * spectra.sum_of_squares

    def column(flags: Tensor) -> Tensor:
        return flags[:, None, None]

    def certificate(W: Tensor, WtX: Tensor, A: Tensor, H: Tensor, XHt: Tensor) -> Tensor:
        in_components = relative_projected(gradient_components(WtX, A, W, H, smoothness), H, WtX)
        A = spectra.gram_of_components(H)
        in_weights = relative_projected(gradient_weights(XHt, A, W, H, smoothness), W, XHt)
        return torch.maximum(in_weights, in_components)

    XHt = spectra.with_components(H)
    W = weights_for(spectra, XHt, H, smoothness, torch.zeros_like(XHt), **EXACT)
    length = _lengths(W)
    W, H, XHt = W / length, H * length, XHt * length
    WtX, A = spectra.with_weights(W), spectra.gram_of_weights(W)
    F = value(spectra, WtX, A, W, H, smoothness)
    optimal = certificate(W, WtX, A, H, XHt)
    active = ~(optimal <= tol) if tol > 0 else torch.ones_like(optimal, dtype=torch.bool)
    n_iter = torch.zeros(fits, dtype=torch.int64, device=H.device)
    objectives, optimalities = [(active | True, F)], [(n_iter.clone(), active | True, optimal)]

    H_last, XHt_last = H, XHt
    beta = torch.full_like(F, FIRST_EXTRAPOLATION)
    for iteration in range(1, max_iter + 1):
        if not bool(active.any()):
            break
        ahead = column(beta)
        H_ahead = H + ahead * (H - H_last)
        XHt_ahead = XHt + ahead * (XHt - XHt_last)
        W_new = weights_for(spectra, XHt_ahead, H_ahead, smoothness, W)
        length = _lengths(W_new)
        W_new, H_start = W_new / length, H * length
        WtX, A = spectra.with_weights(W_new), spectra.gram_of_weights(W_new)
        H_new = components_for(WtX, A, W_new, smoothness, H_start)
        XHt_new = spectra.with_components(H_new)
        F_new = value(spectra, WtX, A, W_new, H_new, smoothness)

        n_iter = n_iter + active
        accepted = active & (F_new <= F + rounding)
        taken = column(accepted)
        H_last = torch.where(taken, H_start, H)
        XHt_last = torch.where(taken, XHt * length, XHt)
        W, H = torch.where(taken, W_new, W), torch.where(taken, H_new, H)
        XHt, F = torch.where(taken, XHt_new, XHt), torch.where(accepted, torch.minimum(F_new, F), F)
        beta = torch.where(accepted, (GROWTH * beta).clamp(max=1), beta / SHRINKAGE)
        objectives.append((accepted, F))
        if spectra.weights is None or iteration % CERTIFY_EVERY == 0 or iteration == max_iter:
            # where the step was taken back, WtX and A are not those of (W, H): no certificate
            latest = certificate(W_new, WtX, A, H_new, XHt_new)
            optimalities.append((n_iter, accepted, latest))
            optimal = torch.where(accepted, latest, optimal)
            if tol > 0:
                active = active & ~(optimal <= tol)
            if progress:
                progress(iteration, F, optimal)
    return [
        Fit(
            W[i].mT,
            H[i],
            [float(f[i]) for taken, f in objectives if taken[i]],
            [(int(n[i]), float(o[i])) for n, taken, o in optimalities if taken[i]],
            int(n_iter[i]),
            bool(optimal[i] <= tol),
        )
        for i in range(fits)
    ]


def _lengths(W: Tensor) -> Tensor:
    """||w_k||, (fits, k, 1), or 1 where a component is empty."""
    length = W.norm(dim=2, keepdim=True)
    return torch.where(length > 0, length, 1.0)
