"""How the components respond to the weights: what a plain alternating update leaves out.

An update of the weights W (k, n_spectra) that holds the components is undone in large part by
the components' own update, and the more they overlap the more iterations that takes.
Here the weights are chosen for the components as these will then be.  To first order a change
dW of the weights moves the components by

    - B^-1 [W (v (dW^T H)) - dW (v R) + C H D^T D],

R = X - W^T H the residual and C = 2 smoothness diag(sum_i v_i w_ik dw_ik) the change of the
smoothness's share.  The last two terms are left out: the second needs X (Kaufman 1975, BIT 15,
49, leaves it out too), and the third is zero for a dW that leaves the length of the weights of
each component as it is.  What is used is

    dH = - B^-1 W (v (dW^T H)),

B the matrix of the components' quadratic problem (`updates`) on the entries above zero, and
so adds G dW = - H (v (W^T dH))^T to H (v X)^T in the equations of the weights.  With `best` the
weights of the plain update and A the matrix of their problem on the entries that `best` has
above zero, the weights change by dW = best - W + e, e zero elsewhere, where

    (A - G) e = G (best - W).

This is the Gauss-Newton step of variable projection (Golub & Pereyra 1973, SIAM J. Numer.
Anal. 10, 413) as Kaufman approximates it.  That decides how fast a fit converges, not where: a
step is kept only where the true objective does not rise.  It is solved roughly, by a few
conjugate gradients preconditioned with A (Dembo & Steihaug 1983, Math. Program. 26, 190), which
need v but not X.
"""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np

from .objective import apply_gram
from .updates import banded, inverse_of_free, smooth_inverse_of_free

if TYPE_CHECKING:
    from .compression import Compressed
    from .solver import Fit, Iterate
    from .spectra import Spectra

LEFT = 0.5  # of the residual, where conjugate gradients end: the next iteration does the rest
MOST_STEPS = 20


def anticipated(
    spectra: "Spectra | Compressed", fits: list["Fit"], best: list[np.ndarray], A: list[np.ndarray]
) -> list[np.ndarray]:
    """What to add to H (v X)^T for weights that anticipate the components, (k, n_spectra) a fit.

    spectra : X and its weights, or X compressed
    fits : each with `now`, of W (k, n_spectra), H (k, n_wave) and B, the Gram matrices of W; with
        `smoothness`; and with `damping`, 0 for all of the response, 1 for none
    best, A : the weights, (k, n_spectra), best for H, and the matrix of their problem, of each fit
    """
    now = [one.now for one in fits]
    runs = [
        _conjugate_gradients(of.W, b, a, 1 - one.damping)
        for one, of, b, a in zip(fits, now, best, A, strict=True)
    ]
    inverses = [_inverse(of, one.smoothness) for one, of in zip(fits, now, strict=True)]
    asked, found = {i: next(run) for i, run in enumerate(runs)}, {}
    while asked:
        W, H = (np.stack([getattr(now[i], name) for i in asked]) for name in "WH")
        products = _model_with_weights(spectra, W, np.stack(list(asked.values())), H)
        less = np.stack([inverses[i](product) for i, product in zip(asked, products, strict=True)])
        images = _model_with_components(spectra, H, W, less)  # less is - dH
        for i, image in zip(list(asked), images, strict=True):
            try:
                asked[i] = runs[i].send(image)
            except StopIteration as end:
                found[i] = end.value
                del asked[i]
    return [found[i] for i in range(len(fits))]


def _conjugate_gradients(
    W: np.ndarray, best: np.ndarray, A: np.ndarray, share: float
) -> Generator[np.ndarray, np.ndarray, np.ndarray]:
    """Yields each change dW of which it needs G dW, and returns G of the weights' whole change."""
    free = best > 0
    precondition = inverse_of_free(A, free)
    total = share * (yield best - W)
    residual = np.where(free, total, 0.0)
    direction = precondition(residual)
    length = first = np.vdot(residual, direction)
    for _ in range(MOST_STEPS):
        if length <= LEFT**2 * first:
            break
        image = share * (yield direction)
        curved = np.where(free, apply_gram(A, direction) - image, 0.0)
        curvature = np.vdot(direction, curved)
        if curvature <= 0:  # by rounding, where components are alike
            break
        total += length / curvature * image
        residual -= length / curvature * curved
        ahead = precondition(residual)
        length, last = np.vdot(residual, ahead), length
        direction = ahead + length / last * direction
    return total


def _inverse(now: "Iterate", smoothness: float) -> Callable[[np.ndarray], np.ndarray]:
    """B^-1 on the entries of H above zero: a map of (k, n_wave)."""
    free = (now.H > 0) & now.W.any(axis=1, keepdims=True)
    if smoothness:
        return smooth_inverse_of_free(banded(now.B, smoothness, free.shape[1]), free)
    return inverse_of_free(now.B, free)


def _model_with_weights(
    spectra: "Spectra | Compressed", W: np.ndarray, dW: np.ndarray, H: np.ndarray
) -> np.ndarray:
    """W (v (dW^T H)), (fits, k, n_wave)."""
    if spectra.weighted:
        return spectra.model_with_weights(W, dW, H)
    return (W @ dW.swapaxes(1, 2)) @ H


def _model_with_components(
    spectra: "Spectra | Compressed", H: np.ndarray, W: np.ndarray, dH: np.ndarray
) -> np.ndarray:
    """H (v (W^T dH))^T, (fits, k, n_spectra)."""
    if spectra.weighted:
        return spectra.model_with_components(H, W, dH)
    return (H @ dH.swapaxes(1, 2)) @ W
