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

if TYPE_CHECKING:
    from .data import Spectra


class Compressed:
    """Q' Q X of each fit (12), from Q (batch, r, n_spectra), Q X (batch, r, n_wave): a `Data`.

    One Q, with batch 1, serves all fits until it is extended.

    Parameters
    ----------
    Q, QX : Tensor
        Orthonormal rows, and their product with X.
    sum_of_squares : Tensor
        Of the whole X, so that F is that of the whole but for terms in (X - Q' Q X).
    """

    pixel_weights = False
    row_weight: Tensor | None = None
    eps = float(np.finfo(float).eps)

    def __init__(self, Q: Tensor, QX: Tensor, sum_of_squares: Tensor):
        self.Q, self.QX, self.sum_of_squares = Q, QX, sum_of_squares
        self.shape = (Q.shape[2], QX.shape[2])
        self.mean_weight = Q.new_ones(1, Q.shape[2])

    def times_weights(self, Wt: Tensor) -> Tensor:
        return (Wt @ self.Q.mT) @ self.QX

    def times_components(self, H: Tensor) -> Tensor:
        return (H @ self.QX.mT) @ self.Q

    def gram_weights(self, Wt: Tensor) -> Tensor:
        return (Wt @ Wt.mT)[..., None]

    def gram_components(self, H: Tensor) -> Tensor:
        return (H @ H.mT)[..., None]

    def of_fits(self, fits: Tensor) -> "Compressed":
        if len(self.Q) == 1:
            return self
        return Compressed(self.Q[fits], self.QX[fits], self.sum_of_squares)

    def extended(self, new: Tensor, new_X: Tensor) -> "Compressed":
        """With orthonormal rows `new` (batch, any, n_spectra) and their product with X besides."""
        Q, QX = (Z.expand(len(new), -1, -1) for Z in (self.Q, self.QX))
        return Compressed(
            torch.cat([Q, new], dim=1), torch.cat([QX, new_X], dim=1), self.sum_of_squares
        )

    def outside(self, *rows: Tensor) -> Tensor:
        """An orthonormal basis of what rows (batch, any, n_spectra) have outside Q's span."""
        basis = torch.cat(rows, dim=1)
        for _ in range(2):  # the second time for what rounding left
            basis = orthonormal(basis - (basis @ self.Q.mT) @ self.Q)
        return basis


def sketch(data: "Spectra", rank: int, seed: int = 0) -> Compressed:
    """The `rank` directions that hold nearly all of X, in four passes."""
    normal = np.random.default_rng(seed).standard_normal((1, rank, data.shape[1]))
    Q = orthonormal(data.times_components(torch.from_numpy(normal).to(data.device)))
    along = orthonormal(data.times_weights(Q))
    Q = orthonormal(data.times_components(along))
    return Compressed(Q, data.times_weights(Q), data.sum_of_squares)


def orthonormal(rows: Tensor) -> Tensor:
    """An orthonormal basis, (batch, any, n), of the span of rows (batch, any, n)."""
    return torch.linalg.qr(rows.mT)[0].mT.contiguous()
