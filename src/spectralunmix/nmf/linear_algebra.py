"""Block-tridiagonal systems: smoothness couples each channel's components to the next channel's.

There are two implementations, which the tests hold equal.  On a CPU LAPACK factorises one fit after
the other.  On a device torch does a fixed number of steps, and nothing is read back.
"""

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from . import device

RIDGE = 1e-12  # of the largest diagonal entry, for a Cholesky factorisation
HELD = 1e30  # on the diagonal of an entry that must not move


class BlockTridiagonal:
    """Q of the components' problem on their free entries, factorised (8).

    Q = G_j + c (D^T D) in each channel j, where G is the weights' Gram matrix and c > 0 couples
    each component to itself in the next channel.

    Parameters
    ----------
    gram : Tensor
        G, (batch, k, k, 1 or n_wave).
    coupling : Tensor
        c, (batch,).
    free : Tensor
        (batch, k, n_wave)
    """

    def __new__(cls, gram: Tensor, coupling: Tensor, free: Tensor) -> "BlockTridiagonal":
        return super().__new__(_Banded if device.on_cpu(gram) else _CyclicReduction)

    def solve(self, Z: Tensor, fits: Tensor | None = None) -> Tensor:
        """Q^-1 Z on the free entries, zero on the others, (batch, k, n_wave).

        fits : which fits it is wanted of, (batch,); a device solves it for all
        """
        raise NotImplementedError


class _Banded(BlockTridiagonal):
    """By LAPACK's banded Cholesky factorisation, fit by fit, channel by channel.

    The matrix of a fit is (n_wave, k, k + 1): of each entry its own, then those below, which are
    the later components of its channel and, k further on, its own component in the next channel.
    """

    def __init__(self, gram: Tensor, coupling: Tensor, free: Tensor):
        self.free = free.numpy()
        of_each = zip(gram.numpy(), coupling.tolist(), self.free, strict=True)
        self._factors = [self._factor(*of) for of in of_each]

    def _factor(self, gram: np.ndarray, coupling: float, free: np.ndarray) -> np.ndarray:
        k, n_wave = free.shape
        matrix = np.empty((n_wave, k, k + 1))
        block = np.zeros((gram.shape[2], k, k + 1))
        for below in range(k):
            block[:, : k - below, below] = gram[range(below, k), range(k - below)].T
        block[:, :, 0] += 2 * coupling
        block[:, :, 0] += RIDGE * block[:, :, 0].max()
        block[:, :, k] = -coupling
        matrix[...] = block
        for end in (0, -1):  # has one neighbour
            matrix[end, :, 0] -= coupling
        np.copyto(matrix[:, :, 0], HELD, where=~free.T)
        factor, info = lapack.dpbtrf(matrix.reshape(-1, k + 1).T, lower=1, overwrite_ab=1)
        if info:
            raise np.linalg.LinAlgError(f"entry {info} of a banded matrix is not positive")
        return factor

    def solve(self, Z: Tensor, fits: Tensor | None = None) -> Tensor:
        made = np.zeros(self.free.shape)
        k, n_wave = self.free.shape[1:]
        for fit in range(len(made)) if fits is None else fits.nonzero()[:, 0].tolist():
            right = Z[fit].numpy().T.flatten()  # a copy; what is held ends at 0
            solved, _ = lapack.dpbtrs(self._factors[fit], right, lower=1, overwrite_b=1)
            np.multiply(solved.reshape(n_wave, k).T, self.free[fit], out=made[fit])
        return torch.from_numpy(made)


class _CyclicReduction(BlockTridiagonal):
    """By block cyclic reduction (Heller 1976, SIAM J. Numer. Anal. 13, 484).

    Every second block is eliminated, all at once, until one is left.
    """

    def __init__(self, gram: Tensor, coupling: Tensor, free: Tensor):
        self.free = free
        neighbours = torch.full_like(free, 2, dtype=gram.dtype)  # the diagonal of D^T D
        for end in (0, -1):
            neighbours[..., end] -= 1
        diagonal = coupling[:, None, None] * neighbours
        variance = gram.diagonal(dim1=1, dim2=2).movedim(-1, 1)
        diagonal += RIDGE * (variance + diagonal).amax(dim=(1, 2), keepdim=True)
        part = free[:, :, None] & free[:, None]
        D = torch.where(part, gram, 0)
        D.diagonal(dim1=1, dim2=2).add_(torch.where(free, diagonal, 1).movedim(1, -1))
        D = D.movedim(-1, 1).contiguous()
        both = (free[..., 1:] & free[..., :-1]).to(gram.dtype)
        U = torch.diag_embed((-coupling[:, None, None] * both).movedim(1, -1))
        self.levels = []
        while D.shape[1] > 1:
            odd, right = D[:, 1::2], U[:, 1::2]
            factor = torch.linalg.cholesky_ex(odd)[0]
            to_left = torch.cholesky_solve(U[:, ::2].mT.contiguous(), factor)
            to_right = torch.cholesky_solve(right.contiguous(), factor[:, : right.shape[1]])
            self.levels.append((factor, to_left, to_right))
            even = D[:, ::2].clone()
            even[:, : odd.shape[1]] -= U[:, ::2] @ to_left
            even[:, 1 : 1 + right.shape[1]] -= right.mT @ to_right
            U = -U[:, ::2][:, : right.shape[1]] @ to_right
            D = even
        self.last = torch.linalg.cholesky_ex(D)[0]

    def solve(self, Z: Tensor, fits: Tensor | None = None) -> Tensor:
        right = torch.where(self.free, Z, 0).mT[..., None].contiguous()
        eliminated = []
        for _, to_left, to_right in self.levels:
            odd, even = right[:, 1::2], right[:, ::2].clone()
            eliminated.append(odd)
            even[:, : odd.shape[1]] -= to_left.mT @ odd
            even[:, 1 : 1 + to_right.shape[1]] -= to_right.mT @ odd[:, : to_right.shape[1]]
            right = even
        x = torch.cholesky_solve(right, self.last)
        for (factor, to_left, to_right), odd in zip(
            reversed(self.levels), reversed(eliminated), strict=True
        ):
            whole = x.new_empty(x.shape[0], x.shape[1] + odd.shape[1], *x.shape[2:])
            solved = torch.cholesky_solve(odd, factor) - to_left @ x[:, : odd.shape[1]]
            solved[:, : to_right.shape[1]] -= to_right @ x[:, 1 : 1 + to_right.shape[1]]
            whole[:, ::2], whole[:, 1::2] = x, solved
            x = whole
        return torch.where(self.free, x[..., 0].mT, 0)
