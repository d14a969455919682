"""The paper's own update of a factor: accelerated proximal-gradient steps (12).

Each step goes down the gradient of the factor's quadratic problem from an extrapolated point, as
far as the gradient's Lipschitz constant allows, and clips at zero, which is the proximal operator
of the bound (Xu & Yin 2013, SIAM J. Imaging Sci. 6, 1758; Nesterov 1983).  It needs no system of
equations: products and comparisons alone.
"""

import torch
from torch import Tensor

from .communication import ALONE, Communicator
from .objective import inner, second_difference, times_gram

STEPS = 20  # on a factor, before the other's turn
SMOOTH_STEPS = 10  # times the root of how much steeper smoothness makes the quadratic
MOST_STEPS = 200
MOST_CURVED = 4  # the largest eigenvalue of D^T D is below this


def descended(
    gram: Tensor,
    P: Tensor,
    start: Tensor,
    coupling: Tensor | None,
    steps: int,
    comm: Communicator = ALONE,
) -> Tensor:
    """Z >= 0, nearer than the start to the minimum of 1/2 <Z, G Z + c Z D^T D> - <P, Z>, by (12).

    Parameters
    ----------
    gram : Tensor
        G, (batch, k, k, 1 or columns).
    P, start : Tensor
        (batch, k, columns)
    coupling : Tensor or None
        c, (batch,); None is 0.
    steps : int
        How many are made.
    comm : Communicator
        The processes that have further columns.
    """
    scale, gram = _unit_diagonal(gram, comm)
    b, Z = P * scale, torch.where(scale > 0, start / torch.where(scale > 0, scale, 1), 0)
    # the largest sum of a row bounds the largest eigenvalue
    steepest = gram.abs().sum(dim=2).amax(dim=1, keepdim=True)
    if coupling is not None:
        curved = coupling[:, None, None] * scale**2
        steepest = steepest + MOST_CURVED * curved.amax(dim=1, keepdim=True)
    steepest = torch.where(steepest > 0, steepest, 1)  # nothing to follow where it is 0
    ahead, pace = Z, torch.ones_like(Z[:, :1, :1])
    for _ in range(steps):
        gradient = times_gram(gram, ahead) - b
        if coupling is not None:
            gradient = gradient + curved * second_difference(ahead)
        new = (ahead - gradient / steepest).clamp(min=0)
        # a step against the momentum ends it (O'Donoghue & Candes 2015, Found. Comput. Math. 15)
        against = comm.total(inner(ahead - new, new - Z))[:, None, None] > 0
        pace = torch.where(against, 1.0, pace)
        faster = (1 + (1 + 4 * pace.square()).sqrt()) / 2
        ahead = new + torch.where(against, 0, (pace - 1) / faster) * (new - Z)
        Z, pace = new, faster
    return torch.where(scale > 0, Z * scale, start)


def _unit_diagonal(gram: Tensor, comm: Communicator) -> tuple[Tensor, Tensor]:
    """By what (batch, k, 1) a gram matrix has at most a unit diagonal, and the matrix so scaled."""
    variance = gram.diagonal(dim1=1, dim2=2).movedim(-1, 1).amax(dim=2, keepdim=True)
    variance = comm.largest(variance)
    scale = torch.where(variance > 0, variance, torch.inf).rsqrt()
    return scale, gram * scale[:, :, None] * scale[:, None]
