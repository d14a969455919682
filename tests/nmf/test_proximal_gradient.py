"""The paper's update of a factor, and fits by it, against exact solutions."""

import numpy as np
import pytest
import scipy.optimize
import torch
from written_out import REFERENCE, objective, optimality, unit_length

from mixtures import inverse_variance, mixtures
from spectralunmix import smooth_nmf
from spectralunmix.nmf.proximal_gradient import STEPS, descended

BATCH, K, M = 2, 3, 18
COUPLING = np.array([0.5, 40.0])


def problem(per_channel, smooth):
    """Gram matrices, P, a start and, by nnls on each fit's whole Hessian, the minimum."""
    rng = np.random.default_rng(4)
    factor = rng.random((BATCH, M if per_channel else 1, 2 * K, K)) * [1.0, 1e3, 1e-3]
    gram = (factor.swapaxes(2, 3) @ factor).transpose(0, 2, 3, 1).copy()
    P = rng.standard_normal((BATCH, K, M)) * np.array([1.0, 1e3, 1e-3])[:, None]
    coupling = COUPLING * 1e-6 if smooth else np.zeros(2)
    D, best = np.diff(np.eye(M), axis=0), np.empty(P.shape)
    for fit in range(BATCH):
        whole = np.kron(coupling[fit] * np.eye(K), D.T @ D).reshape(K, M, K, M)
        for channel in range(M):
            whole[:, channel, :, channel] += gram[fit, :, :, channel % gram.shape[3]]
        root = np.linalg.cholesky(whole.reshape(K * M, -1)).T
        best[fit] = scipy.optimize.nnls(root, np.linalg.solve(root.T, P[fit].ravel()))[0].reshape(
            K, M
        )
    return gram, P, rng.random(P.shape), coupling if smooth else None, best


def after(steps, gram, P, start, coupling):
    arrays = (None if Z is None else torch.from_numpy(Z) for Z in (gram, P, start, coupling))
    return descended(*arrays, steps).numpy()


def excess(gram, P, coupling, Z, best):
    """Of the quadratic over its minimum, by fit."""

    def value(Z):
        products = np.einsum("fklc,flc->fkc", np.broadcast_to(gram, (*gram.shape[:3], M)), Z)
        rough = 0 if coupling is None else coupling * np.square(np.diff(Z)).sum(axis=(1, 2))
        return (Z * (products / 2 - P)).sum(axis=(1, 2)) + rough / 2

    return value(Z) - value(best)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_many_steps_end_at_the_minimum(per_channel, smooth):
    *of, best = problem(per_channel, smooth)
    assert (best == 0).any()
    scale = np.abs(best).max(axis=2, keepdims=True)
    np.testing.assert_allclose(after(3000, *of) / scale, best / scale, atol=1e-7)


@pytest.mark.parametrize("smooth", [False, True])
def test_the_steps_of_an_iteration_are_faster_than_plain_ones(smooth):
    """Than as many steps of the same length without momentum, and they end lower."""
    gram, P, start, coupling, best = problem(False, smooth)
    plain = start
    for _ in range(STEPS):
        plain = after(1, gram, P, plain, coupling)
    left = [
        excess(gram, P, coupling, Z, best)
        for Z in (start, plain, after(STEPS, gram, P, start, coupling))
    ]
    assert (left[2] < 0.5 * left[1]).all()
    assert (left[1] < left[0]).all()


def test_an_empty_component_stays_as_it_is():
    gram, P, start, coupling, _ = problem(False, True)
    gram[0, 1], gram[0, :, 1], P[0, 1] = 0, 0, 0
    Z = after(50, gram, P, start, coupling)
    assert np.isfinite(Z).all()
    assert np.array_equal(Z[0, 1], start[0, 1])
    assert not np.array_equal(Z[1, 1], start[1, 1])


@pytest.mark.parametrize("smooth", [False, True])
def test_a_channel_without_weight_has_no_gradient_of_its_own(smooth):
    gram, P, start, coupling, _ = problem(True, smooth)
    gram[:, :, :, 3], P[:, :, 3] = 0, 0
    Z = after(50, gram, P, start, coupling)
    assert np.isfinite(Z).all()
    assert (Z[:, :, 4:] > 0).any()


X = mixtures(20, 40, noise=0.05)
V = inverse_variance(X.shape)


@pytest.mark.parametrize("v", [None, V])
@pytest.mark.parametrize("smoothness", [0, 1, 10, 100])
def test_fits_end_where_those_by_anticipation_end(smoothness, v):
    of = {"smoothness": smoothness, "inverse_variance": v, "max_iter": 20_000}
    slow = smooth_nmf(X, 3, solver="proximal_gradient", tol=1e-6, **of)
    fast = smooth_nmf(X, 3, tol=1e-9, **of)
    assert slow.converged
    assert slow.objective[1] != fast.objective[1]  # it is another scheme
    assert slow.objective[-1] == pytest.approx(fast.objective[-1], rel=1e-6)
    assert (np.diff(slow.objective) <= 0).all()
    of_slow = slow.weights, slow.components
    assert objective(X, *of_slow, smoothness, v) == pytest.approx(slow.objective[-1], rel=1e-11)
    assert optimality(X, *unit_length(X, *of_slow, v), smoothness, v) < 2e-6


@pytest.mark.parametrize("smoothness", REFERENCE)
def test_the_papers_scheme_reaches_the_reference_on_the_papers_spectra(paper_spectra, smoothness):
    found = smooth_nmf(paper_spectra, 4, smoothness=smoothness, solver="proximal_gradient")
    assert found.converged
    assert found.n_iter < 200
    assert found.objective[-1] == pytest.approx(REFERENCE[smoothness], rel=1e-6)
