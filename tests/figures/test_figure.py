"""The four-panel figure and the interactive page: whose colours, which marks, and room for text."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from spectralunmix import assignment as assign
from spectralunmix.figures import four_panels as plot
from spectralunmix.figures import interactive
from spectralunmix.figures import style as figures
from spectralunmix.files import component_names
from spectralunmix.prototypes import bands

WAVELENGTH = np.linspace(4000, 7000, 50)
SHORT, LONG = "Early {} stars", "Early {} stars of the thick disc, and subluminous-supergiants too"


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def tables(classes, ranks, doubtful=(), signs=()):
    """Component i of either method is assigned to class i, at a distance of 0.1."""
    rows, paired = [], []
    for method, k in zip(("nmf", "pca"), ranks, strict=True):
        for (i, name), (j, of) in itertools.product(
            enumerate(component_names(k)), enumerate(classes)
        ):
            sign = -1 if (method, i) in signs else 1
            errors = (0.02, np.nan, float(i == j))
            rows.append((method, name, of, 0.1 + 0.8 * (i != j), sign, *errors))
            if i == j:
                paired.append((*rows[-1], of, 0.1, 0.5, (method, i) in doubtful))
    return (
        Table(rows=rows, names=assign.OF_DISTANCES),
        Table(rows=paired, names=assign.OF_ASSIGNMENTS),
    )


def figure(rng, n, ranks=None, label=SHORT, name="a library", error=0.05, **marks):
    """n classes; components and eigenspectra, as many by default."""
    ranks = ranks or (n, n)
    classes = [f"class_{i}" for i in range(n)]
    prototypes, nmf, pca = (rng.random((k, 50)) for k in (n, *ranks))
    spread = {of: np.array([0.9, 1.1])[:, None] * prototypes[0] for of in classes}
    summary = {
        "library": name,
        "n_spectra": 100,
        "metric": "rms",
        "pca": {"explained_variance_ratio": [0.9 / (i + 1) ** 2 for i in range(ranks[1])]},
        "nmf": {"smoothness": 1},
    }
    for method, of_total in (("nmf", 0.0421), ("pca", None)):
        summary[method]["total_distance_standard_error"] = of_total
    errors = Table({of: np.full(50, error) for of in component_names(ranks[0])})
    labels = {of: label.format(of) for of in classes}
    with figures.mpl.rc_context(figures.STYLE):
        fig = plot.draw(
            (WAVELENGTH, classes, prototypes),
            spread,
            (WAVELENGTH, component_names(ranks[1]), pca),
            (WAVELENGTH, component_names(ranks[0]), nmf),
            errors,
            *tables(classes, ranks, **marks),
            labels,
            summary,
            7.1,
        )
        fig.draw_without_rendering()
    return fig, pca


def captions(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def curves(ax):
    return [line for line in ax.lines if len(line.get_xdata()) == 50]


@pytest.mark.parametrize("n", [5, 7, 8, 10])
def test_the_figure_has_room_for_more_classes_and_components(n, rng):
    fig, usual = figure(rng, n)[0], figure(rng, 4)[0]
    for ax, as_usual in zip(fig.axes, usual.axes, strict=True):
        size, expected = (each.get_window_extent() for each in (ax, as_usual))
        np.testing.assert_allclose(size.size, expected.size)
    for ax in fig.axes[:3]:
        styles = {str((line.get_color(), line._dash_pattern)) for line in curves(ax)}
        assert len(styles) == n
        legend = ax.get_legend().get_window_extent()
        assert legend.y0 >= ax.get_window_extent().y1 - 5
        heading = ax._left_title.get_window_extent()
        assert legend.y1 < heading.y0 + 3
        assert heading.y1 < fig._suptitle.get_window_extent().y0
    below, above = fig.axes[2], fig.axes[0]
    assert below._left_title.get_window_extent().y1 < above.xaxis.label.get_window_extent().y0


@pytest.mark.parametrize("label", [SHORT, LONG])
@pytest.mark.parametrize(
    ("n", "ranks"), [(4, (4, 4)), (4, (5, 5)), (2, (8, 8)), (7, (2, 8)), (7, (7, 7)), (10, (10, 3))]
)
def test_all_text_of_the_figure_is_in_its_place(n, ranks, label, rng):
    doubtful = {("nmf", 0), ("pca", 1)}
    name = "a library whose name is longer than the figure is wide, by far" * 2
    fig, _ = figure(rng, n, ranks, label, name, doubtful=doubtful)
    fig.set_dpi(300)  # as it is written
    fig.draw_without_rendering()
    point = 300 / 72
    page, (c, *maps) = fig.bbox, fig.axes[2:]
    assert fig._suptitle.get_window_extent().x1 <= page.x1
    for ax in fig.axes[:3]:
        legend, panel = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert panel.x0 - point < legend.x0 < legend.x1 <= panel.x1 + point
        boxes = [text.get_window_extent() for text in ax.get_legend().get_texts()]
        assert not any(x.overlaps(y) for x, y in itertools.combinations(boxes, 2))
    for ax in maps:
        frames = [patch.get_window_extent() for patch in ax.patches]
        numbers = [text for text in ax.texts if text.get_weight() == "bold"]
        assert len(frames) == len(numbers) == min(n, ranks[maps.index(ax)])
        for frame, number in zip(frames, numbers, strict=True):
            box = number.get_window_extent()
            assert frame.x0 + point < box.x0 < box.x1 < frame.x1 - point  # half is the frame's line
    note = maps[0].texts[-1].get_window_extent()
    assert note.x1 <= page.x1
    assert maps[0].get_window_extent().y1 < note.y0
    assert note.y1 < maps[0]._left_title.get_window_extent().y0
    rows = [label.get_window_extent() for label in maps[0].get_yticklabels()]
    assert all(box.x0 > c.get_window_extent().x1 for box in rows)
    assert all(lower.y1 < upper.y0 for upper, lower in itertools.pairwise(rows))
    left, right = (ax.xaxis.label.get_window_extent() for ax in maps)
    assert left.x1 < right.x0
    assert right.y0 > page.y0


def test_eigenspectra_have_the_colours_of_their_classes_and_the_assigned_sign(rng):
    fig, pca = figure(rng, 4, (4, 6), signs={("pca", 2)})
    expected = [*figures.COLOURS[:4], *figures.GREYS]
    drawn = curves(fig.axes[1])
    assert [to_hex(line.get_color()).upper() for line in drawn] == expected
    for line, row, sign in zip(drawn, pca, [1, 1, -1, 1, 1, 1], strict=True):
        np.testing.assert_allclose(line.get_ydata(), sign * row / np.abs(row).max())
    said = captions(fig.axes[1])
    assert said[2] == "3: Early class_2 stars (10.0%)"
    assert said[4] == "5: no class (3.6%)"
    assert [line.get_color() for line in curves(fig.axes[2])] == figures.COLOURS[:4]


def test_a_doubtful_assignment_is_marked_in_captions_and_frames(rng):
    fig, _ = figure(rng, 3, doubtful={("nmf", 1), ("pca", 2)})
    assert captions(fig.axes[2])[1] == "2: Early class_1 stars?"
    assert captions(fig.axes[1])[2].startswith("3: Early class_2 stars? (")
    assert sum("?" in text for ax in fig.axes[:3] for text in captions(ax)) == 2
    for ax, dashed in zip(fig.axes[3:], ([1], [2]), strict=True):
        frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        assert [i for i, frame in enumerate(frames) if frame.get_linestyle() != "-"] == dashed
    assert "dashed, and ?" in fig.axes[3].texts[-1].get_text()
    sure, _ = figure(rng, 3)
    assert "dashed" not in sure.axes[3].texts[-1].get_text()


def test_bands_and_totals_have_their_standard_errors(rng):
    fig, _ = figure(rng, 3, error=0.05)
    assert fig.axes[2].get_title(loc="left").endswith("(λ = 1; bands: ± 1σ)")
    assert [len(ax.collections) for ax in fig.axes[:3]] == [3, 0, 3]
    for line, band in zip(curves(fig.axes[2]), fig.axes[2].collections, strict=True):
        assert to_hex(band.get_facecolor()[0]) == to_hex(line.get_color())
        drawn, middle = band.get_paths()[0].vertices[:, 1], line.get_ydata()
        assert drawn.max() == pytest.approx(middle.max() + 0.05)
        assert drawn.min() == pytest.approx(max(middle.min() - 0.05, 0))
    nmf, pca = (ax.get_xlabel() for ax in fig.axes[3:])
    assert nmf == "NMF component\nframed: total 0.30 ± 0.04"
    assert pca == "PCA component\nframed: total 0.30"
    without, _ = figure(rng, 3, error=np.nan)
    assert without.axes[2].get_title(loc="left").endswith("(λ = 1)")
    assert len(without.axes[2].collections) == 0


def test_eight_components_without_a_class_are_told_apart():
    names = component_names(9)
    pairs = {"component_3": {"class": "hot"}}
    for dashes in (figures.DASHES, interactive.DASHES):
        styles = figures.component_styles(names, pairs, ["hot"], dashes)
        assert len({str(style) for style in styles.values()}) == 9
        assert styles["component_1"][1] != dashes[0]  # not as the solid lines of the classes


def test_the_band_is_of_the_class_s_own_spectra_without_what_is_masked(rng):
    flux, members = rng.random((30, 50)), np.array(["hot", "cool", "hot"] * 10)
    weight = np.ones((30, 50))
    flux[:8, 5], weight[:8, 5] = 1e3, 0
    weight[members == "cool", 7] = 0  # nothing is known there
    medians = [np.median(flux[members == of][8:], axis=0) for of in ("hot", "cool")]
    prototypes = {of: m / m.max() for of, m in zip(("hot", "cool"), medians, strict=True)}
    spread = bands(flux, weight, members, prototypes)
    for name in ("hot", "cool"):
        own, known = flux[members == name], weight[members == name] > 0
        peak = prototypes[name].argmax()
        scale = np.median(own[known[:, peak], peak])
        for j in (3, 5):
            expected = np.percentile(own[known[:, j], j], [16, 84]) / scale
            np.testing.assert_allclose(spread[name][:, j], expected)
    assert np.isnan(spread["cool"][:, 7]).all()
    assert np.isfinite(spread["hot"]).all()
    unweighted = bands(flux, None, members, prototypes)
    assert unweighted["hot"][1, 5] > 100


def test_the_interactive_view_has_the_figure_s_colours_signs_and_marks(rng):
    classes, flux = [f"class_{i}" for i in range(9)], rng.random((9, 20))
    labels = {name: name.title() for name in classes}
    marks = {"doubtful": {("nmf", 3), ("pca", 1)}, "signs": {("pca", 4)}}
    _, pairs = tables(classes[:7], (9, 9), **marks)
    factors = (component_names(9), flux)
    shown = interactive.curves((classes, flux), factors, factors, pairs, labels)
    for kind, doubtful in (("Components", 3), ("Eigenspectra", 1)):
        assert len({(curve["colour"], curve["dash"]) for curve in shown[kind]}) == 9
        for i, (own, of) in enumerate(zip(shown[kind][:7], shown["Prototypes"], strict=False)):
            assert (own["colour"], own["dash"]) == (of["colour"], of["dash"])
            assert own["label"] == f"{i + 1}: Class_{i}" + "?" * (i == doubtful)
        assert shown[kind][8]["label"] == "9: no class"
    assert max(shown["Eigenspectra"][4]["flux"]) < 0 < min(shown["Eigenspectra"][3]["flux"])
