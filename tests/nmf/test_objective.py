"""The objective and its gradient, against plain sums and finite differences."""

import numpy as np
import pytest
import torch

from spectralunmix.nmf import objective
from spectralunmix.nmf.spectra import Spectra

SMOOTHNESS = [0.0, 3.7]


@pytest.fixture(params=["unweighted", "weighted"])
def problem(request):
    """X (7, 11), v or None, W (7, 3), H (3, 11)."""
    rng = np.random.default_rng(1)
    X, v, W, H = (rng.random(shape) for shape in [(7, 11), (7, 11), (7, 3), (3, 11)])
    v[2], v[4, ::3] = 0, 0
    return X, None if request.param == "unweighted" else v, W, H


def spectra_of(X, v):
    return Spectra(torch.from_numpy(X), None if v is None else torch.from_numpy(v))


def plain(X, v, W, H, smoothness):
    """The objective as it is written."""
    v = np.ones_like(X) if v is None else v
    mean = [np.mean(row[row > 0]) if row.any() else 0 for row in v]
    rough = sum(
        mean[i] * W[i, k] ** 2 * ((H[k, 1:] - H[k, :-1]) ** 2).sum() for i, k in np.ndindex(W.shape)
    )
    return (v * (X - W @ H) ** 2).sum() + smoothness * rough


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
def test_objective_is_the_sum_as_written(problem, smoothness):
    X, v, W, H = problem
    spectra = spectra_of(X, v)
    products = spectra.with_components(H[None])[0], spectra.with_weights(W.T[None])[0]
    grams = spectra.gram_of_components(H[None])[0], spectra.gram_of_weights(W.T[None])[0]
    gradients = (
        objective.gradient_weights(products[0], grams[0], W.T, H, smoothness, spectra.mean_weight),
        objective.gradient_components(
            products[1], grams[1], W.T, H, smoothness, spectra.mean_weight
        ),
    )
    for of in zip(gradients, (W.T, H), products, strict=True):
        value = objective.value(spectra.sum_of_squares, *of)
        assert value == pytest.approx(plain(X, v, W, H, smoothness), rel=1e-12)
    assert spectra.misfit(W.T, H) == pytest.approx(plain(X, v, W, H, 0), rel=1e-12)


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
@pytest.mark.parametrize("factor", ["W", "H"])
def test_gradient_is_that_of_finite_differences(problem, smoothness, factor):
    X, v, W, H = problem
    spectra = spectra_of(X, v)
    if factor == "W":
        product, gram = spectra.with_components(H[None]), spectra.gram_of_components(H[None])
        of = product[0], gram[0], W.T, H, smoothness, spectra.mean_weight
        gradient = objective.gradient_weights(*of).T
    else:
        product, gram = spectra.with_weights(W.T[None]), spectra.gram_of_weights(W.T[None])
        of = product[0], gram[0], W.T, H, smoothness, spectra.mean_weight
        gradient = objective.gradient_components(*of)
    moved, step = (W if factor == "W" else H), 1e-6
    for index in np.ndindex(moved.shape):
        before = moved[index]
        moved[index] = before + step
        above = plain(X, v, W, H, smoothness)
        moved[index] = before - step
        below = plain(X, v, W, H, smoothness)
        moved[index] = before
        expected = (above - below) / (2 * step)
        assert 2 * gradient[index] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_rescaling_changes_nothing(problem):
    X, v, W, H = problem
    scale = np.array([0.01, 1.0, 300.0])
    rescaled = plain(X, v, W * scale, H / scale[:, None], 5.0)
    assert rescaled == pytest.approx(plain(X, v, W, H, 5.0), rel=1e-12)


def test_only_feasible_descent_counts():
    gradient = np.array([[2.0, -3.0, 2.0, -4.0]])
    factor = np.array([[0.0, 0.0, 1.0, 0.0]])
    product = np.array([[0.0, 10.0, 0.0, 0.0]])
    measured = objective.relative_projected(gradient, factor, product)
    assert measured == pytest.approx((9 + 4 + 16) ** 0.5 / 10)
