"""SmoothNMF against scikit-learn, scipy and the reference values of the paper's spectra."""

import numpy as np
import pytest
import scipy.optimize
import sklearn.decomposition
from sklearn.exceptions import ConvergenceWarning

from libraries import readers
from spectralunmix import SmoothNMF

# Converged values of the objective on the paper's 80 spectra, rank 4, found by several
# other methods (HALS and proximal gradient in numpy) from many starts.
REFERENCE = {0: 190.526872274, 1: 201.812908011, 10: 232.595519628, 100: 306.450198467}


def mixtures(n_spectra=30, n_wave=50, k=3, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    grid = np.arange(n_wave)
    centres = np.linspace(8, n_wave - 8, k)
    H = np.exp(-0.5 * ((grid - centres[:, None]) / 4) ** 2)
    X = rng.gamma(1.2, size=(n_spectra, k)) @ H
    return np.clip(X + noise * rng.standard_normal(X.shape), 0, None)


def objective(X, W, H, smoothness):
    roughness = np.square(np.diff(H, axis=1)).sum(axis=1)
    return np.square(X - W @ H).sum() + smoothness * (np.square(W).sum(axis=0) * roughness).sum()


@pytest.fixture(scope="module")
def paper_spectra(coelho2014):
    source = {"reader": "rds_subset"}
    spectra = list(readers.read(coelho2014 / "coelho-stellar-subset.rds", source))
    return np.array([s.flux for s in spectra if s.header["type"] != "cool_giant"])


@pytest.mark.parametrize("smoothness", REFERENCE)
@pytest.mark.parametrize("init", ["nndsvd", "spa", "random"])
def test_reaches_the_reference_on_the_papers_spectra(paper_spectra, smoothness, init):
    model = SmoothNMF(4, smoothness=smoothness, init=init, random_state=1).fit(paper_spectra)
    assert model.converged_
    assert model.objective_[-1] <= REFERENCE[smoothness] * (1 + 1e-6)


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
    model = SmoothNMF(2, smoothness=smoothness, tol=1e-9, max_iter=5000)
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
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-9)


def test_same_seed_same_bits_and_the_data_unchanged():
    X = mixtures()
    kept = X.copy()
    first, again, other = (
        SmoothNMF(3, init="random", random_state=seed).fit(X).components_ for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(X, kept)


def test_says_that_it_did_not_converge():
    with pytest.warns(ConvergenceWarning, match="max_iter=2 .* raise max_iter or tol"):
        model = SmoothNMF(3, max_iter=2).fit(mixtures())
    assert not model.converged_
    assert model.n_iter_ == 2


def test_zero_tolerance_runs_to_the_limit():
    assert SmoothNMF(3, max_iter=7, tol=0).fit(mixtures()).n_iter_ == 7


X_NAN = mixtures()
X_NAN[3, 4] = np.nan


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (X_NAN, {}, "NaN"),
        (-mixtures(), {}, "Negative"),
        (np.zeros((5, 6)), {}, "zero throughout"),
        (mixtures(), {"n_components": 31}, "n_components=31 is more than 30 spectra"),
        (mixtures(), {"n_components": 0}, "n_components=0"),
        (mixtures(), {"smoothness": -1}, "smoothness=-1"),
        (mixtures(), {"smoothness": np.nan}, "smoothness=nan"),
        (mixtures(), {"init": "best"}, "init='best'"),
        (mixtures(), {"max_iter": 0}, "max_iter=0"),
    ],
)
def test_bad_input_is_named(X, parameters, message):
    with pytest.raises(ValueError, match=message):
        SmoothNMF(**{"n_components": 3, **parameters}).fit(X)


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
