"""Updates of one factor with the other held fixed.

Both blocks of the objective are the same non-negative quadratic problem

    minimise over Z >= 0   1/2 <Z, A Z> - <B, Z> + 1/2 sum_k c_k ||D z_k||^2

in Gram space: A (k, k), B and Z (k, m), c (k,).  It is solved by accelerated
proximal-gradient steps (Nesterov's, restarted by the gradient test of
O'Donoghue & Candes 2015), the inner loop of Xu & Yin (2013).  No step touches X.
"""

import torch
from torch import Tensor

from .objective import second_difference

CHECK_EVERY = 10  # inner steps between two looks at the progress


def nonnegative_quadratic(
    A: Tensor,
    B: Tensor,
    start: Tensor,
    coupling: Tensor | None = None,
    max_steps: int = 200,
    tol: float = 0.1,
) -> Tensor:
    """Z >= 0, (k, m), that lowers the quadratic above from `start` (k, m).

    Stops when a step moves Z by less than `tol` times the first one did, or
    after `max_steps`.  `coupling` is c, (k,), or None where no smoothness acts.
    """
    lipschitz = torch.linalg.eigvalsh(A)[-1]
    if coupling is not None:
        lipschitz = lipschitz + 4 * coupling.max()
        coupling = coupling[:, None] / lipschitz
    A, B = torch.eye(len(A), dtype=A.dtype, device=A.device) - A / lipschitz, B / lipschitz
    Z = Y = start
    momentum, first = 1.0, None
    for step in range(max_steps):
        new = torch.addmm(B, A, Y)
        if coupling is not None:
            new -= coupling * second_difference(Y)
        new.clamp_(min=0)
        moved = new - Z
        if step % CHECK_EVERY == 0:
            length = float(moved.norm())
            first = length if first is None else first
            if length <= tol * first:
                return new
            if float(((Y - new) * moved).sum()) > 0:
                momentum = 1.0
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        Y = torch.add(new, moved, alpha=(momentum - 1) / following)
        Z, momentum = new, following
    return Z
