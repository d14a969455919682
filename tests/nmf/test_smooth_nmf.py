"""SmoothNMF against scikit-learn, scipy and the reference values of the paper's spectra."""

import numpy as np
import pytest
import scipy.optimize
import sklearn.decomposition
from written_out import REFERENCE, means, objective

from mixtures import inverse_variance, mixtures
from spectralunmix import SmoothNMF, scan_smoothness, smooth_nmf


@pytest.mark.parametrize("smoothness", REFERENCE)
@pytest.mark.parametrize("init", ["nndsvd", "spa", "random"])
def test_reaches_the_reference_on_the_papers_spectra(paper_spectra, smoothness, init):
    model = SmoothNMF(4, smoothness=smoothness, init=init, random_state=1).fit(paper_spectra)
    assert model.converged_
    assert model.objective_[-1] <= REFERENCE[smoothness] * (1 + 1e-8)


def test_without_smoothness_reaches_scikit_learns_optimum():
    X = mixtures(seed=1)  # where scikit-learn converges too; it needs 723 iterations
    ours = SmoothNMF(3, smoothness=0, tol=1e-7, max_iter=5000).fit(X)
    peer = sklearn.decomposition.NMF(3, init="nndsvda", solver="cd", tol=1e-10, max_iter=20_000)
    W = peer.fit_transform(X)
    assert ours.converged_
    assert ours.objective_[-1] == pytest.approx(objective(X, W, peer.components_, 0), rel=1e-6)


@pytest.mark.parametrize("smoothness", [0.5, 50.0])
def test_is_where_scipys_bounded_minimiser_ends(smoothness):
    X = mixtures(n_spectra=12, n_wave=20, k=2, noise=0.1)
    model = SmoothNMF(2, smoothness=smoothness, tol=1e-8, max_iter=5000)
    W = model.fit_transform(X)

    def value(flat):
        return objective(X, flat[:24].reshape(12, 2), flat[24:].reshape(2, 20), smoothness)

    start = np.concatenate([W.ravel(), model.components_.ravel()])
    bounds = [(0, None)] * len(start)
    for jitter in (0.0, 0.3):
        moved = start * (1 + jitter * np.random.default_rng(0).standard_normal(len(start)))
        found = scipy.optimize.minimize(
            value, np.abs(moved), bounds=bounds, options={"maxfun": 10**6, "ftol": 1e-14}
        )
        assert model.objective_[-1] <= found.fun * (1 + 1e-7)
    assert model.objective_[-1] == pytest.approx(value(start), rel=1e-10)


@pytest.mark.parametrize("smoothness", [0, 1, 1e4])
def test_objective_never_rises(smoothness):
    model = SmoothNMF(3, smoothness=smoothness, init="random", random_state=3).fit(mixtures())
    assert len(model.objective_) > 2
    assert (np.diff(model.objective_) <= 0).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothness", [0, 0.1, 10, 1e4])
def test_reaches_any_optimality(smoothness, weighted):
    X, v = mixtures(noise=0.1), np.random.default_rng(0).random((30, 50)) if weighted else None
    model = SmoothNMF(3, smoothness=smoothness, tol=1e-11, max_iter=400)
    model.fit(X, inverse_variance=v)
    assert model.converged_


def test_few_iterations_where_plain_alternation_needs_hundreds(paper_spectra):
    for smoothness in REFERENCE:
        model = SmoothNMF(4, smoothness=smoothness, tol=1e-6).fit(paper_spectra)
        assert model.n_iter_ <= 40


def test_smoothness_smooths():
    X = mixtures(noise=0.2)
    rough = [
        np.square(np.diff(SmoothNMF(3, smoothness=s).fit(X).components_)).sum() for s in (0, 1, 100)
    ]
    assert rough[0] > 1.2 * rough[1] > 1.2 * rough[2]


def test_gauge_order_and_shapes():
    X = mixtures()
    model = SmoothNMF(3)
    W = model.fit_transform(X)
    H = model.components_
    assert (W.shape, H.shape) == ((30, 3), (3, 50))
    assert (W >= 0).all()
    assert (H >= 0).all()
    np.testing.assert_allclose(H.max(axis=1), 1, rtol=1e-14)
    assert (np.diff(W.sum(axis=0) * H.sum(axis=1)) <= 0).all()
    np.testing.assert_allclose(model.inverse_transform(W), W @ H)
    assert model.reconstruction_err_ == pytest.approx(np.linalg.norm(X - W @ H))


def test_transform_is_non_negative_least_squares():
    X, model = mixtures(), SmoothNMF(3, smoothness=0).fit(mixtures())
    expected = [scipy.optimize.nnls(model.components_.T, x)[0] for x in X]
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-8)


def test_same_seed_same_bits_and_the_data_unchanged():
    X = mixtures()
    kept = X.copy()
    first, again, other = (
        SmoothNMF(3, init="random", random_state=seed).fit(X).components_ for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(X, kept)


def test_the_published_benchmark_is_recovered():
    """96 noise-free mixtures, the first of each component pure: SPA and a fit find them."""
    rng = np.random.default_rng(2)
    H = mixtures(4, 200, 4, noise=0.0, seed=4)
    W = rng.gamma(1.2, size=(96, 4))
    W = W / W.sum(axis=1, keepdims=True) * rng.uniform(0.8, 1.2, size=(96, 1))
    W[:4] = np.eye(4)
    model = SmoothNMF(4, smoothness=0, init="spa").fit(W @ H)
    truth, found = H / H.max(axis=1, keepdims=True), model.components_
    nearest = np.square(found[:, None] - truth[None]).mean(axis=2).min(axis=0)
    assert nearest.max() < 1e-8


@pytest.mark.parametrize("smoothness", [0, 5.0])
def test_with_weights_is_where_scipys_bounded_minimiser_ends(smoothness):
    X = mixtures(n_spectra=12, n_wave=20, k=2, noise=0.1) - 0.02  # some negative
    v = inverse_variance(X.shape)
    model = SmoothNMF(2, smoothness=smoothness, tol=1e-8, max_iter=5000)
    W = model.fit_transform(X, inverse_variance=v)
    H = model.components_

    def value(flat):
        return objective(X, flat[:24].reshape(12, 2), flat[24:].reshape(2, 20), smoothness, v)

    start = np.concatenate([W.ravel(), H.ravel()])
    assert model.objective_[-1] == pytest.approx(value(start), rel=1e-10)
    found = scipy.optimize.minimize(
        value, start, bounds=[(0, None)] * len(start), options={"maxfun": 10**6, "ftol": 1e-14}
    )
    assert model.objective_[-1] <= found.fun * (1 + 1e-7)
    # the optimality conditions, from the gradient written out
    residual = v * (W @ H - X)
    roughness = np.square(np.diff(H, axis=1)).sum(axis=1)
    by_W = residual @ H.T + smoothness * means(v)[:, None] * W * roughness
    scale = np.abs((v * X) @ H.T).max()
    assert by_W.min() > -1e-7 * scale
    assert np.abs(W * by_W).max() < 1e-7 * scale * W.max()


def test_weights_of_zero_and_one_are_dropped_data():
    X = mixtures()
    v = np.ones_like(X)
    v[[3, 17]] = 0
    masked = X.copy()
    masked[[3, 17]] = np.nan
    kept = np.delete(X, [3, 17], axis=0)
    init = SmoothNMF(3).fit(kept).components_ + 0.1
    whole = SmoothNMF(3, init=init, tol=1e-8).fit(masked, inverse_variance=v)
    part = SmoothNMF(3, init=init, tol=1e-8).fit(kept)
    assert whole.objective_[-1] == pytest.approx(part.objective_[-1], rel=1e-9)
    np.testing.assert_allclose(whole.components_, part.components_, atol=1e-5)


def test_a_constant_weight_scales_the_objective_alone():
    X = mixtures()
    model, v = SmoothNMF(3, smoothness=20, tol=1e-9), inverse_variance(X.shape)
    for weights in (None, v):
        of_ones = model.fit_transform(X, inverse_variance=weights)
        F, H = model.objective_[-1], model.components_
        scaled = 7e5 * (np.ones_like(X) if weights is None else weights)
        W = model.fit_transform(X, inverse_variance=scaled)
        assert model.objective_[-1] == pytest.approx(7e5 * F, rel=1e-9)
        np.testing.assert_allclose(model.components_, H, atol=1e-6)
        np.testing.assert_allclose(W, of_ones, atol=1e-6)
        np.testing.assert_allclose(model.transform(X, inverse_variance=scaled), W, atol=1e-6)


def test_a_component_runs_straight_across_a_masked_gap():
    X = mixtures()
    v = np.ones_like(X)
    v[:, 20:30] = 0
    X[:, 20:30] = np.nan
    model = SmoothNMF(3, smoothness=1.0, tol=1e-8, max_iter=5000).fit(X, inverse_variance=v)
    bend = np.diff(model.components_[:, 19:31], n=2, axis=1)
    np.testing.assert_allclose(bend, 0, atol=1e-5)


def test_transform_with_weights_is_weighted_non_negative_least_squares():
    X, model = mixtures(), SmoothNMF(3, smoothness=0).fit(mixtures())
    v = inverse_variance(X.shape)
    expected = [
        scipy.optimize.nnls(model.components_.T * np.sqrt(u)[:, None], np.sqrt(u) * x)[0]
        for x, u in zip(X, v, strict=True)
    ]
    np.testing.assert_allclose(model.transform(X, inverse_variance=v), expected, atol=1e-8)


def test_restarts_side_by_side_are_the_single_fits():
    X = mixtures()
    many = SmoothNMF(3, init="random", n_restarts=4, random_state=0).fit(X)
    starts = np.random.RandomState(0).random_sample((4, 3, 50)) * X.mean()
    singles = [SmoothNMF(3, init=H).fit(X).objective_[-1] for H in starts]
    np.testing.assert_allclose(many.restart_objectives_, singles, rtol=1e-12)
    assert many.objective_[-1] == min(many.restart_objectives_)


def test_warm_start_ends_at_once():
    X = mixtures()
    first = SmoothNMF(3).fit(X)
    assert SmoothNMF(3, init=first.components_).fit(X).n_iter_ <= 5


def test_smoothness_recovers_smooth_components_better_under_noise():
    rng = np.random.default_rng(8)
    centres = np.linspace(8, 42, 3)
    truth = np.exp(-0.5 * ((np.arange(50) - centres[:, None]) / 4) ** 2)
    X = rng.gamma(0.6, size=(40, 3)) @ truth
    X = X + 0.3 * rng.standard_normal(X.shape)

    def error(smoothness):
        H = SmoothNMF(3, smoothness=smoothness).fit(X).components_
        H = H / np.linalg.norm(H, axis=1, keepdims=True)
        T = truth / np.linalg.norm(truth, axis=1, keepdims=True)
        return np.square(H[:, None] - T[None]).sum(axis=2).min(axis=0).sum()

    assert error(1.0) < 0.7 * error(0.0)


def test_float32_comes_close():
    X = mixtures(seed=1)
    best = SmoothNMF(3, tol=1e-8).fit(X).objective_[-1]
    single = SmoothNMF(3, dtype="float32", tol=1e-5)
    W = single.fit_transform(X)
    assert W.dtype == np.float32
    reached = objective(X, W.astype(float), single.components_.astype(float), 1.0)
    assert reached <= best * (1 + 1e-5)


# SCIPY_ARRAY_API must be set before scipy is imported, and switches what scikit-learn tests of
# its own estimators: check_array_api_input skips itself without it. Every other check applies.


def test_a_scan_over_smoothness_is_the_single_fits():
    X, values = mixtures(noise=0.1), [0, 1, 30.0]
    model = SmoothNMF(3, init="random", n_restarts=2, random_state=4)
    scan = scan_smoothness(model, X, values)
    for value, each in zip(values, scan, strict=True):
        single = SmoothNMF(3, init="random", n_restarts=2, random_state=4, smoothness=value).fit(X)
        assert each.smoothness == value
        np.testing.assert_allclose(each.restart_objectives_, single.restart_objectives_, rtol=1e-12)
        np.testing.assert_allclose(each.components_, single.components_, atol=1e-8)
        np.testing.assert_allclose(each.transform(X), single.transform(X), atol=1e-7)


def test_order_of_spectra_and_unit_of_flux_do_not_matter():
    X = mixtures()
    order = np.random.default_rng(0).permutation(len(X))
    plain, moved = SmoothNMF(3, tol=1e-8), SmoothNMF(3, tol=1e-8)
    W, W_moved = plain.fit_transform(X), moved.fit_transform(1e-13 * X[order])
    assert moved.objective_[-1] == pytest.approx(1e-26 * plain.objective_[-1], rel=1e-9)
    np.testing.assert_allclose(moved.components_, plain.components_, atol=1e-5)
    np.testing.assert_allclose(W_moved, 1e-13 * W[order], atol=1e-5 * 1e-13 * W.max())


@pytest.mark.filterwarnings("ignore:. of 3 components are empty")
def test_more_components_than_the_data_hold():
    """Their weights are not unique, and the fit ends all the same."""
    X = np.outer(np.arange(1, 6.0), np.arange(1, 7.0))
    for seed in range(20):
        result = smooth_nmf(X, 3, smoothness=0, init="random", random_state=seed, max_iter=200)
        assert result.converged
        assert result.objective[-1] <= 1e-9 * np.square(X).sum()


def test_progress_of_starts_that_end_at_different_times():
    rng = np.random.default_rng(0)
    X = rng.random((300, 3)) @ rng.random((3, 300)) + 0.1 * rng.standard_normal((300, 300))
    for seed in range(2):
        several = {"init": "random", "n_restarts": 5, "random_state": seed, "smoothness": 0}
        assert smooth_nmf(X, 3, tol=1e-3, verbose=1, **several).converged
