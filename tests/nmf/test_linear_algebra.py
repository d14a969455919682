"""Block-tridiagonal solutions, each implementation against dense linear algebra."""

import numpy as np
import pytest
import torch

from spectralunmix.nmf import device
from spectralunmix.nmf.linear_algebra import BlockTridiagonal

BATCH = 2
COUPLING = np.array([3.0, 1e3])
LENGTHS = [1, 2, 3, 4, 7, 16, 33]


def somewhere(k, n_wave):
    """What is free, at random."""
    return np.random.default_rng(6).random((BATCH, k, n_wave)) > 0.4


def tridiagonal(k, n_wave, per_channel, seed=0):
    """Gram matrices (batch, k, k, 1 or n_wave), and the whole matrix of each fit, dense."""
    rng = np.random.default_rng(seed)
    factor = rng.random((BATCH, n_wave if per_channel else 1, k + 2, k))
    gram = (factor.swapaxes(2, 3) @ factor).transpose(0, 2, 3, 1)
    D = np.diff(np.eye(n_wave), axis=0)
    whole = np.einsum("kl,ij->kilj", np.eye(k), D.T @ D) * COUPLING[:, None, None, None, None]
    of_channels = np.broadcast_to(gram, (BATCH, k, k, n_wave))
    whole += np.einsum("fklj,ij->fkilj", of_channels, np.eye(n_wave))
    return torch.from_numpy(gram), whole.reshape(BATCH, k * n_wave, k * n_wave)


def dense_solution(whole, Z, free):
    """Fit by fit, of what is free alone."""
    X = np.zeros(Z.shape)
    for fit, matrix in enumerate(whole):
        at = free[fit].ravel()
        X[fit].reshape(-1)[at] = np.linalg.solve(matrix[np.ix_(at, at)], Z[fit].ravel()[at])
    return X


def blocked(gram, free):
    return BlockTridiagonal(gram, torch.from_numpy(COUPLING), torch.from_numpy(free))


def test_each_device_has_its_block_tridiagonal_solver(implementation):
    gram, _ = tridiagonal(2, 3, False)
    expected = {"cpu": "_Banded", "device": "_CyclicReduction"}[implementation]
    assert type(blocked(gram, somewhere(2, 3))).__name__ == expected


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("n_wave", LENGTHS)
@pytest.mark.parametrize("k", [1, 2, 4, 7, 12])
def test_block_tridiagonal_solutions_are_the_dense_ones(k, n_wave, per_channel, implementation):
    gram, whole = tridiagonal(k, n_wave, per_channel)
    Z, some = np.random.default_rng(1).standard_normal((BATCH, k, n_wave)), somewhere(k, n_wave)
    for free in (some, np.ones_like(Z, dtype=bool), np.zeros_like(Z, dtype=bool)):
        X = blocked(gram, free).solve(torch.from_numpy(Z)).numpy()
        expected = dense_solution(whole, Z, free)
        np.testing.assert_allclose(X, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
        assert not X[~free].any()


def test_block_tridiagonal_solutions_of_some_fits(implementation):
    gram, whole = tridiagonal(3, 8, True)
    Z, free = np.random.default_rng(1).standard_normal((BATCH, 3, 8)), somewhere(3, 8)
    solved = blocked(gram, free).solve(torch.from_numpy(Z), torch.tensor([False, True]))
    np.testing.assert_allclose(solved[1], dense_solution(whole, Z, free)[1], rtol=1e-6)


def test_block_tridiagonal_systems_of_components_alike_or_empty(implementation):
    """Of two alike the difference is undetermined, of an empty one its mean: it is not free."""
    k, n_wave = 4, 9
    weights = np.random.default_rng(2).random((BATCH, 6, k))
    weights[..., 2], weights[..., 3] = weights[..., 1], 0
    gram = (weights.swapaxes(1, 2) @ weights)[..., None]
    free = np.ones((BATCH, k, n_wave), dtype=bool)
    free[:, 3] = False
    truth, D = np.random.default_rng(3).random((BATCH, k, n_wave)), np.diff(np.eye(n_wave), axis=0)
    truth[:, 3] = 0

    def times(X):
        return gram[..., 0] @ X + COUPLING[:, None, None] * (X @ D.T @ D)

    Z = times(truth)
    X = blocked(torch.from_numpy(gram), free).solve(torch.from_numpy(Z)).numpy()
    np.testing.assert_allclose(times(X)[:, :3], Z[:, :3], rtol=1e-6, atol=1e-9 * np.abs(Z).max())
    assert not X[:, 3].any()


@pytest.mark.parametrize("n_wave", LENGTHS)
def test_both_block_tridiagonal_solvers_agree_to_rounding(n_wave, monkeypatch):
    gram, _ = tridiagonal(3, n_wave, True)
    free, found = somewhere(3, n_wave), []
    Z = torch.from_numpy(np.random.default_rng(1).standard_normal((BATCH, 3, n_wave)))
    for on_cpu in (True, False):
        monkeypatch.setattr(device, "on_cpu", lambda Z, on_cpu=on_cpu: on_cpu)
        found.append(blocked(gram, free).solve(Z).numpy())
    np.testing.assert_allclose(*found, rtol=1e-7, atol=1e-9 * np.abs(found[0]).max())
