"""Batches of fits: with counts of spectra, and weights, of their own, side by side as alone."""

import numpy as np
import pytest
import scipy.optimize
import torch
from written_out import objective, optimality, unit_length

from mixtures import inverse_variance, mixtures
from spectralunmix.nmf import solver
from spectralunmix.nmf.data import Spectra

X = mixtures(20, 30, noise=0.1)
V = inverse_variance(X.shape)
V_OF_EACH = np.stack([V, inverse_variance(X.shape, seed=6)])
RNG = np.random.default_rng(1)
COUNTS = RNG.integers(0, 4, (2, 20)) * 1.0
STARTS = RNG.random((2, 3, 30))
SCHEMES = {"anticipation": 1e-10, "proximal_gradient": 1e-6}  # to what optimality, in short time
EIGHT = {"max_iter": 8, "tol": 0}


def fitted(v=None, counts=None, smoothness=(0.0, 0.0), starts=STARTS, X=X, **settings):
    """Fits of X from each start, v and counts of all of them or one for each."""
    as_tensor = [None if Z is None else torch.from_numpy(np.ascontiguousarray(Z)) for Z in (X, v)]
    counts = None if counts is None else torch.from_numpy(np.ascontiguousarray(counts))
    settings = {"max_iter": 5000, "tol": SCHEMES[settings.get("solver", "anticipation")]} | settings
    H, lam = torch.from_numpy(starts.copy()), np.asarray(smoothness, float)
    return solver.solve(Spectra(*as_tensor, counts), H, lam, **settings)


def check_optimal(fit, smoothness, v=None, counts=None, tol=1e-10):
    """That its F is what it says, and its optimality, by the formulas written out."""
    W, H = fit.W.T, fit.H
    assert (W >= 0).all()
    assert (H >= 0).all()
    assert objective(X, W, H, smoothness, v, counts) == pytest.approx(fit.F, rel=1e-10)
    assert optimality(X, *unit_length(X, W, H, v, counts), smoothness, v, counts) <= 1.1 * tol


def check_same(fit, other):
    """That two fits went the same way, to rounding."""
    for (of_fit, F), (of_other, expected) in zip(fit.objective, other.objective, strict=True):
        assert of_fit == of_other
        assert pytest.approx(expected, rel=1e-9) == F
    np.testing.assert_allclose(fit.H, other.H, rtol=1e-5, atol=1e-6 * other.H.max())


@pytest.mark.parametrize("smoothness", [0.0, 10.0])
@pytest.mark.parametrize("v", [None, V])
def test_counts_of_spectra_are_the_spectra_repeated(v, smoothness):
    """Step by step: repeated spectra change the problem, and not how it is solved."""
    both = fitted(v, COUNTS, (smoothness, smoothness), **EIGHT)
    for start, counted, counts in zip(STARTS, both, COUNTS.astype(int), strict=True):
        rows = np.repeat(np.arange(20), counts)
        of = {"smoothness": (smoothness,), "starts": start[None], **EIGHT}
        (repeated,) = fitted(None if v is None else v[rows], X=X[rows], **of)
        check_same(counted, repeated)
        np.testing.assert_allclose(counted.W[:, rows], repeated.W, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("smoothness", [(0.0, 0.0), (10.0, 1.0)])
@pytest.mark.parametrize("v", [None, V, V_OF_EACH])
def test_counts_of_spectra_end_at_the_optimum_of_the_spectra_repeated(v, smoothness, scheme):
    tol = SCHEMES[scheme]
    both = fitted(v, COUNTS, smoothness, solver=scheme)
    for i, (counted, counts) in enumerate(zip(both, COUNTS, strict=True)):
        own = v if v is None or v.ndim == 2 else v[i]
        check_optimal(counted, smoothness[i], own, counts, tol)
        rows = np.repeat(np.arange(20), counts.astype(int))
        again = {"smoothness": smoothness[i : i + 1], "starts": counted.H[None]}
        (repeated,) = fitted(None if own is None else own[rows], X=X[rows], **again)
        close = 1e-9 if scheme == "anticipation" else 1e-5
        assert pytest.approx(counted.F, rel=close) == repeated.F


@pytest.mark.parametrize("v", [None, V])
def test_spectra_that_count_nothing_have_the_weights_that_fit_them_best(v):
    counts = COUNTS[:1]
    (fit,) = fitted(v, counts, smoothness=(0.0,), starts=STARTS[:1])
    assert (counts[0] == 0).any()
    for i in np.flatnonzero(counts[0] == 0):
        root = np.ones(30) if v is None else np.sqrt(v[i])
        expected = scipy.optimize.nnls((fit.H * root).T, X[i] * root)[0]
        np.testing.assert_allclose(fit.W[:, i], expected, atol=1e-7)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("smoothness", [0.0, 10.0])
def test_weights_of_each_fits_own_are_as_alone(smoothness, scheme):
    lam = (smoothness, smoothness)
    steps = fitted(V_OF_EACH, None, lam, solver=scheme, **EIGHT)
    ends = fitted(V_OF_EACH, None, lam, solver=scheme)
    for i, v in enumerate(V_OF_EACH):
        own = {"smoothness": lam[:1], "starts": STARTS[i : i + 1], "solver": scheme}
        check_same(steps[i], fitted(v, **own, **EIGHT)[0])
        assert pytest.approx(fitted(v, **own)[0].F, rel=1e-8) == ends[i].F
        check_optimal(ends[i], smoothness, v, tol=SCHEMES[scheme])
    assert ends[0].F != ends[1].F


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fits_of_all_smoothnesses_side_by_side_end_as_alone(scheme):
    """Each when it has converged, however many iterations the others need."""
    lam, tol = [3.0, 0.0, 200.0, 0.0], 1e-6
    starts = np.concatenate([STARTS, STARTS[::-1]])
    together = fitted(None, None, lam, starts, tol=tol, solver=scheme)
    assert len({fit.n_iter for fit in together}) > 2
    for i, fit in enumerate(together):
        own = {"smoothness": lam[i : i + 1], "starts": starts[i : i + 1]}
        (alone,) = fitted(**own, tol=tol, solver=scheme)
        if scheme == "anticipation" or not lam[i]:  # the paper's takes as many steps as most need
            assert fit.n_iter == alone.n_iter
        assert pytest.approx(alone.F, rel=1e-6) == fit.F
        assert fit.optimality[-1][1] <= tol
        assert fit.objective[-1][0] == fit.optimality[-1][0] <= fit.n_iter
        check_optimal(fit, lam[i], tol=tol)


def test_fits_end_at_their_limit_of_iterations():
    fits = fitted(smoothness=(0.0, 1.0), max_iter=3, tol=0)
    assert [fit.n_iter for fit in fits] == [3, 3]
    for fit in fits:
        assert fit.objective[-1][0] <= 3
        assert (np.diff([F for _, F in fit.objective]) <= 0).all()
