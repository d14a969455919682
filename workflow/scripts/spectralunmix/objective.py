"""The objective of smooth non-negative factorisation, its gradient and its optimality.

    F(W, H) = ||X - W H||_F^2 + smoothness * sum_k ||w_k||^2 ||D h_k||^2

X is (n_spectra, n_wave), W (n_spectra, k), H (k, n_wave), and D takes first
differences along wavelength.  Where the columns of W have unit length this is
Eq. 1 of De Souza et al. (2026).  Their penalty, ||H D^T||^2, can be driven to
zero by W -> c W, H -> H / c, which leaves the fit as it is; the factor
||w_k||^2 makes the penalty the roughness of what a component contributes to
the spectra, which no rescaling changes.

Everything here works on the small products W^T X, X H^T and the Gram matrices,
so that evaluating costs no pass over X beyond those of the update.
"""

import torch
from torch import Tensor


def roughness(H: Tensor) -> Tensor:
    """||D h_k||^2 of each component, (k,), for H of shape (k, n_wave)."""
    return H.diff(dim=-1).square().sum(dim=-1)


def second_difference(H: Tensor) -> Tensor:
    """H D^T D, (k, n_wave): the gradient of half the roughness, free ends."""
    steps = H.diff(dim=-1)
    return torch.nn.functional.pad(steps, (1, 0)) - torch.nn.functional.pad(steps, (0, 1))


def misfit(XHt: Tensor, W: Tensor, H: Tensor, sum_of_squares: Tensor) -> Tensor:
    """||X - W H||_F^2 from X H^T (n_spectra, k) and ||X||_F^2."""
    return sum_of_squares - 2 * (XHt * W).sum() + ((W.T @ W) * (H @ H.T)).sum()


def penalty(W: Tensor, H: Tensor, smoothness: float) -> Tensor:
    """smoothness * sum_k ||w_k||^2 ||D h_k||^2."""
    return smoothness * (W.square().sum(dim=0) * roughness(H)).sum()


def gradient_weights(XHt: Tensor, W: Tensor, H: Tensor, smoothness: float) -> Tensor:
    """Half of dF/dW, (n_spectra, k)."""
    return W @ (H @ H.T) - XHt + smoothness * W * roughness(H)


def gradient_components(WtX: Tensor, W: Tensor, H: Tensor, smoothness: float) -> Tensor:
    """Half of dF/dH, (k, n_wave)."""
    coupling = smoothness * W.square().sum(dim=0)[:, None]
    return (W.T @ W) @ H - WtX + coupling * second_difference(H)


def projected(gradient: Tensor, factor: Tensor) -> Tensor:
    """The part of a gradient that a feasible step can follow.

    Where the factor is zero only a negative gradient counts.  A pair (W, H) is
    a stationary point of F under W, H >= 0 exactly where this is zero for both.
    """
    return torch.where(factor > 0, gradient, gradient.clamp(max=0))


def optimality(XHt: Tensor, WtX: Tensor, W: Tensor, H: Tensor, smoothness: float) -> Tensor:
    """Relative projected gradient: the larger of the two factors' ratios

        ||P dF/dW|| / ||2 X H^T||   and   ||P dF/dH|| / ||2 W^T X||.

    It has no units, needs no reference to the start, and is zero exactly at a
    stationary point (Lin 2007, Neural Comput. 19, 2756, uses the same norm).
    """
    in_weights = projected(gradient_weights(XHt, W, H, smoothness), W).norm() / XHt.norm()
    in_components = projected(gradient_components(WtX, W, H, smoothness), H).norm() / WtX.norm()
    return torch.maximum(in_weights, in_components)
