"""Distances and the one-to-one assignment."""

import itertools

import numpy as np
import pytest

from spectralunmix import assignment as assign
from spectralunmix import comparison


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


def compared(components, method="nmf"):
    reach = comparison.reach(PROTOTYPES, SPECTRA, OF_CLASS)
    return assign.compare(method, components, PROTOTYPES, list(LABELS), "rms", reach)


def test_a_doubtful_assignment_is_put_in_a_sentence():
    """The second component is of the third class, but is left for the second."""
    _, rows = compared(np.array([[1.0, 0, 0, 0], [1, 0.9, 1, 1], [1, 1, 1, 1]]))
    said = [assign.warning(row, LABELS) for row in rows if row[-1]]
    assert said == [
        "NMF component_2 lies 0.709 from the prototype of A/F stars, to which it is assigned, but "
        "0.05 from that of Cool dwarfs: do not read it as A/F stars"
    ]
    _, rows = compared(np.array([[0, 0, 0, -1.0]]), "pca")
    assert assign.warning(rows[0], LABELS) == (
        "PCA component_1 lies 0.707 from the prototype of Hot stars, to which it is assigned, "
        "farther than any spectrum of the class and any other prototype (0.5 at most): do not read "
        "it as Hot stars"
    )


def test_classes_that_no_component_is_assigned_to_are_named():
    pairs = [("nmf", "component_1", "hot"), ("nmf", "component_2", "cool")]
    labels = {"hot": "Hot stars", "a_f": "A/F stars", "cool": "Cool dwarfs"}
    assert assign.left_over(["hot", "cool"], pairs, labels) == []
    (said,) = assign.left_over(["hot", "a_f", "cool"], pairs, labels)
    assert said.startswith("A/F stars: no NMF component is assigned to them")


def test_components_without_a_class_are_no_assignments():
    components = np.array([[0.0, 0, 0, 1], *PROTOTYPES])
    distances, rows = compared(components)
    assert len(distances) == 4 * 3
    assert [row[1:3] for row in rows] == [
        ("component_2", "hot"),
        ("component_3", "warm"),
        ("component_4", "cool"),
    ]
    assert not any(row[-1] for row in rows)
