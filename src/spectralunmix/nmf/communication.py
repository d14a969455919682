"""Sums over spectra that several processes share, in the terms of MPI.

A fit is the same program in every process, each with rows of X of its own and with all of H.
Whatever is summed over spectra goes through `all_reduce`, so that all of them go on with the same
bits; what they decide by, and H, they take from rank 0, as processors of other kinds round
otherwise.  One process by itself is `ALONE`.
"""

import torch
from torch import Tensor

COMPONENTS = "components"  # what a broadcast is of, where that is where a fit could go on from


class Communicator:
    """A process that has all of the spectra."""

    rank = 0
    n_ranks = 1

    def all_reduce(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The sums of what each process has, each in the place of its own."""
        return tensors

    def broadcast(self, *tensors: Tensor, of: str = "") -> tuple[Tensor, ...]:
        """What rank 0 has."""
        return tensors

    def total(self, tensor: Tensor) -> Tensor:
        """`all_reduce` of one."""
        return self.all_reduce(tensor)[0]

    def all_gather(self, tensor: Tensor) -> Tensor:
        """What each process has, all of one shape, (n_ranks, ...)."""
        if self.n_ranks == 1:
            return tensor[None]
        all_of_them = tensor.new_zeros(self.n_ranks, *tensor.shape)
        all_of_them[self.rank] = tensor
        return self.total(all_of_them)

    def largest(self, tensor: Tensor) -> Tensor:
        """The largest that any process has, entry by entry."""
        return self.all_gather(tensor).amax(dim=0)

    def any(self, which: Tensor) -> Tensor:
        """Whether any process has it, entry by entry."""
        return which if self.n_ranks == 1 else self.total(which.double()) > 0


ALONE = Communicator()


def orthonormal(rows: Tensor, comm: Communicator) -> Tensor:
    """An orthonormal basis, (batch, any, n), of the span of rows (batch, any, n), n shared.

    Each process takes the QR decomposition of its own columns, and all that of the triangles on
    top of one another (Demmel et al. 2012, SIAM J. Sci. Comput. 34, A206).
    """
    Q, R = torch.linalg.qr(rows.mT)
    if comm.n_ranks == 1:
        return Q.mT.contiguous()
    size = rows.shape[1]
    square = R.new_zeros(len(R), size, size)
    square[:, : R.shape[1]] = R
    triangles = comm.all_gather(square).movedim(0, 1)  # (batch, n_ranks, size, size)
    (of_all,) = comm.broadcast(torch.linalg.qr(triangles.flatten(1, 2))[0])
    own = of_all.unflatten(1, (comm.n_ranks, size))[:, comm.rank, : R.shape[1]]
    return (Q @ own).mT.contiguous()
