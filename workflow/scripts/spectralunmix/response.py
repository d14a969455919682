"""How the components respond to the weights: what a plain alternating update leaves out.

An update of the weights W (k, n_spectra) that holds the components is undone in large part by
the components' own update, and the more they overlap the more iterations that takes.
Here the weights are chosen for the components as these will then be.  To first order a change
dW of the weights moves the components by

    dH = - B^-1 (T^T H),    T = dW W^T,  (k, k),

B the matrix of the components' quadratic problem (`updates`) on the entries above zero, and
so adds K(T) W, K(T) = - H dH^T, to H X^T in the equations of the weights.  With `best` the
weights of the plain update, A = H H^T, and A_i its part on what spectrum i has above zero,
these then change by

    dw_i = best_i + A_i^-1 K(T) w_i - w_i,

of which the sum of the dw_i w_i^T must be T: k^2 linear equations, whatever the size of X.
This is the Gauss-Newton step of variable projection (Golub & Pereyra 1973, SIAM J. Numer.
Anal. 10, 413; Kaufman 1975, BIT 15, 49).

Weights of pixels are taken for a_i b_j here, and smoothness is let act on each component by
itself: a wrong guess costs iterations, and changes nothing of where they lead.
"""

import functools

import numpy as np
from scipy.linalg.lapack import dptsv

from .objective import roughness
from .updates import column_blocks, inverses, neighbours, patterns_of

MOST = 40  # components for which the response pays: its equations cost k^6
RIDGE = 1e-12  # of the largest response: two components alike, or an empty one, stay solvable


def anticipated(W, best, H, smoothness: float, damping: float, a=1.0, b=1.0):
    """What to add to H (v X)^T for the weights that anticipate the components, (k, n_spectra).

    W, best : (k, n_spectra), the weights for which H, (k, n_wave), is best, and those best for H
    damping : 1 for none of the response, 0 for all of it, where T may be undetermined
    a, b : the mean weight of the pixels of each spectrum, and of each channel over the mean of all
    """
    k, share = len(W), 1 - damping
    W_a, H_b = W * np.sqrt(a), H * np.sqrt(b)
    A_W, A_H = W_a @ W_a.T, H_b @ H_b.T
    if smoothness:
        A_H += np.diag(smoothness / np.mean(a) * roughness(H))
    K = _as_map(_sums(H_b, A_W, H > 0))
    if smoothness:
        K = np.linalg.solve(np.eye(k * k) + K @ _stiffness(H, np.diag(A_W), smoothness, b), K)
    L = _as_map(_sums(W_a, A_H, best > 0).T)
    plain = ((best - W) * a) @ W.T
    T = np.linalg.solve(np.eye(k * k) - share * L @ K, plain.ravel())
    return share * (K @ T).reshape(k, k) @ W * a


def _sums(Z, A, free):
    """sum_m (z_m z_m^T) (x) A_m^-1 over the columns of Z, (k, m): (pairs, pairs).

    A_m : the part of A, (k, k), on the entries that are free, (k, m), in column m
    pairs : both are symmetric, of their k^2 entries the k (k + 1) / 2 pairs are enough
    """
    first, second, _ = _pairs(len(Z))
    sums = 0.0
    for part in column_blocks(*Z.shape):
        patterns, which = patterns_of(free[:, part])
        inverse = inverses(A, patterns)[:, first, second]
        sums += (Z[first, part] * Z[second, part]) @ inverse.take(which, axis=0)
    return sums


def _as_map(sums):
    """Such sums as the matrix, (k^2, k^2), of the map U -> sum_m z_m z_m^T U A_m^-1 of (k, k)."""
    k = int((2 * len(sums)) ** 0.5)
    *_, pair = _pairs(k)
    return sums[pair[:, None, :, None], pair[None, :, None, :]].reshape(k * k, k * k)


@functools.cache
def _pairs(k: int):
    """The entries of each pair, (pairs,) and (pairs,), and the pair of two entries, (k, k)."""
    first, second = np.triu_indices(k)
    pair = np.empty((k, k), int)
    pair[first, second] = pair[second, first] = np.arange(len(first))
    return first, second, pair


def _stiffness(H, variance, smoothness: float, b):
    """What smoothness adds to the inverse of K, (k^2, k^2), each component taken by itself.

    For component c, with R the components H b on the channels where c is above zero, it is the
    difference of the inverses of R B_c^-1 R^T with smoothness, B_c = a_c diag(b) + smoothness
    D^T D on those channels, and without; a_c : variance, (k,), the squared lengths of W.
    """
    k, n_wave = H.shape
    variance, free = np.where(variance > 0, variance, 1.0)[:, None], H > 0
    diagonal = variance * b + smoothness * neighbours(n_wave)
    beside = np.zeros((k, n_wave))  # the last channel of a component has no neighbour in the next
    beside[:, :-1][free[:, 1:] & free[:, :-1]] = -smoothness
    R = free * (H * b)[:, None]  # (k, c, n_wave)
    solved = dptsv(np.where(free, diagonal, 1.0).ravel(), beside.ravel()[:-1], R.reshape(k, -1).T)
    R, smooth = R.swapaxes(0, 1), solved[2].T.reshape(k, k, n_wave).swapaxes(0, 1)  # (c, k, n_wave)
    responses = np.stack([R @ smooth.swapaxes(1, 2), R @ H.T / variance[:, :, None]])
    responses += RIDGE * responses.max() * np.eye(k)
    with_smoothness, without = np.linalg.inv(responses)
    stiffness = np.zeros((k, k, k, k))
    stiffness[:, range(k), :, range(k)] = with_smoothness - without
    return stiffness.reshape(k * k, k * k)
