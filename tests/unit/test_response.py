"""The components' response to the weights, against dense linear algebra."""

import numpy as np
import pytest

from spectralunmix import response, updates
from spectralunmix.response import anticipated

K, N, M = 3, 9, 14
DAMPING = 1e-9  # as good as none; with none the scale of a component is undetermined


def factors(orthogonal):
    """W (K, N), H (K, M) with zeros, of `orthogonal` weights where each spectrum has one part."""
    rng = np.random.default_rng(2)
    W, H = rng.random((K, N)), rng.random((K, M))
    H[0, 4:7], H[2, :3] = 0, 0
    W[0, 2], W[1, 5] = 0, 0
    if orthogonal:
        W *= np.arange(N) % K == np.arange(K)[:, None]
    return W, H


def dense_response(W, H, dW, smoothness, a, b):
    """-B^-1 (T^T H), by the matrix B of all free entries of H at once."""
    D = np.diff(np.eye(M), axis=0)
    B = np.kron((W * a) @ W.T, np.diag(b)) + smoothness * np.kron(np.eye(K), D.T @ D)
    T, free = (dW * a) @ W.T, (H > 0).ravel()
    dH = np.zeros(K * M)
    dH[free] = -np.linalg.solve(B[np.ix_(free, free)], ((T.T @ H) * b).ravel()[free])
    return dH.reshape(K, M)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("smoothness", "orthogonal"), [(0.0, False), (0.0, True), (3.7, True)])
def test_weights_are_best_for_the_components_as_they_respond(smoothness, orthogonal, weighted):
    rng = np.random.default_rng(5)
    a = rng.random(N) + 0.5 if weighted else np.ones(N)
    b = rng.random(M) + 0.5 if weighted else np.ones(M)
    b /= b.mean()
    W, H = factors(orthogonal)
    best = np.where(W > 0, rng.random((K, N)), 0)
    more = anticipated(W, best, H, smoothness, DAMPING, a, b)
    ridge = np.diag(smoothness * np.square(np.diff(H)).sum(axis=1))
    dW = np.zeros_like(W)
    for i in range(N):
        free = W[:, i] > 0
        A = (a[i] * (H * b) @ H.T + ridge * a[i] / a.mean())[np.ix_(free, free)]
        dW[free, i] = best[free, i] + np.linalg.solve(A, more[free, i]) - W[free, i]
    expected = -(H * b) @ dense_response(W, H, dW, smoothness, a, b).T @ W * a
    np.testing.assert_allclose(more, expected, rtol=1e-5, atol=1e-5 * np.abs(more).max())


def test_fully_damped_nothing_is_anticipated():
    W, H = factors(orthogonal=False)
    assert not anticipated(W, 2 * W, H, 2.0, 1.0).any()


def test_an_empty_component_responds_with_nothing():
    W, H = factors(orthogonal=False)
    W[1], H[1] = 0, 0
    best = W**2
    for smoothness in (0.0, 2.0):
        more = anticipated(W, best, H, smoothness, 0.1)
        others = anticipated(W[[0, 2]], best[[0, 2]], H[[0, 2]], smoothness, 0.1)
        np.testing.assert_allclose(more[[0, 2]], others, rtol=1e-9)
        np.testing.assert_allclose(more[1], 0, atol=1e-12)


def test_columns_in_blocks_add_up(monkeypatch):
    W, H = factors(orthogonal=False)
    whole = anticipated(W, W**2, H, 2.0, 0.1)
    monkeypatch.setattr(updates, "BLOCK", 4 * K**2)
    np.testing.assert_allclose(anticipated(W, W**2, H, 2.0, 0.1), whole, rtol=1e-10)
    assert len(list(response.column_blocks(K, M))) > 1
