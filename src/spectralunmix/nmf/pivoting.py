"""Block principal pivoting of many small non-negative quadratic problems at once, in numpy."""

from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.optimize

NEGLIGIBLE = 1e-13  # of the largest entry of a column: smaller negative values count as zero
MAX_ROUNDS = 100  # of exchanges between free and held; a few is the rule
PATIENCE = 3  # rounds in which a column may get no better before it exchanges one entry a round


def pivoting(
    solve: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    p: np.ndarray,
    free: np.ndarray,
    found: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, which of its entries are free, both (k, columns), and the columns that are not solved.

    By `Quadratics.minimise`.

    solve : function of the indices of columns, and their free and p, (k, columns), that gives z
        where free and the gradient where held
    free, found : a first guess, and what `solve` gives for it
    """
    k, n_columns = p.shape
    z, free = np.empty_like(p), free.copy()
    at, now, floor = np.arange(n_columns), free, -NEGLIGIBLE * np.abs(p).max(axis=0)
    fewest, patience = np.full(n_columns, k + 1), np.full(n_columns, PATIENCE)
    for _ in range(MAX_ROUNDS):
        z[:, at], free[:, at] = found, now
        wrong = found < floor
        left = np.flatnonzero(np.bitwise_or.reduce(wrong, axis=0))
        if len(left) == 0:
            break
        at, floor, fewest, patience = at[left], floor[left], fewest[left], patience[left]
        p, now, wrong = p[:, left], now[:, left], wrong[:, left]
        count = wrong.sum(axis=0)
        patience = np.where(count < fewest, PATIENCE, patience - 1)
        fewest = np.minimum(fewest, count)
        last = wrong & (wrong[::-1].cumsum(axis=0)[::-1] == 1)
        now = now ^ np.where(patience > 0, wrong, last)
        found = solve(at, now, p)
    return z, free, at[left]


def by_active_set(R: np.ndarray, p: np.ndarray) -> np.ndarray:
    """z >= 0, (k,), of 1/2 z' R z - p' z, one entry after the other: slow, and it ends."""
    root = scipy.linalg.cholesky(R, lower=True)
    return scipy.optimize.nnls(root.T, scipy.linalg.solve_triangular(root, p, lower=True))[0]


def inverse_of_free(R: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The inverses of R (n, k, k) on what is free, (n, k), zero on the others."""
    part = free[:, :, None] & free[:, None]
    return np.where(part, np.linalg.inv(np.where(part, R, np.eye(R.shape[1]))), 0)


def eliminated(R: np.ndarray, free: np.ndarray, p: np.ndarray) -> np.ndarray:
    """z of R z = p where `free`, (k, columns), and where held at zero the gradient R z - p.

    R is (k, k, columns); Gaussian elimination, a row after the other in all columns at once.
    """
    k = len(p)
    M, z = np.where(free[:, None] & free[None], R, 0), np.where(free, p, 0)
    for j in range(k):
        M[j, j][~free[j]] = 1
    for j in range(k - 1):
        factor = M[j + 1 :, j] / M[j, j]
        M[j + 1 :, j + 1 :] -= factor[:, None] * M[j, j + 1 :]
        z[j + 1 :] -= factor * z[j]
    for j in reversed(range(k)):
        for i in range(j + 1, k):
            z[j] -= M[j, i] * z[i]
        z[j] /= M[j, j]
    return np.where(free, z, np.einsum("klm,lm->km", R, z) - p)
