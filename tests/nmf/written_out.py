"""The objective and its optimality in numpy, as the page of the method writes them."""

import numpy as np

# Converged values of the objective on the paper's 80 spectra, rank 4, found by several
# other methods (HALS and proximal gradient in numpy) from many starts.
REFERENCE = {0: 190.526872274, 1: 201.812908011, 10: 232.595519628, 100: 306.450198467}


def means(v):
    """The mean of each spectrum's weights above 0, (n_spectra,)."""
    return np.array([row[row > 0].mean() if (row > 0).any() else 0.0 for row in v])


def terms(X, v=None, counts=None):
    """v, 1 where None, the mean of each spectrum's, and how often each counts, both columns."""
    v = np.ones_like(X) if v is None else v
    counts = np.ones(len(X)) if counts is None else counts
    return np.where(v > 0, X, 0), v, means(v)[:, None], np.asarray(counts, float)[:, None]


def objective(X, W, H, smoothness, v=None, counts=None):
    """F of W (n_spectra, k) and H (k, n_wave)."""
    X, v, mean, counts = terms(X, v, counts)
    roughness = np.square(H[:, 1:] - H[:, :-1]).sum(axis=1)
    misfit = (counts * v * np.square(X - W @ H)).sum()
    return misfit + smoothness * (counts * mean * np.square(W) * roughness).sum()


def half_gradients(X, W, H, smoothness, v=None, counts=None):
    """Half the gradients of F in W and H, and the products that they are relative to."""
    X, v, mean, counts = terms(X, v, counts)
    D = np.diff(np.eye(X.shape[1]), axis=0)
    roughness = np.square(H @ D.T).sum(axis=1)
    residual = counts * v * (W @ H - X)
    in_W = residual @ H.T + smoothness * counts * mean * W * roughness
    lengths = (counts * mean * np.square(W)).sum(axis=0)
    in_H = W.T @ residual + smoothness * lengths[:, None] * (H @ D.T @ D)
    return (in_W, (counts * v * X) @ H.T), (in_H, W.T @ (counts * v * X))


def projected(gradient, factor):
    """What a feasible step can follow of a gradient."""
    return np.where(factor > 0, gradient, np.minimum(gradient, 0))


def optimality(X, W, H, smoothness, v=None, counts=None):
    """The larger of both factors' relative projected gradients, for weights of unit length."""
    found = []
    (of_W, product_of_W), of_H = half_gradients(X, W, H, smoothness, v, counts)
    count = terms(X, v, counts)[-1]
    root = np.sqrt(np.where(count > 0, count, 1))  # as of spectra that are there so often
    of_both = (of_W / root, product_of_W / root), of_H
    for (gradient, product), factor in zip(of_both, (W, H), strict=True):
        length = np.linalg.norm(product)
        found.append(np.linalg.norm(projected(gradient, factor)) / (length or 1.0))
    return max(found)


def unit_length(X, W, H, v=None, counts=None):
    """The same W H with weights of unit length, in which a fit measures its optimality."""
    _, _, mean, counts = terms(X, v, counts)
    length = np.sqrt((counts * mean * np.square(W)).sum(axis=0))
    length = np.where(length > 0, length, 1)
    return W / length, H * length[:, None]
