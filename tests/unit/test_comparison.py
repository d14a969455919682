"""Distances and the one-to-one assignment."""

import itertools

import numpy as np
import pytest

from spectralunmix import comparison


@pytest.fixture
def prototypes():
    return np.random.default_rng(0).random((4, 30))


@pytest.mark.parametrize("metric", comparison.METRICS)
def test_permuted_and_rescaled_prototypes_are_found(prototypes, metric):
    order, scale = [2, 0, 3, 1], np.array([[0.5], [3], [1e-6], [40]])
    distance, sign = comparison.distances(prototypes[order] * scale, prototypes, metric)
    components, classes = comparison.assign(distance)
    assert dict(zip(components.tolist(), classes.tolist(), strict=True)) == dict(enumerate(order))
    np.testing.assert_allclose(distance[components, classes], 0, atol=1e-12)
    assert (sign == 1).all()


def test_assignment_is_the_best_of_all_permutations(prototypes):
    distance = np.random.default_rng(3).random((4, 4))
    components, classes = comparison.assign(distance)
    best = min(distance[range(4), p].sum() for p in itertools.permutations(range(4)))
    assert distance[components, classes].sum() == pytest.approx(best)


def test_free_sign_takes_the_closer(prototypes):
    distance, sign = comparison.distances(-prototypes, prototypes, "rms", signed=True)
    np.testing.assert_allclose(distance.diagonal(), 0, atol=1e-12)
    assert (sign.diagonal() == -1).all()


def test_metrics_are_what_they_are_called():
    a, b = np.array([[2.0, 0.0]]), np.array([[3.0, 3.0]])
    assert comparison.root_mean_square(a, b)[0, 0] == pytest.approx(np.sqrt(0.5))
    assert comparison.spectral_angle(a, b)[0, 0] == pytest.approx(np.pi / 4)
