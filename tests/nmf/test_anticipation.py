"""The components' response to the weights, against dense linear algebra."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spectralunmix.nmf import response
from spectralunmix.nmf.response import anticipated
from spectralunmix.nmf.spectra import Spectra

K, N, M = 3, 9, 14
DAMPING = 0.1


def problem(weighted, smoothness=0.0, seed=2):
    """X with its weights, a fit to it, better weights and the matrix of their problem."""
    rng = np.random.default_rng(seed)
    W, H, best = rng.random((K, N)), rng.random((K, M)), rng.random((K, N))
    H[0, 4:7], H[2, :3], W[0, 2], W[1, 5], best[0, 2:4], best[2, 7] = 0, 0, 0, 0, 0, 0
    v = torch.from_numpy(rng.random((N, M)) * (rng.random((N, M)) > 0.3)) if weighted else None
    spectra = Spectra(torch.from_numpy(rng.random((N, M))), v)
    now = SimpleNamespace(W=W, H=H, B=spectra.gram_of_weights(W[None])[0])
    A = spectra.gram_of_components(H[None])[0]
    ridge = smoothness * np.diag(np.square(np.diff(H)).sum(axis=1))
    fit = SimpleNamespace(now=now, smoothness=smoothness, damping=DAMPING)
    return spectra, fit, best, A + (ridge[:, :, None] if weighted else ridge)


def dense(spectra, fit, best, A):
    """G (best - W + e), with the Jacobians of the model W H in all that is free, at once."""
    W, H, v = fit.now.W, fit.now.H, np.ones((N, M))
    if spectra.weighted:
        v = next(spectra.blocks())[2].numpy()
    of_W = np.einsum("ia,kj->ijka", np.eye(N), H).reshape(N * M, K * N)
    of_H = np.einsum("ki,jb->ijkb", W, np.eye(M)).reshape(N * M, K * M)
    D = np.diff(np.eye(M), axis=0)
    free = (H > 0).ravel()
    B = of_H.T * v.ravel() @ of_H + fit.smoothness * np.kron(np.eye(K), D.T @ D)
    C = (of_W.T * v.ravel() @ of_H)[:, free]
    G = (1 - fit.damping) * C @ np.linalg.solve(B[np.ix_(free, free)], C.T)
    whole = np.zeros((K, N, K, N))
    for i in range(N):
        whole[:, i, :, i] = A if A.ndim == 2 else A[:, :, i]
    whole, free = whole.reshape(K * N, K * N), (best > 0).ravel()
    change = (best - W).ravel()
    change[free] += np.linalg.solve((whole - G)[np.ix_(free, free)], (G @ change)[free])
    return (G @ change).reshape(K, N)


@pytest.mark.parametrize("smoothness", [0.0, 3.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_are_best_for_the_components_as_they_respond(weighted, smoothness, monkeypatch):
    monkeypatch.setattr(response, "LEFT", 1e-12)
    monkeypatch.setattr(response, "MOST_STEPS", 200)
    spectra, *of = problem(weighted, smoothness)
    (more,) = anticipated(spectra, *([each] for each in of))
    np.testing.assert_allclose(more, dense(spectra, *of), rtol=1e-8, atol=1e-8)


def test_few_steps_leave_at_most_half_of_the_error():
    """Of what the plain update leaves out altogether."""
    spectra, *of = problem(weighted=True)
    (more,) = anticipated(spectra, *([each] for each in of))
    expected = dense(spectra, *of)
    assert np.linalg.norm(more - expected) < 0.5 * np.linalg.norm(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_fits_side_by_side_are_as_alone(weighted):
    spectra, *first = problem(weighted)
    _, *second = problem(weighted, smoothness=2.0)
    alone = [anticipated(spectra, *([each] for each in of))[0] for of in (first, second)]
    both = anticipated(spectra, *map(list, zip(first, second, strict=True)))
    np.testing.assert_allclose(both, alone, rtol=1e-12)


@pytest.mark.parametrize("smoothness", [0.0, 2.0])
def test_an_empty_component_responds_with_nothing(smoothness):
    spectra, fit, best, _ = problem(weighted=False)
    fit.smoothness = smoothness
    fit.now.W[1], fit.now.H[1], best[1] = 0, 0, 0

    def more(components):
        of_all = vars(fit.now)
        W, H = of_all["W"][components], of_all["H"][components]
        now = SimpleNamespace(W=W, H=H, B=W @ W.T)
        part = SimpleNamespace(now=now, smoothness=smoothness, damping=DAMPING)
        return anticipated(spectra, [part], [best[components]], [H @ H.T])[0]

    whole = more([0, 1, 2])
    np.testing.assert_allclose(whole[[0, 2]], more([0, 2]), rtol=1e-9)
    assert not whole[1].any()


@pytest.mark.parametrize("smoothness", [0.0, 3.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_response_is_kaufmans_part_of_the_components_derivative(weighted, smoothness):
    """That derivative, of the components best for the weights, agrees with finite differences."""
    rng = np.random.default_rng(4)
    W, dW = rng.random((K, N)), rng.standard_normal((K, N))
    X = W.T @ (rng.random((K, M)) + 1) + 0.2 * rng.standard_normal((N, M))
    v = rng.random((N, M)) + 0.5 if weighted else np.ones((N, M))
    spectra = Spectra(torch.from_numpy(X), torch.from_numpy(v) if weighted else None)
    W = W / np.sqrt(np.square(W) @ spectra.mean_weight)[:, None]
    D = np.diff(np.eye(M), axis=0)

    def matrix(W):
        coupling = smoothness * np.diag(np.square(W) @ spectra.mean_weight)
        data = np.einsum("ki,li,ij,jm->kjlm", W, W, v, np.eye(M)).reshape(K * M, K * M)
        return data + np.kron(coupling, D.T @ D)

    def components(W):
        return np.linalg.solve(matrix(W), (W @ (v * X)).ravel()).reshape(K, M)

    H, B = components(W), matrix(W)
    kaufman, of_residual = W @ (v * (dW.T @ H)), dW @ (v * (X - W.T @ H))
    moved = 2 * smoothness * ((W * dW) @ spectra.mean_weight)
    of_coupling = moved[:, None] * (H @ D.T @ D)
    whole = -np.linalg.solve(B, (kaufman - of_residual + of_coupling).ravel()).reshape(K, M)
    step = 1e-6
    differences = (components(W + step * dW) - components(W - step * dW)) / (2 * step)
    np.testing.assert_allclose(whole, differences, rtol=1e-6, atol=1e-6)

    assert (H > 0).all()  # so that the response, which holds what is zero, holds none
    now = SimpleNamespace(W=W, H=H, B=spectra.gram_of_weights(W[None])[0])
    (product,) = response._model_with_weights(spectra, W[None], dW[None], H[None])
    used = -response._inverse(now, smoothness)(product)
    expected = -np.linalg.solve(B, kaufman.ravel()).reshape(K, M)
    np.testing.assert_allclose(used, expected, rtol=1e-7, atol=1e-9)
    assert np.linalg.norm(used - whole) > 0.01 * np.linalg.norm(whole)
