"""What the report and the scan draw and tabulate, against what it is by definition."""

import numpy as np
import pandas as pd
import pytest

from spectralunmix import SmoothNMF, comparison, fit_report, scan, scan_smoothness
from spectralunmix.across_libraries import LibraryResult, Match
from spectralunmix.figures import compare, convergence, interactive, weights

RNG = np.random.default_rng(0)
X = RNG.random((20, 3)) @ RNG.random((3, 40)) + 0.05 * RNG.random((20, 40))


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_the_history_says_after_which_iteration():
    model = SmoothNMF(3, smoothness=1.0).fit(X)
    iterations = model.iterations_
    assert len(iterations) == len(model.objective_) == len(model.optimality_)
    assert iterations[0] == 0
    assert (np.diff(iterations) > 0).all()
    assert iterations[-1] == model.n_iter_
    early = SmoothNMF(3, smoothness=1.0, tol=0, max_iter=5).fit(X)
    at = list(model.iterations_).index(5)
    assert np.isclose(early.objective_[-1], model.objective_[at], rtol=1e-12)


def test_the_typical_spectrum_has_the_median_residual():
    flux = np.ones((7, 4))
    reconstruction = flux * (1 - np.array([0.5, 0.1, 0.3, 0.2, 0.4, 0.9, 0.8]))[:, None]
    rows, residual = comparison.typical(flux, reconstruction, list("aaaaabb"))
    assert rows == {"a": 2, "b": 6}
    np.testing.assert_allclose(residual, [0.5, 0.1, 0.3, 0.2, 0.4, 0.9, 0.8])


def test_components_are_drawn_in_the_reference_s_order(rng):
    reference = rng.random((4, 30))
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(comparison.in_order_of(reference, reference[order]), reference)


def test_shares(rng):
    weights, components = rng.random((5, 3)), rng.random((3, 10))
    weights[1] = 0
    share = comparison.shares(weights, components)
    parts = np.linalg.norm(weights[:, :, None] * components, axis=2)
    np.testing.assert_allclose(share.sum(axis=1), [1, 0, 1, 1, 1])
    np.testing.assert_allclose(share[0], parts[0] / parts[0].sum())


def test_an_empty_component_lies_far_from_all():
    components = np.array([np.zeros(9), np.linspace(0, 2, 9)])
    rms = comparison.root_mean_square(components, components)
    assert np.isclose(rms[0, 1], np.sqrt(np.mean(np.linspace(0, 1, 9) ** 2)))
    angle = comparison.spectral_angle(components, components)
    assert np.isclose(angle[0, 1], np.pi / 2)
    assert rms[1, 1] == angle[1, 1] == 0


def test_stability_is_measured_from_the_best_start(rng):
    components = [rng.random((2, 30)) for _ in range(4)]
    components[2] = components[1][::-1]
    fits = pd.DataFrame({"n_components": [2, 2, 2, 2], "smoothness": [0.0, 0, 0, 1]})
    fits["objective"] = [3.0, 1.0, 2.0, 9.0]
    found = scan.from_best(fits, components, "rms")
    assert found[1] == found[2] == found[3] == 0
    a, b = (each / each.max(axis=1, keepdims=True) for each in components[:2])
    pairs = [
        np.mean([np.sqrt(np.mean((a[i] - b[j]) ** 2)) for i, j in enumerate(order)])
        for order in ((0, 1), (1, 0))
    ]
    assert np.isclose(found[0], min(pairs))


def test_weights_have_a_panel_a_component(rng):
    names, classes = [f"component_{i}" for i in range(7)], ["hot", "cool"]
    members, labels = np.array(["hot", "cool"] * 10), {"hot": "Hot", "cool": "Cool"}
    of = {"component_6": {"class": "hot", "doubtful": False}}
    fig = weights.draw(rng.random((20, 7)), names, members, classes, labels, of, "a library")
    assert len(fig.axes) == 7
    assert fig.axes[0].get_title(loc="left").endswith("7: Hot")


def test_two_entries_of_one_library_are_both_in_the_legend(rng):
    wavelength = np.linspace(4000, 7000, 50)
    spectra = np.ones((3, 50))
    libraries = {
        name: LibraryResult(
            "Stars", "air", wavelength, rng.random((1, 50)), ["hot"], set(), spectra, None
        )
        for name in ("a", "b")
    }
    matches = [Match("a", "b", 1, "hot", 1, "hot", 0.1), Match("b", "a", 1, "hot", 1, "hot", 0.1)]
    labels = {"hot": "Hot stars"}
    fig = compare.draw(libraries, matches, np.full((2, 2), 0.9), labels, wavelength, "rms")
    captions = [text.get_text() for text in fig.legends[0].get_texts()]
    assert captions == ["a: Stars", "b: Stars"]


def test_the_line_of_the_convergence_says_where_both_ended():
    published = {"Adam": np.array([[0.0, 10, 12], [9, 3, 2.25], [1, 0.5, 0.125]])}
    said = convergence.how_it_compares({"objective": 2.0, "optimality": 1e-8}, published)
    assert said == ("Adam, 12 iterations: objective 2.25, optimality 1.2e-01; this fit 2, 1.0e-08")


def test_the_table_of_a_scan_has_a_row_a_fit():
    init = X[[0, 5, 9]] * np.array([1.0, 2.0])[:, None, None]
    model = SmoothNMF(3, init=init)
    models = scan_smoothness(model, X, [0, 5], every_start=True)
    table = scan.table_of_fits(models, range(4, 6), float((X**2).sum()), X[:2], "rms")
    assert table["start"].tolist() == [4, 5, 4, 5]
    assert table["smoothness"].tolist() == [0, 0, 5, 5]
    for row, fitted in zip(table, [fitted for group in models for fitted in group], strict=True):
        assert row["objective"] == fitted.objective_[-1]
        left = np.square(X - fitted.transform(X) @ fitted.components_).sum()
        if row["smoothness"] == 0:
            assert row["explained"] == pytest.approx(1 - left / np.square(X).sum(), rel=1e-8)
        distance, _ = comparison.distances(fitted.components_, X[:2], "rms")
        assert row["distance"] == distance[comparison.assign(distance)].mean()
        assert row["converged"]
        assert row["n_empty"] == 0


def test_the_table_of_smoothness_is_of_the_fits():
    models = scan_smoothness(SmoothNMF(3), X, [0, 5])
    table = fit_report.smoothness_table(models)
    assert table["smoothness"].tolist() == [0, 5]
    assert table["objective"].tolist() == [model.objective_[-1] for model in models]
    roughness = [np.square(np.diff(model.components_)).sum() for model in models]
    np.testing.assert_array_equal(table["roughness"], roughness)
    squares = np.square([model.reconstruction_err_ for model in models])
    np.testing.assert_array_equal(table["sum_of_squared_residuals"], squares)


def test_what_a_fit_says_of_itself_is_weighted_where_there_are_weights():
    v = 0.5 + RNG.random(X.shape)
    for weights_of_pixels in (None, v):
        model = SmoothNMF(3, smoothness=2.0).fit(X, inverse_variance=weights_of_pixels)
        numbers = fit_report.numbers(model, X, weights_of_pixels)
        counted = np.ones_like(X) if weights_of_pixels is None else v
        assert numbers["weighted"] == (weights_of_pixels is not None)
        explained = 1 - numbers["sum_of_squared_residuals"] / (counted * X**2).sum()
        assert numbers["explained_sum_of_squares"] == pytest.approx(explained, rel=1e-12)
        roughness = np.square(np.diff(model.components_)).sum(axis=1)
        np.testing.assert_allclose(numbers["roughness"], roughness)
        assert numbers["history"]["objective"][-1] == numbers["objective"]
        assert "(converged) after" in fit_report.how_it_ended(numbers)
        assert "(NOT converged)" in fit_report.how_it_ended(numbers | {"converged": False})


def test_a_page_takes_as_many_spectra_as_a_phone_can_open():
    rows, said = interactive.evenly_taken(30)
    assert (rows.tolist(), said) == (list(range(30)), "All 30 spectra.")
    rows, said = interactive.evenly_taken(1000)
    assert (len(rows), rows[0], rows[-1]) == (interactive.LARGEST, 0, 999)
    assert set(np.diff(rows)) == {2, 3}
    assert said == "400 of the 1000 spectra, evenly taken."
