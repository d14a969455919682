"""Distances and the one-to-one assignment."""

import itertools

import numpy as np
import pytest
from astropy.table import Table

from spectralunmix import assignment as assign
from spectralunmix import comparison
from spectralunmix.errors import LibraryError
from spectralunmix.files import component_names


@pytest.fixture
def prototypes():
    return np.random.default_rng(0).random((4, 30))


@pytest.mark.parametrize("metric", comparison.METRICS)
def test_permuted_and_rescaled_prototypes_are_found(prototypes, metric):
    order, scale = [2, 0, 3, 1], np.array([[0.5], [3], [1e-6], [40]])
    distance, sign = comparison.distances(prototypes[order] * scale, prototypes, metric)
    components, classes = comparison.assign(distance)
    assert dict(zip(components.tolist(), classes.tolist(), strict=True)) == dict(enumerate(order))
    np.testing.assert_allclose(distance[components, classes], 0, atol=1e-12)
    assert (sign == 1).all()


def test_assignment_is_the_best_of_all_permutations(prototypes):
    distance = np.random.default_rng(3).random((4, 4))
    components, classes = comparison.assign(distance)
    best = min(distance[range(4), p].sum() for p in itertools.permutations(range(4)))
    assert distance[components, classes].sum() == pytest.approx(best)


def test_free_sign_takes_the_closer(prototypes):
    distance, sign = comparison.distances(-prototypes, prototypes, "rms", signed=True)
    np.testing.assert_allclose(distance.diagonal(), 0, atol=1e-12)
    assert (sign.diagonal() == -1).all()


def test_metrics_are_what_they_are_called():
    a, b = np.array([[2.0, 0.0]]), np.array([[3.0, 3.0]])
    assert comparison.root_mean_square(a, b)[0, 0] == pytest.approx(np.sqrt(0.5))
    assert comparison.spectral_angle(a, b)[0, 0] == pytest.approx(np.pi / 4)


# Root mean squares over four channels, each spectrum with maximum 1: half the root of the
# number of channels in which two differ by one.
PROTOTYPES = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
SPECTRA = np.array([[1.0, 0, 0, 0], [1, 0.5, 0, 0], [1, 1, 0, 0], [1, 0, 1, 1], [1, 1, 1, 1]])
OF_CLASS = np.array([0, 0, 1, 1, 2])


def test_a_class_reaches_to_its_farthest_spectrum_or_the_nearest_other_prototype():
    reach = comparison.reach(PROTOTYPES, SPECTRA, OF_CLASS)
    np.testing.assert_allclose(reach, [0.5, np.sqrt(3) / 2, np.sqrt(2) / 2])
    alone = comparison.reach(PROTOTYPES[:1], SPECTRA[:2], OF_CLASS[:2])
    np.testing.assert_allclose(alone, [0.25])
    without_spectra = comparison.reach(PROTOTYPES, SPECTRA[:1], OF_CLASS[:1])
    np.testing.assert_allclose(without_spectra, [0.5, 0.5, np.sqrt(2) / 2])


@pytest.mark.parametrize("metric", comparison.METRICS)
def test_doubtful_is_what_lies_nearer_to_another_class_or_too_far_from_its_own(metric):
    reach = comparison.reach(PROTOTYPES, SPECTRA, OF_CLASS, metric)
    distance, _ = comparison.distances(PROTOTYPES, PROTOTYPES, metric)
    pairs = (np.array([0, 1, 2]), np.array([0, 1, 2]))
    assert not comparison.doubtful(distance, pairs, reach).any()
    exchanged = (np.array([0, 1, 2]), np.array([1, 0, 2]))
    assert comparison.doubtful(distance, exchanged, reach).tolist() == [True, True, False]
    nothing_like_it = np.array([[0.0, 0, 0, 1]])  # beyond the reach of the nearest class
    distance, _ = comparison.distances(nothing_like_it, PROTOTYPES, metric)
    pair = (np.array([0]), np.array([distance[0].argmin()]))
    assert comparison.doubtful(distance, pair, reach).tolist() == [True]
    assert comparison.doubtful(distance, pair, reach + 1).tolist() == [False]


LABELS = {"hot": "Hot stars", "warm": "A/F stars", "cool": "Cool dwarfs"}


def errors(method, components):
    """What resamples say that all assign alike."""
    of_each = itertools.product([method], component_names(len(components)), LABELS)
    rows = [(*key, 0.02, np.nan, 1.0) for key in of_each]
    return Table(rows=rows, names=("method", "component", "class", *assign.ERRORS))


def compared(components, method="nmf"):
    members = [list(LABELS)[j] for j in OF_CLASS]
    classes = assign.classes_of(list(LABELS), PROTOTYPES, SPECTRA, members, "rms")
    np.testing.assert_array_equal(
        classes.reach, comparison.reach(PROTOTYPES, SPECTRA, OF_CLASS, "rms")
    )
    return assign.compare(method, components, classes, errors(method, components))


def test_a_doubtful_assignment_is_put_in_a_sentence():
    """The second component is of the third class, but is left for the second."""
    rows = compared(np.array([[1.0, 0, 0, 0], [1, 0.9, 1, 1], [1, 1, 1, 1]])).assignments
    said = [assign.warning(row, LABELS) for row in rows if row["doubtful"]]
    assert said == [
        "NMF component_2 lies 0.709 from the prototype of A/F stars, to which it is assigned, but "
        "0.05 from that of Cool dwarfs: do not read it as A/F stars"
    ]
    rows = compared(np.array([[0, 0, 0, -1.0]]), "pca").assignments
    assert assign.warning(rows[0], LABELS) == (
        "PCA component_1 lies 0.707 from the prototype of Hot stars, to which it is assigned, "
        "farther than any spectrum of the class and any other prototype (0.5 at most): do not read "
        "it as Hot stars"
    )


def test_classes_that_no_component_is_assigned_to_are_named():
    pairs = [{"class": "hot"}, {"class": "cool"}]
    labels = {"hot": "Hot stars", "a_f": "A/F stars", "cool": "Cool dwarfs"}
    assert assign.left_over(["hot", "cool"], pairs, labels) == []
    (said,) = assign.left_over(["hot", "a_f", "cool"], pairs, labels)
    assert said.startswith("A/F stars: no NMF component is assigned to them")


def test_components_without_a_class_are_no_assignments():
    components = np.array([[0.0, 0, 0, 1], *PROTOTYPES])
    found = compared(components)
    assert len(found.distances) == 4 * 3
    assert [(row["component"], row["class"]) for row in found.assignments] == [
        ("component_2", "hot"),
        ("component_3", "warm"),
        ("component_4", "cool"),
    ]
    assert not any(row["doubtful"] for row in found.assignments)
    own = [row["distance"] for row in found.assignments]
    assert found.total_distance == pytest.approx(sum(own))


def test_tables_have_the_rows_of_both_methods():
    nmf, pca = compared(PROTOTYPES), compared(-PROTOTYPES, "pca")
    distances, assignments = assign.tables(nmf, pca, "rms")
    assert tuple(distances.colnames) == assign.OF_DISTANCES
    assert tuple(assignments.colnames) == assign.OF_ASSIGNMENTS
    assert distances.meta == assignments.meta == {"metric": "rms"}
    assert (len(distances), len(assignments)) == (18, 6)
    assert list(assignments["method"]) == ["nmf"] * 3 + ["pca"] * 3
    assert list(assignments["sign"]) == [1, 1, 1, -1, -1, -1]


def test_all_doubts_are_said():
    members = [list(LABELS)[j] for j in OF_CLASS]
    classes = assign.classes_of(list(LABELS), PROTOTYPES, SPECTRA, members, "rms")
    nmf = assign.compare("nmf", PROTOTYPES[:2], classes, errors("nmf", PROTOTYPES[:2]))
    one = np.array([[0, 0, 0, -1.0]])
    pca = assign.compare("pca", one, classes, errors("pca", one))
    said = assign.doubts(nmf, pca, classes, LABELS)
    assert said[0].startswith("Cool dwarfs: no NMF component is assigned")
    assert said[1].startswith("PCA component_1 lies 0.707 from the prototype of Hot stars")
    assert len(said) == 2


def test_the_share_of_spectra_whose_own_component_contributes_most():
    weights = np.array([[3.0, 1, 0], [1, 2, 0], [1, 0, 2], [0, 5, 1]])
    members = ["hot", "hot", "cool", "warm"]
    rows = compared(PROTOTYPES).assignments
    components = PROTOTYPES / np.linalg.norm(PROTOTYPES, axis=1, keepdims=True)
    assert assign.dominant_share(weights, components, members, rows) == 0.75
    without = [row for row in rows if row["class"] != "cool"]
    assert assign.dominant_share(weights, components, members, without) == 0.5


def test_the_summary_has_the_fit_without_its_history():
    nmf, fit = compared(PROTOTYPES), {"objective": 1.0, "history": {"objective": [1.0]}}
    totals = {"nmf_total_distance": {"standard_error": 0.5}, "pca_total_distance": None}
    of_nmf = assign.method_summary(fit, nmf, totals["nmf_total_distance"])
    total = ["total_distance", "total_distance_standard_error"]
    assert list(of_nmf) == ["objective", "assignment", *total]
    assert of_nmf["total_distance_standard_error"] == 0.5
    assert list(of_nmf["assignment"][0]) == list(assign.OF_ASSIGNMENTS[1:])
    fetched = {"source": {"description": "a"}, "files": [{"name": "b"}], "sha256": "c"}
    data = assign.data_summary("mine", fetched, (5, 4))
    source = {"description": "a", "files": ["b"], "sha256": "c"}
    assert data == {"library": "mine", "source": source, "n_spectra": 5, "n_wave": 4}
    pca = {"explained": [1.0]}, compared(PROTOTYPES, "pca")
    summary = assign.summarise(data, "rms", ["doubt"], (fit, nmf), pca, 0.5, totals)
    assert summary["nmf"] == of_nmf | {"dominant_component_is_own_class": 0.5}
    assert summary["pca"]["total_distance_standard_error"] is None
    expected = ["library", "source", "n_spectra", "n_wave", "metric", "warnings", "nmf", "pca"]
    assert list(summary) == [*expected, "bootstrap"]


FIT = {
    "converged": False,
    "tol": 1e-8,
    "n_iter": 200,
    "optimality": 1e-5,
    "objective": 1.0,
    "history": {"objective": [4.0, 1.5, 1.0], "iterations": [0, 100, 200]},
}


def test_a_fit_that_ended_early_is_an_error_where_it_is_strict():
    (said,) = assign.not_converged(FIT, "fit.json", strict=False)
    assert said.startswith("fit.json: NOT converged: the fit stopped at smooth_nmf.max_iter (200 ")
    assert said.endswith("its last 100 iterations lowered the objective, 1, by 5.0e-01 of it")
    with pytest.raises(LibraryError, match="strict: false goes on"):
        assign.not_converged(FIT, "fit.json", strict=True)
    assert assign.not_converged(FIT | {"converged": True}, "fit.json", strict=True) == []
    assert assign.not_converged(FIT | {"tol": 0}, "fit.json", strict=True) == []
