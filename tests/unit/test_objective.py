"""The objective and its gradient, against plain sums and finite differences."""

import numpy as np
import pytest
import torch

from spectralunmix import objective


@pytest.fixture
def problem():
    rng = np.random.default_rng(1)
    X, W, H = (torch.from_numpy(rng.random(shape)) for shape in [(7, 11), (7, 3), (3, 11)])
    return X, W, H


def plain(X, W, H, smoothness):
    """Objective (1') as it is written."""
    X, W, H = (np.asarray(a) for a in (X, W, H))
    rough = sum(
        (W[:, k] ** 2).sum() * ((H[k, 1:] - H[k, :-1]) ** 2).sum() for k in range(W.shape[1])
    )
    return ((X - W @ H) ** 2).sum() + smoothness * rough


@pytest.mark.parametrize("smoothness", [0.0, 3.7])
def test_objective_is_the_sum_as_written(problem, smoothness):
    X, W, H = problem
    value = objective.misfit(X @ H.T, W, H, X.square().sum()) + objective.penalty(W, H, smoothness)
    assert float(value) == pytest.approx(plain(X, W, H, smoothness), rel=1e-12)


@pytest.mark.parametrize("smoothness", [0.0, 3.7])
@pytest.mark.parametrize("factor", ["W", "H"])
def test_gradient_is_that_of_finite_differences(problem, smoothness, factor):
    X, W, H = problem
    if factor == "W":
        gradient = objective.gradient_weights(X @ H.T, W, H, smoothness)
    else:
        gradient = objective.gradient_components(W.T @ X, W, H, smoothness)
    moved = W if factor == "W" else H
    step = 1e-6
    for index in np.ndindex(moved.shape):
        value = float(moved[index])
        moved[index] = value + step
        above = plain(X, W, H, smoothness)
        moved[index] = value - step
        below = plain(X, W, H, smoothness)
        moved[index] = value
        assert 2 * float(gradient[index]) == pytest.approx((above - below) / (2 * step), rel=1e-5)


def test_rescaling_changes_nothing(problem):
    X, W, H = problem
    scale = torch.tensor([0.01, 1.0, 300.0], dtype=torch.float64)
    rescaled = plain(X, W * scale, H / scale[:, None], 5.0)
    assert rescaled == pytest.approx(plain(X, W, H, 5.0), rel=1e-12)


def test_only_feasible_descent_counts():
    gradient = torch.tensor([2.0, -2.0, 2.0, -2.0])
    factor = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert objective.projected(gradient, factor).tolist() == [0.0, -2.0, 2.0, -2.0]
