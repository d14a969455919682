"""The objective of smooth non-negative factorisation, its gradient and its optimality.

    F(W, H) = sum_ij v_ij (X - W H)_ij^2 + smoothness * sum_ik v_i w_ik^2 ||D h_k||^2

X is (n_spectra, n_wave), W (n_spectra, k), H (k, n_wave), v_ij the weight of a
pixel (1 throughout where none are given), v_i the mean of spectrum i's that are not 0,
and D takes first differences along wavelength.  Where v = 1 and the columns of W have
unit length this is Eq. 1 of De Souza et al. (2026).  Their penalty, ||H D^T||^2, can be
driven to zero by W -> c W, H -> H / c, which leaves the fit as it is; the factor w_ik^2
makes it the roughness of what a component contributes to a spectrum, which no rescaling
changes, and v_i gives that the weight of the spectrum's pixels, so that no scale of theirs
makes a fit smoother or rougher.

Weights are kept transposed, (k, n_spectra), so that both factors have one layout.
F and its gradient are evaluated from products that the updates need anyway (`spectra`):
the weighted product of X with a factor, and the factor's Gram matrices A, (k, k), or
(k, k, m) with one for each of the m channels or spectra where pixels are weighted.
"""

import numpy as np

ROUNDING = 16 * np.finfo(float).eps  # of F, or a part of it, relative to the sum of squares


def apply_gram(A: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """A Z, (k, m), for one Gram matrix or one a column."""
    return A @ Z if A.ndim == 2 else np.einsum("klm,lm->km", A, Z)


def roughness(H: np.ndarray) -> np.ndarray:
    """||D h_k||^2 of each component, (k,), for H (k, n_wave)."""
    return np.square(np.diff(H)).sum(axis=1)


def squared_lengths(W: np.ndarray, mean_weight: np.ndarray) -> np.ndarray:
    """sum_i v_i w_ik^2 of each component's weights, (k,), for W (k, n_spectra)."""
    return np.square(W) @ mean_weight


def second_difference(H: np.ndarray) -> np.ndarray:
    """H D^T D, of the shape of H: the gradient of half the roughness, free ends."""
    steps, second = np.diff(H), np.zeros_like(H)
    second[:, 1:] += steps
    second[:, :-1] -= steps
    return second


def gradient_weights(
    XHt: np.ndarray,
    A: np.ndarray,
    W: np.ndarray,
    H: np.ndarray,
    smoothness: float,
    mean_weight: np.ndarray,
) -> np.ndarray:
    """Half of dF/dW, (k, n_spectra), from H (v X)^T and A, the Gram matrices of H.

    mean_weight : v_i, (n_spectra,)
    """
    gradient = apply_gram(A, W) - XHt
    return (
        gradient + smoothness * np.outer(roughness(H), mean_weight) * W if smoothness else gradient
    )


def gradient_components(
    WtX: np.ndarray,
    A: np.ndarray,
    W: np.ndarray,
    H: np.ndarray,
    smoothness: float,
    mean_weight: np.ndarray,
) -> np.ndarray:
    """Half of dF/dH, (k, n_wave), from W^T (v X) and A, the Gram matrices of W."""
    gradient = apply_gram(A, H) - WtX
    coupling = smoothness * squared_lengths(W, mean_weight)
    return gradient + coupling[:, None] * second_difference(H) if smoothness else gradient


def value(
    sum_of_squares: float, gradient: np.ndarray, factor: np.ndarray, product: np.ndarray
) -> float:
    """F, from sum_ij v_ij X_ij^2 and, of either factor, half its gradient and its data term.

    F is quadratic in a factor Z with the other held: <Z, Q Z> - 2 <Z, P> + sum of squares,
    P the weighted product of X with the other factor, and half the gradient Q Z - P.
    """
    return sum_of_squares + np.vdot(factor, gradient - product)


def relative_projected(
    gradient: np.ndarray, factor: np.ndarray, product: np.ndarray
) -> np.floating:
    """||P g|| / ||product||: how far from optimal a factor is, without units.

    P keeps what a feasible step can follow: where the factor is zero, only a
    negative gradient.  A pair (W, H) is stationary exactly where this is zero for
    both factors.  The product with X is the gradient's data term, so that the
    ratio needs no reference to a start (Lin 2007, Neural Comput. 19, 2756, has the norm).
    """
    feasible = np.where(factor > 0, gradient, np.minimum(gradient, 0))
    return np.linalg.norm(feasible) / (np.linalg.norm(product) or 1.0)
