"""Small non-negative quadratic problems, many at once: half of what the updates are made of.

There are two implementations, which the tests hold equal.  On a CPU numpy works on views of the
tensors' memory, and looks at values to do no more than is needed.  On a device torch does a fixed
number of steps, and nothing is read back.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from . import device
from .pivoting import NEGLIGIBLE, PATIENCE, by_active_set, eliminated, inverse_of_free, pivoting

Places = tuple[np.ndarray, np.ndarray]  # fits and columns, (n,) each

RIDGE = 1e-12  # on a unit diagonal: where components are alike, an inverse is of use still
MOST_INVERTED = 1e5  # entry of an inverse, on a unit diagonal, that rounding is multiplied by
DEVICE_ROUNDS = 12  # of them on a device, where the end is not looked for
MOST_TABLED = 6  # components of which all patterns of zeros are solved for, sooner than looked for
MOST_CODED = 50  # components of which a pattern of zeros, and a fit, are kept in one integer
COLUMNS = 4096  # at once with one matrix a fit: what a CPU keeps at hand
ENTRIES = 2**17  # of matrices, one a column, at once: likewise


class Quadratics:
    """1/2 z' Q z - p' z over z >= 0, for many columns p of each fit of a batch (6).

    Parameters
    ----------
    Q : Tensor
        Symmetric and positive semidefinite, (batch, k, k, 1) for one matrix a fit, or
        (batch, k, k, columns).
    """

    def __new__(cls, Q: Tensor) -> "Quadratics":
        if not device.on_cpu(Q):
            return super().__new__(_ByElimination)
        one_a_fit = Q.shape[-1] == 1 and Q.shape[1] <= MOST_CODED
        return super().__new__(_ByPatterns if one_a_fit else _ByColumns)

    def minimise(self, P: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """The minimum, by block principal pivoting.

        Judice & Pires (1994); Kim & Park (2011, SIAM J. Sci. Comput. 33, 3261): solve with the held
        entries at zero, hold those that came out negative, free those whose gradient is negative,
        until there are none.  Columns in which that does not help for long exchange one entry a
        round, which ends.

        Parameters
        ----------
        P : Tensor
            The columns p, (batch, k, columns).
        start : Tensor
            (batch, k, columns), of which the zeros are the first guess.  An empty component stays
            as it is there, and so does on a device a column that was not solved, unless the last
            guess is better.

        Returns
        -------
        Z : Tensor
            (batch, k, columns)
        solved : Tensor
            Which columns are, (batch, columns).
        """
        raise NotImplementedError

    def inverse_of_free(self, free: Tensor) -> Tensor:
        """Q^-1 on the free entries of each column, zero on the others, (batch, k, k, columns)."""
        raise NotImplementedError

    def inverse_moments(
        self, free: Tensor, Z: Tensor, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Second moments of columns z_j, and Q_j^-1 on free entries, for columns that share it.

        Parameters
        ----------
        free : Tensor
            On which entries of column j Q_j is inverted, (batch, k, columns).
        Z : Tensor
            The columns z_j, (batch, k, columns).
        weight : Tensor, default None
            Of each column, (batch, columns); None is 1.

        Returns
        -------
        moments, inverse : Tensor
            sum_j weight_j z_j z_j' over the columns that have the same inverse, and that inverse,
            (batch, any, k, k).
        """
        moments = (Z if weight is None else Z * weight[:, None])[:, :, None] * Z[:, None]
        return moments.movedim(-1, 1), self.inverse_of_free(free).movedim(-1, 1)


class _OnCPU(Quadratics):
    """By numpy, a part of the columns after the other that a CPU keeps at hand.

    scale : by what Q is scaled to a unit diagonal, (batch, k, 1 or columns), so that no component's
        scale counts; 0 where a component is empty, which is set apart from the others
    R : Q so scaled, (batch, 1 or columns, k, k)
    """

    def __init__(self, Q: Tensor):
        R = Q.numpy().transpose(0, 3, 1, 2)
        variance = np.einsum("bmkk->bmk", R)
        scale = 1 / np.sqrt(np.where(variance > 0, variance, np.inf))
        self.R = R * scale[..., None] * scale[..., None, :]
        np.einsum("bmkk->bmk", self.R)[...] += np.where(scale > 0, RIDGE, 1.0)
        self.scale = scale.transpose(0, 2, 1)

    def minimise(self, P: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        p, first = P.numpy(), start.numpy()
        Z, wrong = np.empty(p.shape), []
        for fits, columns in self._parts(p.shape):
            part = fits, slice(None), columns
            wrong.append(self._guessed(fits, columns, p[part], first[part], Z[part]))
        fit, column, *of_wrong = (np.concatenate(of, axis=-1) for of in zip(*wrong, strict=True))
        if len(fit):
            Z[fit, :, column] = self._exchanged((fit, column), *of_wrong)
        if not self.scale.all():
            Z = np.where(self.scale > 0, Z, first)
        return torch.from_numpy(Z), torch.ones(p[:, 0].shape, dtype=torch.bool)

    def _guessed(
        self, fits: slice, columns: slice, P: np.ndarray, start: np.ndarray, Z: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Solve with the zeros of the start: Z; and of the columns for which these are wrong
        the fit, the column, p, what is free and the solution."""
        n, k, c = P.shape
        at = np.repeat(np.arange(n) + fits.start, c), np.tile(np.arange(c) + columns.start, n)
        scale = self._scale_of(slice(fits.start, fits.stop), columns)
        p = (P * scale).transpose(1, 0, 2).reshape(k, n * c)
        free = (start > 0).transpose(1, 0, 2).reshape(k, n * c)
        z = self._solve(at, free, p)
        left = np.flatnonzero(np.bitwise_or.reduce(z < 0, axis=0))
        wrong = at[0][left], at[1][left], p[:, left], free[:, left], z[:, left]
        z *= free
        np.multiply(z.reshape(k, n, c).transpose(1, 0, 2), scale, out=Z)
        return wrong

    def _exchanged(
        self, at: Places, p: np.ndarray, free: np.ndarray, found: np.ndarray
    ) -> np.ndarray:
        """The minima of those fits and columns, (n, k), from `found` with what is free there."""
        scale = self.scale[at[0], :, at[1] if self.scale.shape[2] > 1 else 0].T
        z, free, left = pivoting(
            lambda of, *now: self._solve((at[0][of], at[1][of]), *now), p, free, found
        )
        z = np.maximum(z, 0) * free
        for i in left:
            z[:, i] = by_active_set(self._matrix_of(at[0][i], at[1][i]), p[:, i])
        return (z * scale).T

    def _matrix_of(self, fit: int, column: int) -> np.ndarray:
        """R of a column, (k, k)."""
        R = self.R[fit]
        return R if R.ndim == 2 else R[column if len(R) > 1 else 0]

    def _scale_of(self, fits: slice, columns: slice) -> np.ndarray:
        return self.scale[fits, :, columns if self.scale.shape[2] > 1 else slice(None)]

    def _parts(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """(fits, columns) of the parts."""
        n_fits, k, n_columns = shape
        size = self._columns_at_once(k)
        fits = max(1, size // max(n_columns, 1))
        for first in range(0, n_fits, fits):
            for start in range(0, n_columns, size):
                yield slice(first, first + fits), slice(start, start + size)

    def _solve(self, at: Places, free: np.ndarray, p: np.ndarray) -> np.ndarray:
        """z of R z = p where free, and where held at zero the gradient R z - p.

        at : the fit and the column of each p; free, p : (k, n)
        """
        raise NotImplementedError

    def _columns_at_once(self, k: int) -> int:
        raise NotImplementedError


class _ByPatterns(_OnCPU):
    """With one matrix a fit, which is inverted once for each pattern of free entries, and kept."""

    def __init__(self, Q: Tensor):
        super().__init__(Q)
        self.R = self.R[:, 0]
        k = self.k = self.R.shape[1]
        self._codes = np.empty(0, dtype=np.int64)
        self._matrices = np.empty((k, k, 0))
        self._large = np.empty(0, dtype=bool)  # an inverse that rounding would be multiplied by
        if k <= MOST_TABLED:  # all at once is quicker than to look for those that occur
            self._add(np.arange(len(self.R) << k))

    def _columns_at_once(self, k: int) -> int:
        return COLUMNS

    def _solve(self, at: Places, free: np.ndarray, p: np.ndarray) -> np.ndarray:
        code = at[0] << self.k
        for i in range(self.k):
            code += free[i].astype(np.int64) << i
        which = self._found(code)
        z = np.einsum("klm,lm->km", self._matrices.take(which, axis=2), p)
        if self._large.any():
            at_large = np.flatnonzero(self._large[which])
            R = self.R[at[0][at_large]].transpose(1, 2, 0)
            z[:, at_large] = eliminated(R, free[:, at_large], p[:, at_large])
        return z

    def _found(self, code: np.ndarray) -> np.ndarray:
        """Where the matrices of the codes are."""
        if self.k <= MOST_TABLED:
            return code
        unique, which = np.unique(code, return_inverse=True)
        new = np.setdiff1d(unique, self._codes, assume_unique=True)
        if len(new):
            self._add(new)
        return np.searchsorted(self._codes, unique)[which]

    def _add(self, codes: np.ndarray) -> None:
        """Of a fit and a pattern each: z where free, and where held the gradient, from p."""
        free = (codes[:, None] >> np.arange(self.k) & 1).astype(bool)
        R = self.R[codes >> self.k]
        inverse = inverse_of_free(R, free)
        held = R @ inverse - np.eye(self.k) * ~free[:, None]
        made = np.where(free[:, :, None], inverse, held).transpose(1, 2, 0)
        large = np.abs(inverse).max(axis=(1, 2)) > MOST_INVERTED
        codes = np.concatenate([self._codes, codes])
        order = np.argsort(codes)
        self._codes = codes[order]
        self._large = np.concatenate([self._large, large])[order]
        self._matrices = np.concatenate([self._matrices, made], axis=2)[:, :, order]

    def inverse_moments(
        self, free: Tensor, Z: Tensor, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        n_fits, k, n_columns = free.shape
        code = np.repeat(np.arange(n_fits, dtype=np.int64) << k, n_columns)
        for i in range(k):
            code += free[:, i].numpy().astype(np.int64).ravel() << i
        which = self._found(code)
        fit = self._codes >> k
        first = np.searchsorted(fit, np.arange(n_fits + 1))
        most = np.diff(first).max()  # of the patterns of a fit
        place = fit * most + np.arange(len(fit)) - first[fit]
        z = Z.numpy().transpose(1, 0, 2).reshape(k, -1)
        counted = z if weight is None else z * weight.numpy().ravel()
        moments, inverse = np.zeros((2, n_fits * most, k, k))
        which = place[which]
        for i in range(k):
            for j in range(i + 1):
                of_each = np.bincount(which, z[i] * counted[j], len(moments))
                moments[:, i, j] = moments[:, j, i] = of_each
        scale = self.scale[fit, :, 0]
        is_free = (self._codes[:, None] >> np.arange(k) & 1) * scale
        inverse[place] = self._matrices.transpose(2, 0, 1) * (is_free[:, :, None] * scale[:, None])
        shape = n_fits, most, k, k
        return torch.from_numpy(moments.reshape(shape)), torch.from_numpy(inverse.reshape(shape))

    def inverse_of_free(self, free: Tensor) -> Tensor:
        n_fits, k, n_columns = free.shape
        R = np.repeat(self.R, n_columns, axis=0)
        inverse = inverse_of_free(R, free.numpy().transpose(0, 2, 1).reshape(-1, k))
        inverse = inverse.reshape(n_fits, n_columns, k, k)
        scale = self.scale[:, None, :, 0]
        inverse *= scale[..., None] * scale[..., None, :]
        return torch.from_numpy(inverse.transpose(0, 2, 3, 1))


class _ByColumns(_OnCPU):
    """With a matrix a column, or so many components that hardly two columns are alike."""

    def _columns_at_once(self, k: int) -> int:
        return max(1, ENTRIES // k**2)

    def _solve(self, at: Places, free: np.ndarray, p: np.ndarray) -> np.ndarray:
        R = self.R[at[0], at[1] if self.R.shape[1] > 1 else 0]
        return eliminated(R.transpose(1, 2, 0), free, p)

    def inverse_of_free(self, free: Tensor) -> Tensor:
        n_fits, k, n_columns = free.shape
        R = np.broadcast_to(self.R, (n_fits, n_columns, k, k)).reshape(-1, k, k)
        inverse = inverse_of_free(R, free.numpy().transpose(0, 2, 1).reshape(-1, k))
        inverse = inverse.reshape(n_fits, n_columns, k, k).transpose(0, 2, 3, 1)
        return torch.from_numpy(inverse * self.scale[:, :, None] * self.scale[:, None])


class _ByElimination(Quadratics):
    """On a device: all columns at once, a fixed number of rounds, nothing read back."""

    def __init__(self, Q: Tensor):
        variance = Q.diagonal(dim1=1, dim2=2).movedim(-1, 1)
        self.scale = torch.where(variance > 0, variance, torch.inf).rsqrt()
        self.R = Q * self.scale[:, :, None] * self.scale[:, None]
        ridge = torch.where(self.scale > 0, RIDGE, 1.0)
        self.R.diagonal(dim1=1, dim2=2).add_(ridge.movedim(1, -1))

    def minimise(self, P: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        p, free, k = P * self.scale, start > 0, P.shape[1]
        floor = -NEGLIGIBLE * p.abs().amax(dim=1, keepdim=True)
        fewest = torch.full_like(P[:, :1], k + 1)
        patience = torch.full_like(fewest, PATIENCE)
        for _ in range(DEVICE_ROUNDS + k):
            z = self._complementary(free, p)
            wrong = z < floor
            count = wrong.sum(dim=1, keepdim=True).to(P.dtype)
            patience = torch.where(count < fewest, PATIENCE, patience - 1)
            fewest = torch.minimum(fewest, count)
            last = wrong & (wrong.flip(1).cumsum(dim=1).flip(1) == 1)
            of_z, free = free, free ^ torch.where(patience > 0, wrong, last)
        solved = ~wrong.any(dim=1)
        Z = torch.where(of_z, z.clamp(min=0), 0)
        scaled_start = torch.where(self.scale > 0, start / self.scale, 0)
        lower = self._quadratic(Z, p) <= self._quadratic(scaled_start, p)
        moves = (self.scale > 0) & (solved | lower)[:, None]
        return torch.where(moves, Z * self.scale, start), solved

    def inverse_of_free(self, free: Tensor) -> Tensor:
        return self._inverse(free) * self.scale[:, :, None] * self.scale[:, None]

    def _quadratic(self, z: Tensor, p: Tensor) -> Tensor:
        """Of each column, (batch, columns)."""
        return (z * ((self.R * z[:, None]).sum(dim=2) / 2 - p)).sum(dim=1)

    def _complementary(self, free: Tensor, p: Tensor) -> Tensor:
        """z where free and the gradient where held, by Gauss-Jordan steps, all columns at once."""
        M = torch.where(free[:, :, None] & free[:, None], self.R, 0)
        M.diagonal(dim1=1, dim2=2).add_((~free).to(p.dtype).movedim(1, -1))
        z = torch.where(free, p, 0)
        for j in range(M.shape[1]):
            pivot = 1 / M[:, j, j].clamp(min=RIDGE)
            row, of_z = M[:, j] * pivot[:, None], z[:, j] * pivot
            column = M[:, :, j].clone()
            M -= column[:, :, None] * row[:, None]
            z -= column * of_z[:, None]
            M[:, j], z[:, j] = row, of_z
        z = torch.where(free, z, 0)
        return torch.where(free, z, (self.R * z[:, None]).sum(dim=2) - p)

    def _inverse(self, free: Tensor) -> Tensor:
        """Of R on the free entries, by Gauss-Jordan steps in all columns at once."""
        M = torch.where(free[:, :, None] & free[:, None], self.R, 0)
        for j in range(M.shape[1]):
            pivot = 1 / torch.where(free[:, j], M[:, j, j].clamp(min=RIDGE), 1)
            row, column = M[:, j] * pivot[:, None], M[:, :, j].clone()
            M -= column[:, :, None] * row[:, None]
            M[:, j] = row
            M[:, :, j] = -column * pivot[:, None]
            M[:, j, j] = torch.where(free[:, j], pivot, 0)
        return M
