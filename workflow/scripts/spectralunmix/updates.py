"""Updates of one factor with the other held fixed.

Both blocks of the objective are non-negative quadratic problems in Gram space,

    minimise over Z >= 0   1/2 <Z, A Z> - <B, Z> + 1/2 sum_k c_k ||D z_k||^2,

the second sum for components with smoothness alone.  No step touches X.

Without smoothness the columns of Z are independent, k unknowns each, and all are
solved for exactly, side by side, by principal pivoting: a few rounds from a good
guess of what is zero.  With it, one component at a time is a tridiagonal problem,
and solved for as such.
"""

import numpy as np
from scipy.linalg.lapack import dptsv

MAX_ROUNDS = 1000  # of exchanges between free and held; a few is the rule
PATIENCE = 3  # rounds in which a column may get no better before it exchanges one entry a round
RIDGE = 1e-14  # on a unit diagonal: two components alike stay solvable
ROUNDING = 1e-13  # of the largest entry of B: smaller negative values count as zero
SHARED = 100  # columns, at the least, for which one inverse a pattern of zeros pays
CLIPPED = 0.1  # share of a smooth step that setting negative channels to zero may undo


def nonnegative_quadratic(A, B, start):
    """The Z >= 0, (k, m), that minimises the quadratic without smoothness.

    A : (k, k), or (k, k, m) with one matrix a column; B : (k, m)
    start : (k, m), of which the zeros are the first guess, and which stays where A is zero

    Block principal pivoting (Judice & Pires 1994; Kim & Park 2011, SIAM J. Sci.
    Comput. 33, 3261): solve with the held entries at zero, hold those that came out
    negative, free those whose gradient is negative, until there are none.  Columns in
    which that does not help for long exchange one entry a round, which ends.
    With a unit diagonal, so that no component's scale counts.
    """
    R = A[None] if A.ndim == 2 else np.moveaxis(A, 2, 0)  # (1 or m, k, k)
    variance = np.einsum("mkk->mk", R)
    scale = 1 / np.sqrt(np.where(variance > 0, variance, 1.0))
    R = R * scale[:, :, None] * scale[:, None] + RIDGE * np.eye(len(B))
    b, free = B * scale.T, start > 0
    floor = -ROUNDING * np.abs(b).max()
    Z, columns = np.empty_like(b), np.arange(b.shape[1])
    fewest, patience = np.full(len(columns), len(b) + 1), np.full(len(columns), PATIENCE)
    for _ in range(MAX_ROUNDS):
        solved = _complementary(R, free, b)
        Z[:, columns] = np.where(free, solved, 0.0)
        wrong = solved < floor
        pending = np.flatnonzero(wrong.any(axis=0))
        if len(pending) == 0:
            break
        R = R if len(R) == 1 else R[pending]
        columns, fewest, patience = columns[pending], fewest[pending], patience[pending]
        free, b, wrong = free[:, pending], b[:, pending], wrong[:, pending]
        count = wrong.sum(axis=0)
        patience = np.where(count < fewest, PATIENCE, patience - 1)
        fewest = np.minimum(fewest, count)
        last = wrong & (wrong[::-1].cumsum(axis=0)[::-1] == 1)
        free = free ^ np.where(patience > 0, wrong, last)
    return np.where(variance.T > 0, np.maximum(Z, 0) * scale.T, start)


def _complementary(R, free, b):
    """z of R z = b where `free`, (k, m), and where held at zero the gradient R z - b.

    R : (1 or m, k, k)
    Many columns with one matrix: it is inverted once for each pattern of free entries.
    """
    k, m = b.shape
    if len(R) > 1 or m < SHARED or k > 62:
        return _pivoted(R, free.T, b.T[:, :, None])[:, :, 0].T
    bit = np.arange(k)
    which = (1 << bit) @ free
    if k <= 6:
        patterns = np.arange(1 << k)  # all, which is quicker than to find those that occur
    else:
        patterns, which = np.unique(which, return_inverse=True)
    inverse = _pivoted(R, (patterns[:, None] >> bit & 1).astype(bool), np.eye(k))
    return np.einsum("mkl,lm->km", inverse[which], b)


def _pivoted(R, free, b):
    """As above with rows for columns: R (1 or rows, k, k), free (rows, k), b (rows, k, any)."""
    held = ~free[:, :, None]
    kept = np.where(held | held.swapaxes(1, 2), np.eye(free.shape[1]), R)
    z = np.linalg.solve(kept, np.where(held, 0.0, b))
    return np.where(held, R @ z - b, z)


def smooth_nonnegative_quadratic(A, B, start, coupling: float):
    """Z >= 0, (k, n_wave), that lowers the quadratic with one c throughout from `start`.

    A : (k, k), or (k, k, n_wave) with one matrix a channel; B, start : (k, n_wave)
    coupling : c
    One sweep: each component in turn.
    """
    Z = start.copy()
    for k, row in enumerate(A):
        others = row @ Z if row.ndim == 1 else (row * Z).sum(axis=0)
        rest = B[k] - others + row[k] * Z[k]
        Z[k] = _tridiagonal_nonnegative(row[k], coupling, rest, Z[k])
    return Z


def _tridiagonal_nonnegative(data, c: float, b, start):
    """A z >= 0 that lowers 1/2 z^T (diag(data) + c D^T D) z - b^T z from start (n_wave,).

    A round of the primal-dual active set of Hintermueller, Ito & Kunisch (2002, SIAM J.
    Optim. 13, 865): free the channels held at zero whose gradient is negative, solve with
    the others left out.  Rounds follow while what came out negative, and is set to
    zero, weighs against the step; repeated until nothing changes they end at the minimum,
    but the next outer iteration does so with better data.
    """
    if not data.any():
        return start  # an empty component
    diagonal = np.full(len(b), data + 2 * c)
    diagonal[[0, -1]] -= c
    steepest = data.max() + 4 * c
    free = z = None
    for _ in range(MAX_ROUNDS):
        last = start if z is None else z
        gradient = diagonal * last - b
        gradient[1:] -= c * last[:-1]
        gradient[:-1] -= c * last[1:]
        free = (last > 0) | ((gradient < 0) if free is None else (~free & (gradient < 0)))
        main = np.where(free & (diagonal > 0), diagonal, 1.0)
        beside = np.where(free[1:] & free[:-1], -c, 0.0)
        z = dptsv(main, beside, np.where(free, b, 0.0), 1, 1, 1)[2]
        clipped, step = np.minimum(z, 0), z - start
        if steepest * (clipped @ clipped) <= CLIPPED * (step @ (data * step)):
            break
    return np.maximum(z, 0)
