"""Updates of one factor with the other held fixed.

Both blocks of the objective are non-negative quadratic problems in Gram space,

    minimise over Z >= 0   1/2 <Z, A Z> - <B, Z> + 1/2 c sum_k ||D z_k||^2,

the second sum for components with smoothness alone.  No step touches X.

Without smoothness the columns of Z are independent, k unknowns each, and all are
solved for exactly, side by side, by principal pivoting: a few rounds from a good
guess of what is zero.  With it neighbouring channels are coupled, and all unknowns are solved
for together, by Newton's method on those that are free to move: their matrix has k diagonals
on either side of its own.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.ndimage import maximum_filter1d

from .objective import ROUNDING, apply_gram, relative_projected, second_difference

MAX_ROUNDS = 1000  # of exchanges between free and held; a few is the rule
PATIENCE = 3  # rounds in which a column may get no better before it exchanges one entry a round
RIDGE = 1e-14  # on a unit diagonal: two components alike stay solvable
RIDGE_BANDED = 1e-12  # as RIDGE, for a Cholesky factorisation
NEGLIGIBLE = 1e-13  # of the largest entry of a column of B: smaller negative values count as zero
SHARED = 100  # columns, at the least, for which one inverse a pattern of zeros pays
BLOCK = 2**20  # entries of the inverses held at once, k^2 a column
MOST_PATTERNED = 62  # components of which a pattern of zeros is kept in one integer
HELD = 1e30  # on the diagonal of an entry that must not move
STEPS = 4  # of Newton, for the components: more is for the next iteration, with better weights
NEAR = 0.25  # of the smoothing length sqrt(c): how far around free channels others are freed
HALVINGS = 20  # of a step, at the most


def nonnegative_quadratic(A: np.ndarray, B: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The Z >= 0, (k, m), that minimises the quadratic without smoothness.

    A : (k, k), or (k, k, m) with one matrix a column; B : (k, m)
    start : (k, m), of which the zeros are the first guess, and which stays where A is zero
    """
    Z = np.empty_like(B)
    for part in _column_blocks(*B.shape):
        Z[:, part] = _pivoting(A if A.ndim == 2 else A[:, :, part], B[:, part], start[:, part])
    return Z


def _column_blocks(k: int, m: int) -> Iterator[slice]:
    """Slices of m columns, so many at once that k^2 entries of each are no load on the memory."""
    size = max(1, BLOCK // k**2)
    return (slice(first, first + size) for first in range(0, m, size))


def _pivoting(A: np.ndarray, B: np.ndarray, start: np.ndarray) -> np.ndarray:
    """As above, by block principal pivoting.

    Judice & Pires (1994); Kim & Park (2011, SIAM J. Sci. Comput. 33, 3261): solve with the held
    entries at zero, hold those that came out negative, free those whose gradient is negative,
    until there are none.  Columns in which that does not help for long exchange one entry a
    round, which ends.
    """
    R, scale = _unit_diagonal(A[None] if A.ndim == 2 else np.moveaxis(A, 2, 0))
    b, free = B * scale.T, start > 0
    floor = -NEGLIGIBLE * np.abs(b).max(axis=0)
    solved = _complementary(R, free, b)
    Z, wrong = solved * free, solved < floor
    columns = np.flatnonzero(wrong.any(axis=0))
    R, free, b, wrong = _of(columns, R), free[:, columns], b[:, columns], wrong[:, columns]
    fewest, patience = np.full(len(columns), len(b) + 1), np.full(len(columns), PATIENCE)
    for _ in range(MAX_ROUNDS):
        if len(columns) == 0:
            break
        count = wrong.sum(axis=0)
        patience = np.where(count < fewest, PATIENCE, patience - 1)
        fewest = np.minimum(fewest, count)
        last = wrong & (wrong[::-1].cumsum(axis=0)[::-1] == 1)
        free = free ^ np.where(patience > 0, wrong, last)
        solved = _complementary(R, free, b)
        Z[:, columns] = solved * free
        wrong = solved < floor[columns]
        left = np.flatnonzero(wrong.any(axis=0))
        columns, fewest, patience = columns[left], fewest[left], patience[left]
        R, free, b, wrong = _of(left, R), free[:, left], b[:, left], wrong[:, left]
    return np.where(scale.T > 0, np.maximum(Z, 0) * scale.T, start)


def _unit_diagonal(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A (any, k, k) scaled to a unit diagonal, and by what, (any, k): no component's scale counts.

    A component with zero on the diagonal is scaled by 0, and set apart from the others.
    """
    variance = np.einsum("mkk->mk", A)
    scale = np.where(variance > 0, variance, np.inf) ** -0.5
    ridge = np.where(scale > 0, RIDGE, 1.0)[:, None] * np.eye(A.shape[1])
    return A * scale[:, :, None] * scale[:, None] + ridge, scale


def _of(columns: np.ndarray, R: np.ndarray) -> np.ndarray:
    return R if len(R) == 1 else R[columns]


def _complementary(R: np.ndarray, free: np.ndarray, b: np.ndarray) -> np.ndarray:
    """z of R z = b where `free`, (k, m), and where held at zero the gradient R z - b.

    R : (1 or m, k, k)
    Many columns with one matrix: it is inverted once for each pattern of free entries.
    """
    k, m = b.shape
    if len(R) > 1 or m < SHARED or k > MOST_PATTERNED:
        return _pivoted(R, free.T, b.T[:, :, None])[:, :, 0].T
    patterns, which = _patterns_of(free)
    inverse = _pivoted(R, patterns, np.eye(k)).reshape(len(patterns), k * k)
    of_each = inverse.T.take(which, axis=1).reshape(k, k, m)
    return np.einsum("klm,lm->km", of_each, b)


def _patterns_of(free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The patterns, (patterns, k), that free, (k, m), may have, and the one of each column."""
    bit = np.arange(len(free))
    which = (1 << bit) @ free
    if len(free) <= 6:
        patterns = np.arange(1 << len(free))  # all, which is quicker than to find those that occur
    else:
        patterns, which = np.unique(which, return_inverse=True)
    return (patterns[:, None] >> bit & 1).astype(bool), which


def _pivoted(R: np.ndarray, free: np.ndarray, b: np.ndarray) -> np.ndarray:
    """As above with rows for columns: R (1 or rows, k, k), free (rows, k), b (rows, k, any)."""
    held = ~free[:, :, None]
    z = np.linalg.solve(_held_apart(R, free), np.where(held, 0.0, b))
    return np.where(held, R @ z - b, z)


def _held_apart(R: np.ndarray, free: np.ndarray) -> np.ndarray:
    """R with the rows and columns of what is not free, (rows, k), as those of the identity."""
    held = ~free[:, :, None]
    return np.where(held | held.swapaxes(1, 2), np.eye(free.shape[1]), R)


def inverse_of_free(A: np.ndarray, free: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The inverse of A on the free entries of each column, zero on the others: a map of (k, m).

    A : (k, k), or (k, k, m) with one matrix a column; free : (k, m)
    """
    k, m = free.shape
    one_a_pattern = A.ndim == 2 and k <= MOST_PATTERNED
    patterns, which = _patterns_of(free) if one_a_pattern else (free.T, None)
    R, scale = _unit_diagonal(A[None] if A.ndim == 2 else np.moveaxis(A, 2, 0))
    scale = patterns * scale
    inverse = np.linalg.inv(_held_apart(R, patterns)) * scale[:, :, None] * scale[:, None]
    inverse = np.moveaxis(inverse, 0, 2).copy()

    def apply(Z: np.ndarray) -> np.ndarray:
        made = np.empty_like(Z)
        for part in _column_blocks(k, m):
            of_each = inverse.take(which[part], axis=2) if one_a_pattern else inverse[:, :, part]
            made[:, part] = apply_gram(of_each, Z[:, part])
        return made

    return apply


def smooth_nonnegative_quadratic(
    A: np.ndarray,
    B: np.ndarray,
    start: np.ndarray,
    coupling: float,
    tol: float,
    steps: int = STEPS,
) -> np.ndarray:
    """Z >= 0, (k, n_wave), that minimises the quadratic with c, from `start`.

    A : (k, k), or (k, k, n_wave) with one matrix a channel; B, start : (k, n_wave)
    coupling : c > 0
    tol : it ends where the projected gradient, relative to B, is at most this, after one step at
        the least and `steps` at the most

    Projected Newton (Bertsekas 1982, SIAM J. Control Optim. 20, 221): solve for the entries that
    their gradient does not hold at zero, clip, halve the step until the quadratic falls.  The
    gradient frees no more than the next channel beside a free one, so that as long as it does
    no harm the neighbourhood is freed as well.  A component without weights stays as it is.
    """
    variance = np.broadcast_to(np.einsum("kk...->k...", A).reshape(len(B), -1), B.shape)
    matrix, empty = banded(A, coupling, B.shape[1]), ~variance.any(axis=1, keepdims=True)

    def at(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        gradient = _gradient(A, B, Z, coupling)
        return Z, gradient, np.vdot(Z, gradient - B)  # twice the quadratic

    (Z, gradient, value), width = at(start), int(NEAR * coupling**0.5)
    for _ in range(steps):
        free = maximum_filter1d((Z > 0) | (gradient < 0), 2 * width + 1, axis=1) & ~empty
        step = -smooth_inverse_of_free(matrix, free)(gradient)
        lengths = 0.5 ** np.arange(1 if width else HALVINGS)
        tried = (at(np.maximum(Z + length * step, 0)) for length in lengths)
        highest = value + ROUNDING * abs(value)
        found = next((new for new in tried if new[2] <= highest), None)
        if found is None and width == 0:
            break
        if found is None:
            width = 0
            continue
        last, (Z, gradient, value) = value, found
        if value >= last - ROUNDING * abs(last) or relative_projected(gradient, Z, B) <= tol:
            break
    return Z


def _gradient(A: np.ndarray, B: np.ndarray, Z: np.ndarray, coupling: float) -> np.ndarray:
    return apply_gram(A, Z) - B + coupling * second_difference(Z)


def banded(A: np.ndarray, coupling: float, n_wave: int) -> np.ndarray:
    """The matrix of the quadratic, (n_wave, k, k + 1): of each entry its own, then those below.

    Below it are the later components of its channel and, k further on, its own component in
    the next channel.
    """
    k = len(A)
    matrix = np.zeros((n_wave, k, k + 1))
    for below in range(k):
        matrix[:, : k - below, below] = A[range(below, k), range(k - below)].T
    matrix[:, :, 0] += coupling * _neighbours(n_wave)[:, None]
    matrix[:, :, 0] += RIDGE_BANDED * matrix[:, :, 0].max()
    matrix[:-1, :, k] = -coupling
    return matrix


def _neighbours(n_wave: int) -> np.ndarray:
    """How many neighbours each channel has, (n_wave,): the diagonal of D^T D."""
    return 2.0 - (np.arange(n_wave) == 0) - (np.arange(n_wave) == n_wave - 1)


def smooth_inverse_of_free(
    matrix: np.ndarray, free: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """The inverse of a `banded` matrix on the free entries, zero on the others: a map of them.

    free : (k, n_wave)
    """
    matrix, held = matrix.copy(), np.where(free, 0.0, HELD).T
    matrix[:, :, 0] += held
    factor = cholesky_banded(
        matrix.reshape(held.size, -1).T, lower=True, overwrite_ab=True, check_finite=False
    )

    def apply(Z: np.ndarray) -> np.ndarray:
        right = np.where(free, Z, 0.0).T.ravel()
        solved = cho_solve_banded((factor, True), right, overwrite_b=True, check_finite=False)
        return np.where(free, solved.reshape(held.shape).T, 0.0)

    return apply
