"""Updates of one factor with the other held fixed.

Both are non-negative quadratic problems: of the weights, a small one for each spectrum (6); of the
components one for each channel, which smoothness couples to its neighbours (7).  No step touches X.
"""

import torch
from torch import Tensor

from . import device
from .linear_algebra import BlockTridiagonal
from .objective import ROUNDING, inner, relative_projected, roughness, second_difference, times_gram

STEPS = 4  # of Newton, for the components: more is for the next iteration, with better weights
NEAR = 0.25  # of the smoothing length sqrt(c): how far around free channels others are freed
HALVINGS = 20  # of a step, at the most
DEVICE_CUTS = 7  # of a step on a device, by CUT each: there the end is not looked for
CUT = 1 / 8


def weights_matrix(gram_H: Tensor, H: Tensor, smoothness: Tensor, mean_weight: Tensor) -> Tensor:
    """Q of the weights' problem (6): the Gram matrices of H, and what smoothness adds.

    Parameters
    ----------
    gram_H : Tensor
        (batch, k, k, 1 or n_spectra)
    H : Tensor
        (batch, k, n_wave)
    smoothness : Tensor
        (batch,)
    mean_weight : Tensor
        v_i, (1 or batch, n_spectra)
    """
    ridge = (smoothness[:, None] * roughness(H))[..., None]
    if gram_H.shape[-1] == mean_weight.shape[-1]:
        ridge = ridge * mean_weight[:, None]
    Q = gram_H.clone()
    Q.diagonal(dim1=1, dim2=2).add_(ridge.movedim(1, -1))
    return Q


def smooth_quadratics(
    gram: Tensor, P: Tensor, start: Tensor, coupling: Tensor, aim: Tensor, steps: int = STEPS
) -> Tensor:
    """Z >= 0, (batch, k, n_wave), of 1/2 <Z, G Z + c Z D^T D> - <P, Z>, from `start` (7).

    Projected Newton (Bertsekas 1982, SIAM J. Control Optim. 20, 221): solve for the entries that
    their gradient does not hold at zero, clip, halve the step until the quadratic falls.  The
    gradient frees no more than the next channel beside a free one, so that as long as it does
    no harm the neighbourhood is freed as well.  A component without weights stays as it is.
    A fit ends where its projected gradient, relative to P, is at most its aim, after one step at
    the least and `steps` at the most.
    """
    on_cpu = device.on_cpu(P)
    empty = ~(gram.diagonal(dim1=1, dim2=2).movedim(-1, 1) != 0).any(dim=2, keepdim=True)
    width = (NEAR * coupling.sqrt()).long()
    Z, gradient, quadratic = start, *_gradient(gram, P, start, coupling)
    active = torch.ones_like(width, dtype=torch.bool)
    for _ in range(steps):
        of = active.nonzero()[:, 0] if on_cpu and not active.all() else slice(None)
        problem = gram[of], P[of], coupling[of]
        z, g, q = Z[of], gradient[of], quadratic[of]
        free = _near((z > 0) | (g < 0), width[of]) & ~empty[of]
        step = BlockTridiagonal(problem[0], problem[2], free).solve(g)
        z_new, g_new, q_new, fell = _line_search(problem, z, q, step, width[of] == 0, on_cpu)
        good = relative_projected(g_new, z_new, P[of]) <= aim[of]
        still = fell & (q_new < q - ROUNDING * q.abs()) & ~good
        going_on = active[of] & torch.where(fell, still, width[of] > 0)
        took = (active[of] & fell)[:, None, None]
        width = _put(width, of, torch.where(fell, width[of], 0))
        Z = _put(Z, of, torch.where(took, z_new, z))
        gradient = _put(gradient, of, torch.where(took, g_new, g))
        quadratic = _put(quadratic, of, torch.where(took[:, 0, 0], q_new, q))
        active = _put(active, of, going_on)
        if on_cpu and not active.any():
            break
    return Z


def _line_search(
    problem: tuple[Tensor, Tensor, Tensor],
    z: Tensor,
    q: Tensor,
    step: Tensor,
    halve: Tensor,
    on_cpu: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """z - step clipped at zero, its gradient and quadratic, and whether that fell, by fit.

    halve : of which fits the step is halved until it does
    """
    gram, P, coupling = problem
    length = torch.ones_like(q)
    for _ in range(HALVINGS if on_cpu else DEVICE_CUTS):
        z_new = (z - length[:, None, None] * step).clamp(min=0)
        g_new, q_new = _gradient(gram, P, z_new, coupling)
        fell = q_new <= q + ROUNDING * q.abs()
        if on_cpu and not (halve & ~fell).any():
            break
        length = torch.where(halve & ~fell, length * (0.5 if on_cpu else CUT), length)
    return z_new, g_new, q_new, fell


def _gradient(gram: Tensor, P: Tensor, Z: Tensor, coupling: Tensor) -> tuple[Tensor, Tensor]:
    """The quadratic's gradient at Z, and twice its value, by fit."""
    of_data = times_gram(gram, Z) - P
    gradient = of_data + coupling[:, None, None] * second_difference(Z)
    # not <Z, gradient - P>: there the smoothness is a difference of products far larger than it is
    return gradient, inner(Z, of_data - P) + coupling * roughness(Z).sum(dim=1)


def _near(free: Tensor, width: Tensor) -> Tensor:
    """What is free or has a free channel of its component as near as the width, (batch,)."""
    if device.on_cpu(width) and not width.any():
        return free
    n_wave = free.shape[-1]
    so_far = torch.nn.functional.pad(free.cumsum(dim=-1), (1, 0))
    channel = torch.arange(n_wave, device=free.device)
    first = (channel - width[:, None]).clamp(min=0)[:, None].expand(free.shape)
    after = (channel + width[:, None] + 1).clamp(max=n_wave)[:, None].expand(free.shape)
    return so_far.gather(2, after) > so_far.gather(2, first)


def _put(whole: Tensor, of: Tensor | slice, part: Tensor) -> Tensor:
    """The whole with that part of its fits in place."""
    if isinstance(of, slice):
        return part
    whole = whole.clone()
    whole[of] = part
    return whole
