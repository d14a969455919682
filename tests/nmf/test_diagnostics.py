"""Residuals, leverage and influence of single spectra, against numpy written out."""

import numpy as np
import pytest
from astropy.table import Table

from mixtures import inverse_variance, mixtures
from spectralunmix import diagnostics, diagnostics_report, smooth_nmf

CLASSES = ["hot"] * 12 + ["cool"] * 18
LABELS = {"hot": "Hot stars", "cool": "Cool stars"}


@pytest.fixture(scope="module", params=["plain", "weighted"])
def fit(request):
    """Spectra, their weights or None, and the factors."""
    X = mixtures()
    v = inverse_variance(X.shape) if request.param == "weighted" else None
    found = smooth_nmf(X, 3, smoothness=2.0, inverse_variance=v, tol=1e-8, max_iter=5000)
    return X, v, found.weights, found.components


def selection(classes=CLASSES):
    return Table({"file": [f"star_{i}.txt" for i in range(len(classes))], "class": classes})


def said_of(X, W, H, v=None, classes=CLASSES, most_left_out=200, smoothness=2.0):
    left = diagnostics.residuals(X, W, H, v, v is not None)
    options = {"most_left_out": most_left_out, "smoothness": smoothness, "max_iter": 5000}
    moved = diagnostics.influence(X, W, H, left.cook, inverse_variance=v, **options)
    by_class = diagnostics.over_wavelength(X, W, H, classes, v)
    table = diagnostics_report.by_spectrum(selection(classes), left, moved.changes)
    wavelength = np.linspace(4000, 7000, X.shape[1])
    return table, diagnostics_report.numbers(table, by_class, wavelength, LABELS), moved


def test_residuals_by_hand(fit):
    X, v, W, H = fit
    left = diagnostics.residuals(X, W, H, v, v is not None)
    for i, x in enumerate(X):
        weight = np.ones(len(x)) if v is None else v[i]
        squares = sum(w * (a - b) ** 2 for w, a, b in zip(weight, x, W[i] @ H, strict=True))
        assert left.relative[i] == pytest.approx(np.sqrt(squares / (weight * x**2).sum()))
        if v is not None:
            assert left.chi2[i] == pytest.approx(squares / np.count_nonzero(weight))
    assert (left.chi2 is None) == (v is None)


def test_the_leverage_is_the_diagonal_of_the_hat_matrix(fit):
    X, v, W, _ = fit
    channels = []
    for j in range(X.shape[1]):
        root = np.ones(len(W)) if v is None else np.sqrt(v[:, j])
        A = root[:, None] * W
        channels.append(np.diag(A @ np.linalg.inv(A.T @ A) @ A.T))
    found = diagnostics.leverages(W, v)
    np.testing.assert_allclose(found, np.mean(channels, axis=0), rtol=1e-8)
    assert found.sum() == pytest.approx(3)


def test_leverage_where_components_or_channels_are_empty():
    W = np.array([[1.0, 0, 1], [2, 0, 2], [0, 0, 0], [1, 0, 0]])  # of rank 2
    hat = W @ np.linalg.pinv(W)
    np.testing.assert_allclose(diagnostics.leverages(W), np.diag(hat), atol=1e-12)
    v = np.ones((4, 3))
    v[:, 1] = 0  # masked in every spectrum
    np.testing.assert_allclose(diagnostics.leverages(W, v), np.diag(hat), atol=1e-12)


def test_cook_s_distance_by_hand():
    squares, leverage = np.array([3.0, 1.0, 2.0]), np.array([0.5, 0.25, 1.0])
    found = diagnostics.cook_distances(squares, leverage, 30, 10)
    expected = 1.75 * 10 * 6 / (30 - 17.5)
    np.testing.assert_allclose(found[:2], [0.5 * 3 / 0.25 / expected, 0.25 / 0.5625 / expected])
    assert found[2] == np.inf


def test_changes_are_those_of_fits_without_the_spectrum(fit):
    X, v, W, H = fit
    _, _, moved = said_of(X, W, H, v)
    assert moved.changes.shape == (30, 3)
    for i in (0, 7, moved.spectrum):
        rows = np.arange(30) != i
        weights = None if v is None else v[rows]
        alone = smooth_nmf(
            X[rows], 3, smoothness=2.0, inverse_variance=weights, init=H, tol=1e-9, max_iter=5000
        )
        order = [np.square(alone.components - h).sum(axis=1).argmin() for h in H]
        by_hand = np.sqrt(np.mean((alone.components[order] - H) ** 2, axis=1))
        np.testing.assert_allclose(moved.changes[i], by_hand, atol=2e-4)
        if i == moved.spectrum:
            np.testing.assert_allclose(
                moved.without, alone.components[order][moved.component], atol=1e-3
            )
    assert moved.changes[moved.spectrum, moved.component] == moved.changes.max()


def test_residuals_by_class_and_channel(fit):
    X, v, W, H = fit
    found = diagnostics.over_wavelength(X, W, H, CLASSES, v)
    assert list(found) == ["hot", "cool", diagnostics.EVERY]
    weight = np.ones(X.shape) if v is None else v
    for name, rows in (("hot", slice(12)), ("cool", slice(12, 30)), ("", slice(30))):
        rms, mean = found[name]
        for j in (0, 20, 49):
            w, r = weight[rows, j], (X - W @ H)[rows, j]
            assert rms[j] == pytest.approx(np.sqrt((w * r**2).sum() / w.sum()))
            assert mean[j] == pytest.approx((w * r).sum() / w.sum())
    table = diagnostics_report.by_channel(np.arange(50.0), found)
    names = ["wavelength", "rms_hot", "mean_hot", "rms_cool", "mean_cool", "rms", "mean"]
    assert table.colnames == names


def test_masked_pixels_count_nowhere():
    X, v = mixtures(), inverse_variance((30, 50))
    v[:12, 9] = 0  # no hot star has that channel
    found = smooth_nmf(X, 3, smoothness=2.0, inverse_variance=v, tol=1e-8, max_iter=5000)
    W, H = found.weights, found.components
    spoilt = np.where(v > 0, X, 1e6)
    for first, second in zip(said_of(X, W, H, v), said_of(spoilt, W, H, v), strict=True):
        if isinstance(first, Table):
            assert first.colnames == second.colnames
            for name in first.colnames:
                assert list(first[name]) == list(second[name])
        elif isinstance(first, dict):
            assert first == second
    by_class = [diagnostics.over_wavelength(x, W, H, CLASSES, v) for x in (X, spoilt)]
    for name in by_class[0]:
        np.testing.assert_array_equal(by_class[0][name], by_class[1][name])
    assert np.isnan(by_class[0]["hot"][0][9])
    assert np.isfinite(by_class[0]["cool"][0][9])


def test_chi2_is_of_uncertainties_alone(fit):
    X, v, W, H = fit
    assert diagnostics.residuals(X, W, H, v).chi2 is None
    assert diagnostics.residuals(X, W, H, v, uncertain=True).chi2 is not None


def test_a_spectrum_unlike_the_others_is_explained_worst():
    X = mixtures()
    X[17] = X[17].mean() * (1 + np.sin(np.arange(50)))
    found = smooth_nmf(X, 3, smoothness=2.0, tol=1e-8, max_iter=5000)
    table, said, _ = said_of(X, found.weights, found.components)
    worst = said["worst_explained"]
    assert worst[0]["file"] == "star_17.txt"
    assert [each["relative_residual"] for each in worst] == sorted(
        table["relative_residual"], reverse=True
    )[:5]
    assert "star_17.txt (Cool stars)" in said["statement"]


def test_a_star_that_a_component_hangs_on_is_the_most_influential():
    """One star alone has light in the last channels."""
    X = mixtures()
    X[:, 40:] = 0.01
    X[5, 40:] = 10
    found = smooth_nmf(X, 3, smoothness=2.0, tol=1e-8, max_iter=5000)
    own = found.components[:, 45].argmax()
    for most_left_out in (200, 3):
        table, said, moved = said_of(
            X, found.weights, found.components, most_left_out=most_left_out
        )
        most = said["most_influential"][0]
        assert (most["file"], most["component"]) == ("star_5.txt", own + 1)
        assert (moved.spectrum, moved.component) == (5, own)
        assert most["leverage"] == pytest.approx(table["leverage"].max())
        assert most["leverage"] > 0.9
        assert said["n_left_out"] == min(30, most_left_out)
        assert np.isfinite(table[f"change_of_component_{own + 1}"]).sum() == said["n_left_out"]
    assert "the 3 spectra of the largest Cook distance" in said["statement"]
    assert len(said["most_influential"]) == 3


def test_a_component_of_one_star_alone_is_gone_without_it():
    """A fit without that star has no data for it, and would leave it where it began."""
    X = mixtures()
    X[:, 40:], X[5] = 0, 0
    X[5, 40:] = 10
    found = smooth_nmf(X, 4, smoothness=0, tol=1e-8, max_iter=5000)
    own = int(found.components[:, 45].argmax())
    table, said, moved = said_of(X, found.weights, found.components, most_left_out=3, smoothness=0)
    assert table["cook_distance"][5] == np.inf  # so that it is among the three
    assert (moved.spectrum, moved.component) == (5, own)
    assert moved.changes[5, own] == pytest.approx(np.sqrt(np.mean(found.components[own] ** 2)))
    assert (moved.without == 0).all()
    assert said["most_influential"][0]["file"] == "star_5.txt"


def test_those_left_out_are_of_the_largest_cook_distance(fit):
    X, v, W, H = fit
    table, _, moved = said_of(X, W, H, v, most_left_out=4)
    largest = np.argsort(table["cook_distance"])[-4:]
    left_out = np.flatnonzero(np.isfinite(moved.changes[:, 0]))
    assert sorted(largest) == left_out.tolist()
    every = said_of(X, W, H, v)[2]
    np.testing.assert_allclose(moved.changes[left_out], every.changes[left_out], atol=1e-9)


def test_a_class_of_one_spectrum_and_one_component():
    X = mixtures()
    found = smooth_nmf(X, 1, smoothness=2.0, tol=1e-8)
    classes = ["hot"] + ["cool"] * 29
    table, said, _ = said_of(X, found.weights, found.components, classes=classes)
    assert len(said["most_influential"]) == 5
    assert {each["component"] for each in said["most_influential"]} == {1}
    assert set(said["rms_residual_by_class"]) == {"hot", "cool"}
    assert table["leverage"].sum() == pytest.approx(1)


def test_as_many_components_as_spectra_and_one_alone():
    X = mixtures(n_spectra=2, k=2)
    found = smooth_nmf(X, 2, smoothness=2.0, tol=1e-8)
    table, said, _ = said_of(X, found.weights, found.components, classes=["hot", "cool"])
    assert said["n_left_out"] == 2
    assert np.isinf(table["cook_distance"]).all()
    W, H = X[:1].max(axis=1, keepdims=True), X[:1] / X[:1].max()
    table, said, moved = said_of(X[:1], W, H, classes=["hot"])
    assert said["n_left_out"] == 0
    assert said["most_influential"] == []
    assert moved.spectrum == -1
    assert "only spectrum" in said["statement"]
    assert "most influential" not in diagnostics_report.line_of_log(said)


def test_bins_hold_the_root_mean_square_of_their_channels():
    wavelength = np.geomspace(1000, 10000, 401)
    rms = np.random.default_rng(0).random(401)
    rms[:4] = np.nan
    middles, values = diagnostics_report.binned(wavelength, rms, n_bins=100)
    assert len(middles) == len(values) == 100
    assert np.isnan(values[0])
    # channels lie on the edges of bins, so that either may have them
    assert values[50] in [
        pytest.approx(np.sqrt(np.mean(rms[first : first + n] ** 2)))
        for first in (199, 200, 201)
        for n in (3, 4, 5)
    ]
    np.testing.assert_allclose(middles[[0, -1]], [1000 * 10**0.005, 10000 / 10**0.005])
    few = diagnostics_report.binned(wavelength[:50], rms[:50])
    np.testing.assert_array_equal(few[1], rms[:50])
