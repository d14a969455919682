"""What the report and the scan draw and tabulate, against what it is by definition."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from spectralunmix import (
    SmoothNMF,
    comparison,
    diagnostics,
    diagnostics_report,
    fit_report,
    scan,
    scan_smoothness,
    uniqueness,
)
from spectralunmix.across_libraries import LibraryResult, Match
from spectralunmix.figures import compare, convergence, cube, interactive, weights
from spectralunmix.figures import diagnostics as residuals_and_influence
from spectralunmix.figures import uniqueness as starts

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


def drawn_starts(k, n_starts, pairs, labels):
    """The picture of fits of X from that many random starts, and their table."""
    of = {"n_components": k, "smoothness": 1.0, "max_iter": 500, "tol": 1e-5, "random_state": 0}
    models = uniqueness.from_all_starts(X, n_starts, **of)
    squares = float(np.square(X).sum())
    table = uniqueness.table_of_starts(models, uniqueness.start_names(n_starts, 0), squares)
    table["above_lowest"][1], table["near"][1] = 0.02, False
    components = models[0].components_[::-1]
    said = uniqueness.numbers(table, models, 1.01 * table["objective"][0], components, squares)
    wavelength = np.linspace(4000, 7000, X.shape[1])
    return starts.draw(wavelength, components, models, table, said, pairs, labels, "Stars"), table


@pytest.mark.parametrize("k", [1, 3])
def test_starts_have_a_row_each_and_components_a_panel(k):
    pairs = {"component_1": {"class": "hot", "doubtful": False}}
    fig, table = drawn_starts(k, 4, pairs, {"cool": "Cool", "hot": "Hot"})
    objectives, *panels = fig.axes
    rows = [text.get_text() for text in objectives.get_yticklabels()]
    assert rows[0] == "the run's fit"
    assert sorted(rows[1:]) == sorted(table["start"])
    assert rows[-1] == "spa"  # the highest
    low, high, own = (line.get_xdata() for line in objectives.lines[:3])
    assert len(low) == 5
    assert high == [0.02]
    assert own == pytest.approx([0.01])
    assert len(panels) == k
    assert panels[0].get_title(loc="left").endswith("1: Hot")
    for panel in panels:
        dashed, *solid = panel.lines  # the one above the others, below them
        assert dashed.get_color() == starts.OTHERS
        assert len(solid) == 5
    assert {line.get_color() for line in panels[0].lines[1:]} == {starts.COLOURS[1]}


def test_many_starts_are_not_named():
    fig, _ = drawn_starts(1, 60, {}, {})
    assert [text.get_text() for text in fig.axes[0].get_yticklabels()] == ["the run's fit"]


def drawn_diagnostics(classes, files, k=3, **options):
    """The picture of the diagnostics of a fit of X."""
    model = SmoothNMF(k, smoothness=1.0).fit(X[: len(classes)])
    spectra, H = X[: len(classes)], model.components_
    factors = spectra, model.transform(spectra), H
    left = diagnostics.residuals(*factors)
    fit = {"smoothness": 1.0, "max_iter": 500, "most_left_out": 200} | options
    moved = diagnostics.influence(*factors, left.cook, inverse_variance=None, **fit)
    by_class = diagnostics.over_wavelength(*factors, classes)
    table = diagnostics_report.by_spectrum(
        Table({"file": files, "class": classes}), left, moved.changes
    )
    wavelength = np.linspace(4000, 7000, X.shape[1])
    labels = {name: f"{name} stars" for name in classes}
    said = diagnostics_report.numbers(table, by_class, wavelength, labels)
    content = table, said, moved, H
    fig = residuals_and_influence.draw(wavelength, by_class, *content, {}, labels, "Stars")
    return fig, said


def test_the_worst_and_the_most_influential_are_named_within_their_panels():
    files = [f"a_very_long_name_of_a_folder/and_a_file_with_all_parameters_{i}" for i in range(20)]
    fig, said = drawn_diagnostics(["hot"] * 8 + ["cool"] * 12, files)
    fig.canvas.draw()
    a, b, c, d = fig.axes
    assert [text.get_text() for text in a.get_legend().get_texts()] == ["hot stars", "cool stars"]
    for ax, named in ((b, said["worst_explained"]), (c, said["most_influential"])):
        *numbers, names = ax.texts
        assert [text.get_text() for text in numbers] == list("12345")
        lines = names.get_text().split("\n")
        for line, each in zip(lines, named, strict=True):
            assert "…" in line
            assert line.rsplit("_", 1)[1] == each["file"].rsplit("_", 1)[1]
        box, inside = names.get_window_extent(), ax.get_window_extent()
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
        assert box.y1 <= inside.y1
        points = np.concatenate([line.get_ydata() for line in ax.lines])
        assert ax.transData.transform((0, points.max()))[1] < box.y0
    legend = d.get_legend().get_window_extent()
    assert legend.x1 <= d.get_window_extent().x1


@pytest.mark.parametrize(
    "classes", [["hot"] * 8, ["hot"] + ["cool"] * 6, [f"c{i}" for i in "1234567890"]]
)
def test_diagnostics_of_any_number_of_classes(classes):
    fig, _ = drawn_diagnostics(classes, [f"star_{i}" for i in range(len(classes))], k=1)
    shown = [text.get_text() for text in fig.axes[1].get_xticklabels()]
    assert [text.replace("\n", " ") for text in shown] == [
        f"{n} stars" for n in dict.fromkeys(classes)
    ]


def test_a_single_spectrum_has_no_influence_to_draw():
    fig, said = drawn_diagnostics(["hot"], ["star"], k=1)
    assert said["most_influential"] == []
    assert not fig.axes[3].axison


def test_the_range_where_a_component_moves():
    change = np.zeros(100)
    change[30:50] = 0.1
    first, end = residuals_and_influence.where_it_moves(change)
    assert 25 <= first <= 32
    assert 48 <= end <= 55
    assert residuals_and_influence.where_it_moves(np.zeros(9)) == (0, 9)
    change = np.zeros(100)
    change[[0]] = 1
    assert residuals_and_influence.where_it_moves(change) == (0, 2)


def test_a_long_name_keeps_its_ends():
    name = "t10000_g+1.5_m13p04_sed.fits"
    assert residuals_and_influence.shortened(name, 6, 200) == name
    short = residuals_and_influence.shortened(name, 6, 50)
    assert short.startswith("t1000")
    assert short.endswith("fits")
    assert len(short) < len(name)


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("10**(-20)*erg/s/cm**2/Angstrom", "10⁻²⁰ erg Å⁻¹ s⁻¹ cm⁻²"),
        ("MJy/sr", "MJy sr⁻¹"),
        ("ADU of ours", "ADU of ours"),
        ("", ""),
    ],
)
def test_units_are_written_for_people(unit, shown):
    assert cube._for_people(unit) == shown
