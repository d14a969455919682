"""Updates of one factor with the other held fixed.

Both blocks of the objective are non-negative quadratic problems in Gram space,

    minimise over Z >= 0   1/2 <Z, A Z> - <B, Z> + 1/2 sum_k c_k ||D z_k||^2,

the second sum for components with smoothness alone.  No step touches X.

Without smoothness: accelerated proximal-gradient steps (Nesterov's, restarted by
the gradient test of O'Donoghue & Candes 2015), the inner loop of Xu & Yin (2013),
in the metric of a diagonal that bounds the Hessian from above.

With it, gradient steps slow down as c grows, while one component at a time is a
tridiagonal problem that an active set solves exactly at any c: block coordinate
descent.  On the paper's 80 spectra that is 1.7, 2.3, 3.7 and 22 times faster than
gradient steps at smoothness 1, 10, 100 and 1e4.
"""

import functools
import itertools

import numpy as np
import torch
from scipy.linalg.lapack import dptsv
from torch import Tensor

from .objective import apply_gram

CHECK_EVERY = 5  # inner steps between two looks at the progress
EXACT = {"max_steps": 20_000, "tol": 1e-12}  # to rounding


def curvature(A: Tensor) -> Tensor:
    """A diagonal, (fits, k, 1 or m), above the Hessian, whatever each component's scale.

    With correlations R_kl = A_kl / sqrt(A_kk A_ll), A_kk times the largest eigenvalue
    of R is one, and so is A_kk sum_l |R_kl|, cheaper where there is a matrix a column.
    """
    variance = A.diagonal(dim1=1, dim2=2)
    variance = variance.mT if A.dim() == 4 else variance[:, :, None]
    scale = torch.where(variance > 0, variance, 1.0).sqrt()
    if A.dim() == 4:
        bound = scale * (A.abs() / scale[:, None]).sum(dim=2)
    else:
        largest = torch.linalg.eigvalsh(A / scale / scale.mT)[:, -1]
        bound = scale.square() * largest[:, None, None]
    return torch.where(bound > 0, bound, 1.0)


def nonnegative_quadratic(
    A: Tensor,
    B: Tensor,
    start: Tensor,
    max_steps: int = 200,
    tol: float = 0.3,
) -> Tensor:
    """Z >= 0, (fits, k, m), that lowers the quadratic without smoothness from `start`.

    A : (fits, k, k), or (fits, k, k, m) with one matrix a column; B : (fits, k, m)
    Each fit stops when a step moves its Z by less than `tol` times the first one
    did, or after `max_steps`.
    """
    bound = curvature(A)
    B = B / bound
    if A.dim() == 3:
        A = torch.eye(A.shape[1], dtype=A.dtype, device=A.device) - A / bound
    Z = Y = start
    since_restart = torch.zeros(len(Z), dtype=torch.int64, device=Z.device)
    schedule = _momentum(max_steps).to(Z)
    for step in range(max_steps):
        new = torch.baddbmm(B, A, Y) if A.dim() == 3 else Y - apply_gram(A, Y) / bound + B
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
            since_restart = torch.where(uphill, 0, since_restart)
        Y = torch.addcmul(new, moved, schedule[since_restart, None, None])
        Z = new
        since_restart += 1
    return torch.where(done[:, None, None], result, Z)


@functools.cache
def _momentum(steps: int) -> Tensor:
    """Nesterov's coefficients (t_i - 1) / t_{i+1}, (steps,), with t_0 = 1."""
    t = [1.0]
    for _ in range(steps):
        t.append((1 + (1 + 4 * t[-1] ** 2) ** 0.5) / 2)
    coefficients = [(now - 1) / after for now, after in itertools.pairwise(t)]
    return torch.tensor(coefficients, dtype=torch.float64)


def smooth_nonnegative_quadratic(
    A: Tensor,
    B: Tensor,
    start: Tensor,
    coupling: Tensor,
    max_sweeps: int = 30,
    tol: float = 0.1,
) -> Tensor:
    """Z >= 0, (fits, k, n_wave), that lowers the whole quadratic from `start`.

    A : (fits, k, k), or (fits, k, k, n_wave) with one matrix a channel
    B : (fits, k, n_wave); coupling : c, (fits, k)
    Each component in turn is solved for, in float64 on the CPU.  A fit stops when a
    sweep moves its Z by less than `tol` times the first one did.
    """
    A, B, Z, coupling = (part.to("cpu", torch.float64).numpy() for part in (A, B, start, coupling))
    solved = [_sweeps(*fit, max_sweeps, tol) for fit in zip(A, B, Z.copy(), coupling, strict=True)]
    return torch.from_numpy(np.array(solved)).to(start)


def _sweeps(A, B, Z, coupling, max_sweeps: int, tol: float) -> np.ndarray:
    """One fit's Z (k, n_wave), changed in place."""
    first = None
    for _ in range(max_sweeps):
        moved = 0.0
        for k, (row, c) in enumerate(zip(A, coupling, strict=True)):
            others = row @ Z if row.ndim == 1 else (row * Z).sum(axis=0)
            rest = B[k] - others + row[k] * Z[k]
            z = _tridiagonal_nonnegative(np.broadcast_to(row[k], rest.shape), c, rest, Z[k])
            moved += np.square(z - Z[k]).sum()
            Z[k] = z
        first = moved if first is None else first
        if moved <= tol**2 * first:
            break
    return Z


def _tridiagonal_nonnegative(data, c: float, b, start) -> np.ndarray:
    """The z >= 0 that minimises 1/2 z^T (diag(data) + c D^T D) z - b^T z.

    data, b, start : (n_wave,).  A primal-dual active set: solve with the channels
    held at zero left out, release those whose gradient is negative, hold those that
    came out negative, until nothing changes.  The matrix is an M-matrix, so that it
    ends, in a few rounds (Hintermueller, Ito & Kunisch 2002, SIAM J. Optim. 13, 865).
    """
    if not data.any():
        return start  # an empty component
    diagonal = data + 2 * c
    diagonal[[0, -1]] -= c
    free = start > 0
    for _ in range(100):
        main = np.where(free & (diagonal > 0), diagonal, 1.0)
        beside = np.where(free[1:] & free[:-1], -c, 0.0)
        z = dptsv(main, beside, np.where(free, b, 0.0))[2]
        gradient = diagonal * z - b
        gradient[1:] -= c * z[:-1]
        gradient[:-1] -= c * z[1:]
        wanted = np.where(free, z > 0, gradient < 0)
        if np.array_equal(wanted, free):
            break
        free = wanted
    return np.maximum(z, 0)
