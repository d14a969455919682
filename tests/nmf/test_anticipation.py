"""The components' response to the weights, against dense linear algebra."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from spectralunmix.nmf import anticipation
from spectralunmix.nmf.anticipation import anticipated
from spectralunmix.nmf.data import Spectra
from spectralunmix.nmf.quadratics import Quadratics
from spectralunmix.nmf.updates import weights_matrix

K, N, M = 3, 9, 14
SHARE = 0.9
KINDS = ["plain", "v", "counts", "v and counts"]


class Problem(NamedTuple):
    """X, its weights v and counts of spectra or None, a fit to it and better weights."""

    X: np.ndarray
    v: np.ndarray | None
    counts: np.ndarray | None
    W: np.ndarray  # (k, n_spectra), as `best`
    H: np.ndarray
    best: np.ndarray
    smoothness: float

    def spectra(self):
        counts = None if self.counts is None else torch.from_numpy(self.counts)[None]
        v = None if self.v is None else torch.from_numpy(self.v)
        return Spectra(torch.from_numpy(self.X), v, counts)

    def A(self):
        """Of each spectrum's weights, (n_spectra, k, k)."""
        v, ridge = self.v, self.smoothness * np.square(np.diff(self.H)).sum(axis=1)
        v = np.ones_like(self.X) if v is None else v
        mean = np.array([row[row > 0].mean() for row in v])
        return np.einsum("kj,lj,ij->ikl", self.H, self.H, v) + np.einsum(
            "i,k,kl->ikl", mean, ridge, np.eye(len(self.H))
        )


def problem(kind, smoothness=0.0, seed=2):
    rng = np.random.default_rng(seed)
    W, H, best = rng.random((K, N)), rng.random((K, M)), rng.random((K, N))
    H[0, 4:7], H[2, :3], W[0, 2], W[1, 5], best[0, 2:4], best[2, 7] = 0, 0, 0, 0, 0, 0
    v = rng.random((N, M)) * (rng.random((N, M)) > 0.3) if "v" in kind else None
    counts = rng.integers(0, 4, N) * 1.0 if "counts" in kind else None
    return Problem(rng.random((N, M)), v, counts, W, H, best, smoothness)


def found(*problems):
    """What is to be added, of problems that share X, its weights and its kind of smoothness."""
    spectra = problems[0].spectra()
    if spectra.row_weight is not None:
        spectra.row_weight = torch.from_numpy(np.stack([each.counts for each in problems]))
    Wt, H, best = (
        torch.from_numpy(np.stack([getattr(each, name) for each in problems]))
        for name in ("W", "H", "best")
    )
    lam = torch.tensor([each.smoothness for each in problems], dtype=torch.float64)
    Q = weights_matrix(spectra.gram_components(H), H, lam, spectra.mean_weight)
    of = spectra.gram_weights(Wt), lam, torch.full_like(lam, SHARE), best, Quadratics(Q)
    return anticipated(spectra, Wt, H, *of, bool(lam[0] > 0)).numpy()


def dense(of):
    """G (best - W + e), with the Jacobians of the model W H in all that is free, at once."""
    X, v, counts, W, H, best, smoothness = of
    v = (np.ones_like(X) if v is None else v).ravel()
    counted = v if counts is None else v * np.repeat(counts, M)
    of_W = np.einsum("ia,kj->ijka", np.eye(N), H).reshape(N * M, K * N)
    of_H = np.einsum("ki,jb->ijkb", W, np.eye(M)).reshape(N * M, K * M)
    D = np.diff(np.eye(M), axis=0)
    free = (H > 0).ravel()
    # of weights of unit length, which is what the smoothness counts on
    B = of_H.T * counted @ of_H + smoothness * np.kron(np.eye(K), D.T @ D)
    moved, answer = (of_W.T * counted @ of_H)[:, free], (of_W.T * v @ of_H)[:, free]
    G = SHARE * answer @ np.linalg.solve(B[np.ix_(free, free)], moved.T)
    whole = np.zeros((K, N, K, N))
    for i, A in enumerate(of.A()):
        whole[:, i, :, i] = A
    whole, free = whole.reshape(K * N, K * N), (best > 0).ravel()
    change = (best - W).ravel()
    change[free] += np.linalg.solve((whole - G)[np.ix_(free, free)], (G @ change)[free])
    return (G @ change).reshape(K, N)


@pytest.fixture
def solved_to_the_end(monkeypatch):
    """Conjugate gradients that go on to rounding."""
    monkeypatch.setattr(anticipation, "LEFT", 1e-12)
    monkeypatch.setattr(anticipation, "MOST_STEPS", 200)
    monkeypatch.setattr(anticipation, "DEVICE_STEPS", 60)


@pytest.mark.parametrize("most_exact", [0, K])
@pytest.mark.parametrize("smoothness", [0.0, 3.7])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_best_for_the_components_as_they_respond(
    kind, smoothness, most_exact, implementation, solved_to_the_end, monkeypatch
):
    monkeypatch.setattr(anticipation, "MOST_EXACT", most_exact)
    of = problem(kind, smoothness)
    np.testing.assert_allclose(found(of)[0], dense(of), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_few_steps_leave_at_most_half_of_the_error(kind, implementation, monkeypatch):
    """Of what the plain update leaves out altogether."""
    monkeypatch.setattr(anticipation, "MOST_EXACT", 0)
    of = problem(kind)
    expected = dense(of)
    assert np.linalg.norm(found(of)[0] - expected) < 0.5 * np.linalg.norm(expected)


@pytest.mark.parametrize("smoothness", [(0.0, 0.0), (3.7, 200.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_fits_side_by_side_are_as_alone(kind, smoothness, implementation):
    first = problem(kind, smoothness[0])
    W, best = np.random.default_rng(8).random((2, K, N))
    second = first._replace(W=W, best=best, smoothness=smoothness[1])
    alone = [found(each)[0] for each in (first, second)]
    np.testing.assert_allclose(found(first, second), alone, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("smoothness", [0.0, 2.0])
def test_an_empty_component_responds_with_nothing(smoothness, implementation):
    of = problem("plain", smoothness)
    of.W[1], of.H[1], of.best[1] = 0, 0, 0
    two = of._replace(**{name: getattr(of, name)[[0, 2]] for name in ("W", "H", "best")})
    whole = found(of)[0]
    np.testing.assert_allclose(whole[[0, 2]], found(two)[0], rtol=1e-9)
    assert not whole[1].any()


@pytest.mark.parametrize("smoothness", [0.0, 3.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_response_is_kaufmans_part_of_the_components_derivative(
    weighted, smoothness, implementation
):
    """That derivative, of the components best for the weights, agrees with finite differences."""
    rng = np.random.default_rng(4)
    W, dW = rng.random((K, N)), rng.standard_normal((K, N))
    X = W.T @ (rng.random((K, M)) + 1) + 0.2 * rng.standard_normal((N, M))
    v = rng.random((N, M)) + 0.5 if weighted else np.ones((N, M))
    mean = v.mean(axis=1)
    W = W / np.sqrt(np.square(W) @ mean)[:, None]
    D = np.diff(np.eye(M), axis=0)

    def matrix(W):
        coupling = smoothness * np.diag(np.square(W) @ mean)
        data = np.einsum("ki,li,ij,jm->kjlm", W, W, v, np.eye(M)).reshape(K * M, K * M)
        return data + np.kron(coupling, D.T @ D)

    def components(W):
        return np.linalg.solve(matrix(W), (W @ (v * X)).ravel()).reshape(K, M)

    H, B = components(W), matrix(W)
    kaufman, of_residual = W @ (v * (dW.T @ H)), dW @ (v * (X - W.T @ H))
    of_coupling = 2 * smoothness * ((W * dW) @ mean)[:, None] * (H @ D.T @ D)
    whole = -np.linalg.solve(B, (kaufman - of_residual + of_coupling).ravel()).reshape(K, M)
    step = 1e-6
    differences = (components(W + step * dW) - components(W - step * dW)) / (2 * step)
    np.testing.assert_allclose(whole, differences, rtol=1e-6, atol=1e-6)

    assert (H > 0).all()  # so that the response, which holds what is zero, holds none
    spectra = Spectra(torch.from_numpy(X), torch.from_numpy(v) if weighted else None)
    Wt, dWt, of_H = (torch.from_numpy(Z)[None] for Z in (W, dW, H))
    product = spectra.model_times_weights(Wt, dWt, of_H) if weighted else Wt @ dWt.mT @ of_H
    lam = torch.tensor([smoothness], dtype=torch.float64)
    inverse = anticipation._inverse(spectra.gram_weights(Wt), lam, of_H > 0, smoothness > 0)
    used = -inverse(product, None)[0].numpy()
    expected = -np.linalg.solve(B, kaufman.ravel()).reshape(K, M)
    np.testing.assert_allclose(used, expected, rtol=1e-7, atol=1e-9)
    assert np.linalg.norm(used - whole) > 0.01 * np.linalg.norm(whole)
