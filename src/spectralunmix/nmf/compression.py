"""Spectra compressed to the few directions that matter to a fit.

With Q, orthonormal rows (r, n_spectra), Q^T Q X takes the place of X: a pass costs
O((n_spectra + n_wave) r k) in place of O(n_spectra n_wave k).  The gradient of F at
(W, H) is that of the whole X where Q's span has both W and H X^T, since what is left
out, E = X - Q^T Q X, then has W E = 0 and H E^T = 0; the error of a step from there is
of second order, <E, dW^T dH>.  So a span that takes in each new (W, H X^T) leads to the
optimum of the whole X, in a few true passes.  Start: a randomised range finder with
one power iteration (Halko, Martinsson & Tropp 2011, SIAM Review 53, 217).
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .spectra import Spectra


class Compressed:
    """Q^T Q X, from Q (r, n_spectra) and Q X (r, n_wave), with the products of `Spectra`.

    sum_of_squares : of the whole X, so that F is that of the whole but for terms in (X - Q^T Q X)
    """

    weighted, eps = False, np.finfo(np.float64).eps

    def __init__(self, Q: np.ndarray, QX: np.ndarray, sum_of_squares: float) -> None:
        self.Q, self.QX, self.sum_of_squares = Q, QX, sum_of_squares
        self.shape = Q.shape[1], QX.shape[1]
        self.mean_weight = np.ones(self.shape[0])

    def with_weights(self, W: np.ndarray) -> np.ndarray:
        """W^T X, (fits, k, n_wave), for W (fits, k, n_spectra)."""
        return (W @ self.Q.T) @ self.QX

    def with_components(self, H: np.ndarray) -> np.ndarray:
        """H X^T, (fits, k, n_spectra), for H (fits, k, n_wave)."""
        return (H @ self.QX.T) @ self.Q

    def gram_of_weights(self, W: np.ndarray) -> np.ndarray:
        return W @ W.swapaxes(1, 2)

    def gram_of_components(self, H: np.ndarray) -> np.ndarray:
        return H @ H.swapaxes(1, 2)

    def extended(self, new: np.ndarray, new_X: np.ndarray) -> "Compressed":
        """With the orthonormal rows `new` (any, n_spectra) and their product with X besides."""
        Q, QX = np.concatenate([self.Q, new]), np.concatenate([self.QX, new_X])
        return Compressed(Q, QX, self.sum_of_squares)

    def outside(self, *parts: np.ndarray) -> np.ndarray:
        """An orthonormal basis of what rows, each (any, n_spectra), have outside Q's span."""
        rows = np.concatenate(parts)
        for _ in range(2):  # the second time for what rounding left
            rows = orthonormal(rows - (rows @ self.Q.T) @ self.Q)
        return rows


def sketch(spectra: "Spectra", rank: int, seed: int = 0) -> Compressed:
    """The `rank` directions that hold nearly all of X, in four passes."""
    normal = np.random.default_rng(seed).standard_normal((1, rank, spectra.shape[1]))
    Q = orthonormal(spectra.with_components(normal)[0])
    along = orthonormal(spectra.with_weights(Q[None])[0])
    Q = orthonormal(spectra.with_components(along[None])[0])
    return Compressed(Q, spectra.with_weights(Q[None])[0], spectra.sum_of_squares)


def orthonormal(rows: np.ndarray) -> np.ndarray:
    """An orthonormal basis, (any, n), of the span of rows (any, n)."""
    return np.ascontiguousarray(np.linalg.qr(rows.T)[0].T)
