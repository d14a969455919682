"""Spectra compressed to the few directions that matter to a fit.

With Q, orthonormal rows (r, n_spectra), Q' Q X takes the place of X: a pass costs
O((n_spectra + n_wave) r k) in place of O(n_spectra n_wave k).  The gradient of F at
(W, H) is that of the whole X where Q's span has both W and X H', since what is left
out, E = X - Q' Q X, then has W' E = 0 and E H' = 0; the error of a step from there is
of second order, <E, dW dH>.  So a span that takes in each new (W, X H') leads to the
optimum of the whole X, in a few true passes.  Start: a randomised range finder with
one power iteration (Halko, Martinsson & Tropp 2011, SIAM Review 53, 217).
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .communication import ALONE, Communicator, orthonormal

if TYPE_CHECKING:
    from .data import Spectra


class Compressed:
    """Q' Q X of each fit (11), from Q (batch, r, n_spectra), Q X (batch, r, n_wave): a `Data`.

    One Q, with batch 1, serves all fits until it is extended.

    Parameters
    ----------
    Q, QX : Tensor
        Orthonormal rows, and their product with X.
    sum_of_squares : Tensor
        Of the whole X, so that F is that of the whole but for terms in (X - Q' Q X).
    comm : Communicator
        The processes that have further columns of Q, and so further spectra.
    """

    pixel_weights = False
    row_weight: Tensor | None = None
    eps = float(np.finfo(float).eps)

    def __init__(self, Q: Tensor, QX: Tensor, sum_of_squares: Tensor, comm: Communicator = ALONE):
        self.Q, self.QX, self.sum_of_squares, self.comm = Q, QX, sum_of_squares, comm
        self.shape = (Q.shape[2], QX.shape[2])
        self.mean_weight = Q.new_ones(1, Q.shape[2])

    def times_weights(self, Wt: Tensor) -> Tensor:
        return self.comm.total(Wt @ self.Q.mT) @ self.QX

    def products_with_weights(self, Wt: Tensor) -> tuple[Tensor, Tensor]:
        along, gram = self.comm.all_reduce(Wt @ self.Q.mT, Wt @ Wt.mT)
        return along @ self.QX, gram[..., None]

    def times_components(self, H: Tensor) -> Tensor:
        return (H @ self.QX.mT) @ self.Q

    def gram_weights(self, Wt: Tensor) -> Tensor:
        return self.comm.total(Wt @ Wt.mT)[..., None]

    def gram_components(self, H: Tensor) -> Tensor:
        return (H @ H.mT)[..., None]

    def of_fits(self, fits: Tensor) -> "Compressed":
        if len(self.Q) == 1:
            return self
        return Compressed(self.Q[fits], self.QX[fits], self.sum_of_squares, self.comm)

    def extended(self, new: Tensor, new_X: Tensor) -> "Compressed":
        """With orthonormal rows `new` (batch, any, n_spectra) and their product with X besides."""
        Q, QX = (Z.expand(len(new), -1, -1) for Z in (self.Q, self.QX))
        longer = torch.cat([Q, new], dim=1), torch.cat([QX, new_X], dim=1)
        return Compressed(*longer, self.sum_of_squares, self.comm)

    def outside(self, *rows: Tensor) -> Tensor:
        """An orthonormal basis of what rows (batch, any, n_spectra) have outside Q's span."""
        basis = torch.cat(rows, dim=1)
        for _ in range(2):  # the second time for what rounding left
            basis = orthonormal(basis - self.comm.total(basis @ self.Q.mT) @ self.Q, self.comm)
        return basis


def sketch(data: "Spectra", rank: int, seed: int = 0) -> Compressed:
    """The `rank` directions that hold nearly all of X, in four passes."""
    normal = np.random.default_rng(seed).standard_normal((1, rank, data.shape[1]))
    comm = data.comm
    Q = orthonormal(data.times_components(torch.from_numpy(normal).to(data.device)), comm)
    (along,) = comm.broadcast(orthonormal(data.times_weights(Q), ALONE))
    Q = orthonormal(data.times_components(along), comm)
    return Compressed(Q, data.times_weights(Q), data.sum_of_squares, comm)
