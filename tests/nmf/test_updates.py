"""The updates of one factor, against scipy's non-negative least squares."""

import numpy as np
import pytest
import scipy.optimize
import torch

from spectralunmix.nmf import updates
from spectralunmix.nmf.updates import smooth_quadratics, weights_matrix

BATCH, K, M = 2, 3, 25


def matrices(per_channel, n_wave=M):
    """Gram matrices (batch, k, k, 1 or n_wave), and P (batch, k, n_wave) of both signs."""
    rng = np.random.default_rng(4)
    factor = rng.random((BATCH, n_wave if per_channel else 1, 2 * K, K))
    gram = (factor.swapaxes(2, 3) @ factor).transpose(0, 2, 3, 1).copy()
    return gram, rng.standard_normal((BATCH, K, n_wave))


def exact(gram, P, coupling):
    """By Lawson & Hanson's nnls on the Cholesky factor of the whole Hessian."""
    Z, n_wave = np.empty(P.shape), P.shape[2]
    D = np.diff(np.eye(n_wave), axis=0)
    for fit in range(len(P)):
        whole = np.kron(coupling[fit] * np.eye(K), D.T @ D).reshape(K, n_wave, K, n_wave)
        for channel in range(n_wave):
            whole[:, channel, :, channel] += gram[fit, :, :, channel % gram.shape[3]]
        root = np.linalg.cholesky(whole.reshape(K * n_wave, -1)).T
        right = np.linalg.solve(root.T, P[fit].ravel())
        Z[fit] = scipy.optimize.nnls(root, right)[0].reshape(K, n_wave)
    return Z


def found(gram, P, start, coupling, aim=1e-12, steps=100):
    aims = torch.full((len(P),), aim, dtype=torch.float64)
    arrays = (torch.from_numpy(np.asarray(Z, float)) for Z in (gram, P, start, coupling))
    return smooth_quadratics(*arrays, aims, steps).numpy()


def projected(gram, P, Z, coupling):
    """The projected gradient, by the matrix D."""
    D = np.diff(np.eye(P.shape[2]), axis=0)
    gradient = np.einsum("fklc,flc->fkc", np.broadcast_to(gram, (*gram.shape[:3], P.shape[2])), Z)
    gradient += np.asarray(coupling)[:, None, None] * (Z @ D.T @ D) - P
    return np.where(Z > 0, gradient, np.minimum(gradient, 0))


@pytest.mark.parametrize("coupling", [[1e-3, 1.0], [1e4, 1e-3]])
@pytest.mark.parametrize("per_channel", [False, True])
def test_newton_steps_end_at_the_optimum(per_channel, coupling, implementation):
    gram, P = matrices(per_channel)
    Z = found(gram, P, np.random.default_rng(3).random(P.shape), coupling)
    expected = exact(gram, P, coupling)
    assert (expected == 0).any()
    np.testing.assert_allclose(Z, expected, atol=1e-8)


@pytest.mark.parametrize("n_wave", [1, 2, 3])
def test_few_channels_have_few_neighbours(n_wave, implementation):
    gram, P = matrices(False, n_wave)
    P = np.abs(P)
    Z = found(gram, P, np.zeros(P.shape), [7.0, 0.3])
    np.testing.assert_allclose(Z, exact(gram, P, [7.0, 0.3]), atol=1e-9)


def test_the_few_steps_of_an_iteration_lower_the_quadratic(implementation):
    gram, P = matrices(False)
    start = np.random.default_rng(3).random(P.shape)
    lengths = [np.linalg.norm(projected(gram, P, start, [1.0, 50.0]))]
    for steps in (1, 4):
        Z = found(gram, P, start, [1.0, 50.0], steps=steps)
        lengths.append(np.linalg.norm(projected(gram, P, Z, [1.0, 50.0])))
    assert lengths[2] < lengths[1] < lengths[0] / 2


def test_a_fit_ends_at_its_aim(implementation):
    """One is at its optimum already: it takes one step, and the other goes on."""
    gram, P = matrices(False)
    coupling, start = [1.0, 1.0], np.random.default_rng(3).random(P.shape)
    start[0] = exact(gram, P, coupling)[0] + 1e-4
    first = found(gram, P, start, coupling, steps=1)
    Z = found(gram, P, start, coupling, aim=0.5)
    size = np.linalg.norm(P[1])
    assert np.array_equal(Z[0], first[0])
    assert np.linalg.norm(projected(gram, P, Z, coupling)[1]) <= 0.5 * size
    alone = found(gram[1:], P[1:], start[1:], coupling[1:], aim=0.5)
    np.testing.assert_allclose(Z[1:], alone, rtol=1e-12, atol=1e-12)


def test_two_components_alike_are_solved_for_at_large_smoothness(implementation):
    """One direction, their difference, is undetermined beside coefficients of 1e4."""
    weights, coupling = np.full((2, 25), 0.2), [1e4]
    P = np.repeat(30 * np.random.default_rng(8).random((1, 1, M)), 2, axis=1)
    gram = (weights @ weights.T)[None, ..., None]
    Z = found(gram, P, np.ones((1, 2, M)), coupling)
    assert (Z >= 0).all()
    np.testing.assert_allclose(projected(gram, P, Z, coupling), 0, atol=1e-7)


def test_an_empty_component_stays_as_it_is(implementation):
    gram, P = matrices(False)
    gram[0, 1], gram[0, :, 1], P[0, 1] = 0, 0, 0  # in one fit of the batch alone
    start = np.random.default_rng(3).random(P.shape)
    Z = found(gram, P, start, [2.0, 2.0])
    assert np.isfinite(Z).all()
    assert np.array_equal(Z[0, 1], start[0, 1])
    np.testing.assert_allclose(Z[1], exact(gram, P, [2.0, 2.0])[1], atol=1e-9)


def test_what_is_near_a_free_channel_is_found_channel_by_channel(implementation):
    free = np.random.default_rng(5).random((3, 2, 12)) > 0.8
    width = [0, 1, 4]
    expected = np.zeros_like(free)
    for fit, component, channel in np.argwhere(free):
        reach = slice(max(channel - width[fit], 0), channel + width[fit] + 1)
        expected[fit, component, reach] = True
    near = updates._near(torch.from_numpy(free), torch.tensor(width))
    assert np.array_equal(near.numpy(), expected)


@pytest.mark.parametrize(("per_spectrum", "n"), [(False, 5), (True, 5), (True, 1)])
def test_the_matrix_of_the_weights_has_the_roughness_on_its_diagonal(per_spectrum, n):
    rng = np.random.default_rng(0)
    gram, H = rng.random((BATCH, K, K, n if per_spectrum else 1)), rng.random((BATCH, K, M))
    lam, mean = np.array([0.0, 3.0]), rng.random((1, n)) if per_spectrum else np.ones((1, n))
    kept = gram.copy()
    Q = weights_matrix(*map(torch.from_numpy, (gram, H, lam, mean))).numpy()
    expected = kept.copy()
    for fit, k, i in np.ndindex(BATCH, K, expected.shape[3]):
        rough = sum((H[fit, k, 1:] - H[fit, k, :-1]) ** 2)
        expected[fit, k, k, i] += lam[fit] * rough * mean[0, i]
    np.testing.assert_allclose(Q, expected, rtol=1e-13)
    assert np.array_equal(gram, kept)  # the caller's own is not changed
