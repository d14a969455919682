"""The block updates, against scipy's non-negative least squares."""

import numpy as np
import pytest
import scipy.optimize
import torch

from spectralunmix.updates import EXACT, nonnegative_quadratic, smooth_nonnegative_quadratic

K, M = 3, 25


def matrices(per_column):
    """Random A (1, k, k) or (1, k, k, m), and B (1, k, m) of both signs."""
    rng = np.random.default_rng(4)
    if per_column:
        factors = rng.random((M, 2 * K, K))
        A = np.einsum("mik,mil->klm", factors, factors)
    else:
        factor = rng.random((2 * K, K))
        A = factor.T @ factor
    return torch.from_numpy(A)[None], torch.from_numpy(rng.standard_normal((1, K, M)))


def exact(A, B, coupling):
    """By Lawson & Hanson's nnls on the Cholesky factor of the whole Hessian."""
    D = np.diff(np.eye(M), axis=0)
    hessian = np.kron(np.diag(coupling), D.T @ D)
    A, b = A[0].numpy(), B[0].numpy().ravel()
    for k in range(K):
        for l in range(K):
            hessian[k * M : (k + 1) * M, l * M : (l + 1) * M] += np.diag(
                np.broadcast_to(A[k, l], M)
            )
    root = np.linalg.cholesky(hessian).T
    return scipy.optimize.nnls(root, np.linalg.solve(root.T, b))[0].reshape(K, M)


@pytest.mark.parametrize("per_column", [False, True])
def test_gradient_steps_end_at_the_optimum(per_column):
    A, B = matrices(per_column)
    Z = nonnegative_quadratic(A, B, torch.zeros_like(B), **EXACT)
    np.testing.assert_allclose(Z[0], exact(A, B, np.zeros(K)), atol=1e-9)


@pytest.mark.parametrize("smoothness", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("per_column", [False, True])
def test_tridiagonal_sweeps_end_at_the_optimum(per_column, smoothness):
    A, B = matrices(per_column)
    coupling = smoothness * np.array([0.5, 1.0, 2.0])
    start, c = torch.rand_like(B), torch.from_numpy(coupling)[None]
    Z = smooth_nonnegative_quadratic(A, B, start, c, max_sweeps=5000, tol=1e-13)
    np.testing.assert_allclose(Z[0], exact(A, B, coupling), atol=1e-8)


def test_an_empty_component_stays_as_it_is():
    A, B = matrices(per_column=False)
    A[0, 1], A[0, :, 1], B[0, 1] = 0, 0, 0
    start = torch.rand_like(B)
    c = torch.tensor([[1.0, 0.0, 1.0]])
    for Z in (nonnegative_quadratic(A, B, start), smooth_nonnegative_quadratic(A, B, start, c)):
        assert torch.isfinite(Z).all()
        assert torch.equal(Z[0, 1], start[0, 1])
