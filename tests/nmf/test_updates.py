"""The block updates, against scipy's non-negative least squares."""

import numpy as np
import pytest
import scipy.optimize

from spectralunmix.nmf import updates
from spectralunmix.nmf.updates import (
    banded,
    inverse_of_free,
    nonnegative_quadratic,
    smooth_inverse_of_free,
    smooth_nonnegative_quadratic,
)

K, M = 3, 25


def matrices(per_column):
    """Random A (k, k) or (k, k, m), and B (k, m) of both signs."""
    rng = np.random.default_rng(4)
    if per_column:
        factors = rng.random((M, 2 * K, K))
        A = np.einsum("mik,mil->klm", factors, factors)
    else:
        factor = rng.random((2 * K, K))
        A = factor.T @ factor
    return A, rng.standard_normal((K, M))


def hessian(A, coupling):
    """Of the quadratic in all k M entries of Z."""
    D = np.diff(np.eye(M), axis=0)
    whole = np.kron(coupling * np.eye(K), D.T @ D)
    for k in range(K):
        for l in range(K):
            whole[k * M : (k + 1) * M, l * M : (l + 1) * M] += np.diag(np.broadcast_to(A[k, l], M))
    return whole


def exact(A, B, coupling):
    """By Lawson & Hanson's nnls on the Cholesky factor of the whole Hessian."""
    root = np.linalg.cholesky(hessian(A, coupling)).T
    return scipy.optimize.nnls(root, np.linalg.solve(root.T, B.ravel()))[0].reshape(K, M)


@pytest.mark.parametrize("per_column", [False, True])
def test_pivoting_ends_at_the_optimum(per_column):
    A, B = matrices(per_column)
    Z = nonnegative_quadratic(A, B, np.zeros_like(B))
    np.testing.assert_allclose(Z, exact(A, B, 0.0), atol=1e-10)


@pytest.mark.parametrize(("k", "m"), [(12, 400), (70, 20)])
def test_pivoting_of_many_columns_and_of_many_components(k, m):
    rng = np.random.default_rng(7)
    factor = rng.random((k + 3, k)) * 10.0 ** rng.uniform(-4, 4, k)  # of very unlike scales
    target = rng.standard_normal((k + 3, m))
    Z = nonnegative_quadratic(factor.T @ factor, factor.T @ target, rng.random((k, m)))
    expected = np.array([scipy.optimize.nnls(factor, column)[0] for column in target.T]).T
    misfits = [np.square(factor @ z - target).sum() for z in (Z, expected)]
    assert (Z >= 0).all()
    assert misfits[0] == pytest.approx(misfits[1], rel=1e-9)


@pytest.mark.parametrize("smoothness", [0.0, 5.0])
@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("patterned", [False, True])
def test_inverses_are_those_of_the_free_entries(patterned, per_column, smoothness, monkeypatch):
    monkeypatch.setattr(updates, "BLOCK", 7 * K**2)
    monkeypatch.setattr(updates, "MOST_PATTERNED", K if patterned else 0)
    A, B = matrices(per_column)
    free = np.random.default_rng(6).random(B.shape) > 0.3
    expected, at = np.zeros(B.size), free.ravel()
    expected[at] = np.linalg.solve(hessian(A, smoothness)[np.ix_(at, at)], B.ravel()[at])
    if smoothness:
        inverse = smooth_inverse_of_free(banded(A, smoothness, M), free)
    else:
        inverse = inverse_of_free(A, free)
    np.testing.assert_allclose(inverse(B).ravel(), expected, atol=1e-9)


def test_two_components_alike_are_solved_for():
    factor = np.random.default_rng(0).random((9, 3))[:, [0, 1, 1, 2]]
    target = np.random.default_rng(1).standard_normal((9, 30)) + 0.5
    Z = nonnegative_quadratic(factor.T @ factor, factor.T @ target, np.ones((4, 30)))
    expected = np.array([scipy.optimize.nnls(factor, column)[0] for column in target.T]).T
    np.testing.assert_allclose(factor @ Z, factor @ expected, atol=1e-9)


@pytest.mark.parametrize("smoothness", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("per_column", [False, True])
def test_newton_steps_end_at_the_optimum(per_column, smoothness):
    A, B = matrices(per_column)
    Z = np.random.default_rng(3).random(B.shape)
    Z = smooth_nonnegative_quadratic(A, B, Z, smoothness, tol=1e-12, steps=100)
    np.testing.assert_allclose(Z, exact(A, B, smoothness), atol=1e-8)


def test_two_components_alike_are_solved_for_at_large_smoothness():
    """One direction, their difference, is undetermined beside coefficients of 1e4."""
    weights, smoothness = np.full((2, 25), 0.2), 1e4
    B = np.repeat(30 * np.random.default_rng(8).random((1, M)), 2, axis=0)
    A, D = weights @ weights.T, np.diff(np.eye(M), axis=0)
    Z = smooth_nonnegative_quadratic(A, B, np.ones((2, M)), smoothness, tol=1e-12, steps=100)
    gradient = A @ Z - B + smoothness * Z @ D.T @ D
    assert (Z >= 0).all()
    np.testing.assert_allclose(np.where(Z > 0, gradient, np.minimum(gradient, 0)), 0, atol=1e-7)


def test_one_channel_has_no_neighbour():
    A, B = matrices(per_column=False)
    Z = smooth_nonnegative_quadratic(A, B[:, :1], np.zeros((K, 1)), 7.0, tol=1e-12, steps=100)
    np.testing.assert_allclose(Z, nonnegative_quadratic(A, B[:, :1], np.zeros((K, 1))), atol=1e-10)


def test_columns_in_blocks_are_the_same_columns(monkeypatch):
    for per_column in (False, True):
        A, B = matrices(per_column)
        whole = nonnegative_quadratic(A, B, np.zeros_like(B))
        monkeypatch.setattr(updates, "BLOCK", 7 * K**2)
        np.testing.assert_allclose(nonnegative_quadratic(A, B, np.zeros_like(B)), whole, atol=1e-12)


def test_an_empty_component_stays_as_it_is():
    A, B = matrices(per_column=False)
    A[1], A[:, 1], B[1] = 0, 0, 0
    start = np.random.default_rng(3).random(B.shape)
    for Z in (
        nonnegative_quadratic(A, B, start),
        smooth_nonnegative_quadratic(A, B, start, 2.0, 1e-12),
    ):
        assert np.isfinite(Z).all()
        assert np.array_equal(Z[1], start[1])
