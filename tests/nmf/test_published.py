"""The published scheme and its history, and the components that fits begin with."""

import numpy as np
import pytest
import torch

from spectralunmix import SmoothNMF, published
from spectralunmix.nmf.data import Spectra
from spectralunmix.nmf.starts import random_starts, starting_components
from spectralunmix.published import LEARNING_RATE, adam_clamped, published_history

RNG = np.random.default_rng(0)
X = RNG.random((20, 3)) @ RNG.random((3, 40)) + 0.05 * RNG.random((20, 40))
V = RNG.random((20, 40))
INITS = ["nndsvd", "spa", "random"]


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def objective(W, H, smoothness, v):
    roughness = np.square(np.diff(H)).sum(axis=1)
    contributed = np.square(W).T @ v.mean(axis=1)  # no weight is 0
    return (v * np.square(X - W @ H)).sum() + smoothness * contributed @ roughness


@pytest.mark.parametrize("v", [None, V])
def test_a_step_of_the_published_scheme(v, rng):
    """Adam's first step is the learning rate against the gradient's sign, then the clamp."""
    W, H = 0.005 + 0.02 * rng.random((20, 3)), rng.random((3, 40))
    weights = np.ones_like(X) if v is None else v
    after = adam_clamped(X, W, H, 1, 2.0, v)
    for factor, new in zip((W, H), after, strict=True):
        for index in [(0, 0), (2, 1), (1, 2)]:
            step = np.zeros_like(factor)
            step[index] = 1e-6
            either = [
                objective(*(f + sign * step if f is factor else f for f in (W, H)), 2.0, weights)
                for sign in (1, -1)
            ]
            expected = factor[index] - LEARNING_RATE * np.sign(either[0] - either[1])
            assert np.isclose(new[index], max(expected, 0), atol=1e-6)
    assert (W > 0).all()  # the caller's own is not changed


@pytest.mark.parametrize("v", [None, V])
def test_objective_and_optimality_of_factors(v, rng):
    W, H = rng.random((20, 3)), rng.random((3, 40))
    spectra = Spectra(torch.from_numpy(X), None if v is None else torch.from_numpy(v))
    F, optimality = published.objective_and_optimality(spectra, W, H, 2.0)
    assert np.isclose(F, objective(W, H, 2.0, np.ones_like(X) if v is None else v))
    model = SmoothNMF(3, smoothness=2.0, tol=1e-8)
    W = model.fit_transform(X, inverse_variance=v)
    length = (np.square(W).T @ spectra.mean_weight[0].numpy()) ** 0.5  # as in the fit
    fitted = W / length, model.components_ * length[:, None]
    F, at_the_end = published.objective_and_optimality(spectra, *fitted, 2.0)
    assert np.isclose(F, model.objective_[-1])
    assert at_the_end < 2e-8 < 1e-2 < optimality


@pytest.mark.parametrize("init", INITS)
def test_both_schemes_begin_with_the_same_components(init):
    spectra = Spectra(torch.from_numpy(X))
    W, H = published.starting_factors(spectra, 3, init, 5)
    np.testing.assert_allclose(H.max(axis=1), 1)
    model = SmoothNMF(3, smoothness=0, init=init, random_state=5, max_iter=1, tol=0).fit(X)
    assert np.isclose(model.objective_[0], objective(W, H, 0, np.ones_like(X)))


@pytest.mark.parametrize("v", [None, V])
def test_the_history_is_of_the_scheme_from_the_start_of_the_fit(v):
    weights = np.ones_like(X) if v is None else v
    settings = {"smoothness": 2.0, "init": "random", "random_state": 5, "inverse_variance": v}
    history = published_history(X, 3, 25, **settings)
    assert history[0].tolist() == [0, 10, 20, 25]
    spectra = Spectra(torch.from_numpy(X), None if v is None else torch.from_numpy(v))
    W, H = published.starting_factors(spectra, 3, "random", 5)
    for i, F in enumerate(history[1]):
        reached = adam_clamped(X, W, H, int(history[0, i]), 2.0, v)
        assert np.isclose(F, objective(*reached, 2.0, weights), rtol=1e-12)
    assert history[1, -1] < history[1, 0]
    assert (history[2] > 0).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("init", INITS)
def test_starting_components_are_those_of_a_fit(init, dtype):
    data = X.astype(dtype)
    starts = starting_components(data, 3, init, n_starts=1, random_state=5)
    assert starts.shape == (1, 3, 40)
    fit = {"smoothness": 0, "max_iter": 1, "tol": 0, "dtype": dtype}
    named = SmoothNMF(3, init=init, random_state=5, **fit).fit(data)
    given = SmoothNMF(3, init=starts[0], **fit).fit(data)
    assert np.isclose(named.objective_[0], given.objective_[0], rtol=1e-6)


def test_several_random_starts_are_of_one_seed_or_each_of_its_own():
    together = starting_components(X, 3, "random", n_starts=3, random_state=4)
    assert together.shape == (3, 3, 40)
    np.testing.assert_array_equal(together[:1], random_starts(X, 3, [4]))
    assert starting_components(X, 3, "random", n_starts=0, random_state=4).shape == (0, 3, 40)
    seeded = random_starts(X, 3, [4, 5, 6])
    np.testing.assert_array_equal(seeded[2:], random_starts(X, 3, [6]))
    assert not np.allclose(seeded[0], seeded[1])


def test_values_without_weight_do_not_count_for_starts():
    spoilt, v = X.copy(), np.ones_like(X)
    spoilt[2, 5], v[2, 5] = np.nan, 0
    for init in INITS:
        starts = [
            starting_components(data, 3, init, random_state=4, inverse_variance=v)
            for data in (X, spoilt)
        ]
        np.testing.assert_array_equal(*starts)
    seeded = [random_starts(data, 3, [1, 2], inverse_variance=v) for data in (X, spoilt)]
    np.testing.assert_array_equal(*seeded)
