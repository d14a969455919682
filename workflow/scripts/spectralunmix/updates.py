"""Updates of one factor with the other held fixed.

Both blocks of the objective are the same non-negative quadratic problem

    minimise over Z >= 0   1/2 <Z, A Z> - <B, Z> + 1/2 sum_k c_k ||D z_k||^2

in Gram space.  It is solved by accelerated proximal-gradient steps (Nesterov's,
restarted by the gradient test of O'Donoghue & Candes 2015), the inner loop of Xu
& Yin (2013), in the metric of a diagonal that bounds the Hessian from above.
No step touches X.
"""

import torch
from torch import Tensor

from .objective import apply_gram, second_difference

CHECK_EVERY = 10  # inner steps between two looks at the progress
EXACT = {"max_steps": 20_000, "tol": 1e-12}  # to rounding


def curvature(A: Tensor, coupling: Tensor | None) -> Tensor:
    """A diagonal, (fits, k, 1 or m), above the Hessian, whatever each component's scale.

    With correlations R_kl = A_kl / sqrt(A_kk A_ll), A_kk times the largest eigenvalue
    of R is one, and so is A_kk sum_l |R_kl|, cheaper where there is a matrix a column;
    c D^T D <= 4 c.
    """
    variance = A.diagonal(dim1=1, dim2=2)
    variance = variance.mT if A.dim() == 4 else variance[:, :, None]
    scale = torch.where(variance > 0, variance, 1.0).sqrt()
    if A.dim() == 4:
        bound = scale * (A.abs() / scale[:, None]).sum(dim=2)
    else:
        largest = torch.linalg.eigvalsh(A / scale / scale.mT)[:, -1]
        bound = scale.square() * largest[:, None, None]
    if coupling is not None:
        bound = bound + 4 * coupling[:, :, None]
    return torch.where(bound > 0, bound, 1.0)


def nonnegative_quadratic(
    A: Tensor,
    B: Tensor,
    start: Tensor,
    coupling: Tensor | None = None,
    max_steps: int = 200,
    tol: float = 0.1,
) -> Tensor:
    """Z >= 0, (fits, k, m), that lowers the quadratic above from `start`.

    A : (fits, k, k), or (fits, k, k, m) with one matrix a column; B : (fits, k, m)
    coupling : c, (fits, k), or None where no smoothness acts
    Each fit stops when a step moves its Z by less than `tol` times the first one
    did, or after `max_steps`.
    """
    bound = curvature(A, coupling)
    B = B / bound
    if A.dim() == 3:
        A = torch.eye(A.shape[1], dtype=A.dtype, device=A.device) - A / bound
    if coupling is not None:
        coupling = coupling[:, :, None] / bound
    Z = Y = start
    momentum = torch.ones(len(Z), dtype=Z.dtype, device=Z.device)
    for step in range(max_steps):
        new = torch.baddbmm(B, A, Y) if A.dim() == 3 else Y - apply_gram(A, Y) / bound + B
        if coupling is not None:
            new -= coupling * second_difference(Y)
        new.clamp_(min=0)
        moved = new - Z
        if step % CHECK_EVERY == 0:
            length = moved.norm(dim=(1, 2))
            if step == 0:
                needed, done, result = tol * length, length <= 0, new
            else:
                stops = (length <= needed) & ~done
                result = torch.where(stops[:, None, None], new, result)
                done = done | stops
            if bool(done.all()):
                return result
            uphill = ((Y - new) * bound * moved).sum(dim=(1, 2)) > 0
            momentum = torch.where(uphill, 1.0, momentum)
        following = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        Y = torch.addcmul(new, moved, ((momentum - 1) / following)[:, None, None])
        Z, momentum = new, following
    return torch.where(done[:, None, None], result, Z)
