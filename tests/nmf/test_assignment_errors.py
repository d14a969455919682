"""Standard errors of distances and assignments, against each resample worked out by hand."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from spectralunmix import assignment, comparison
from spectralunmix import assignment_errors as errors
from spectralunmix.files import Resamples, component_names

CLASSES = ["hot", "cool"]
MEMBERS = ["hot"] * 6 + ["cool"] * 6
RNG = np.random.default_rng(5)
PURE = np.abs(RNG.standard_normal((2, 40))) + 0.1
FLUX = np.repeat(np.eye(2), 6, axis=0) @ PURE + 0.2 * RNG.random((12, 40))
COUNTS = np.array([[2, 0, 1, 1, 1, 1, 0, 3, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 2, 0, 2, 0, 2, 0]])
COMPONENTS = np.stack([PURE + 0.1 * RNG.random((2, 40)) for _ in COUNTS])
AXES = PCA(2, svd_solver="full").fit(FLUX).components_


def median_prototypes(rows):
    found = []
    for name in CLASSES:
        median = np.median([FLUX[i] for i in rows if MEMBERS[i] == name], axis=0)
        found.append(median / median.max())
    return np.array(found)


def found(metric="rms"):
    spectra = errors.Source(FLUX, None, MEMBERS, 2)
    return errors.resampled(spectra, CLASSES, COUNTS, COMPONENTS, AXES, metric)


@pytest.mark.parametrize("metric", comparison.METRICS)
def test_every_resample_is_compared_with_its_own_prototypes(metric):
    of = found(metric)
    for b, counts in enumerate(COUNTS):
        rows = [i for i, n in enumerate(counts) for _ in range(n)]
        prototypes = median_prototypes(rows)
        expected, _ = comparison.distances(COMPONENTS[b], prototypes, metric)
        np.testing.assert_allclose(of["nmf"].distances[b], expected)
        own = PCA(2, svd_solver="full").fit(FLUX[rows]).components_
        expected, _ = comparison.distances(own, prototypes, metric, signed=True)
        # each in the place of the eigenspectrum of all spectra that it is most parallel to
        order = np.abs(AXES @ own.T).argmax(axis=1)
        np.testing.assert_allclose(of["pca"].distances[b], expected[order], rtol=1e-6)


def test_a_table_has_the_deviations_and_the_shares():
    of = found()
    table = errors.table(of, None, CLASSES, "rms")
    assert len(table) == 2 * 2 * 2
    for row in table:
        method, i = of[row["method"]], component_names(2).index(row["component"])
        values = method.distances[:, i, CLASSES.index(row["class"])]
        expected = np.sqrt(np.square(values - values.mean()).sum() / (len(values) - 1))
        assert row["standard_error"] == pytest.approx(expected, rel=1e-3)
        assert np.isnan(row["noise_error"])
        share = np.mean(method.assigned[:, i] == CLASSES.index(row["class"]))
        assert row["same_assignment"] == share
    of_noise = errors.distances_of_noise(COMPONENTS, median_prototypes(range(12)), "rms")
    noisy = errors.table(of, of_noise, CLASSES, "rms")
    assert np.isfinite(noisy["noise_error"]).tolist() == [True] * 4 + [False] * 4


def test_totals_pair_the_two_methods():
    of = found()
    totals = errors.totals(of, 1)
    nmf, pca = of["nmf"].totals, of["pca"].totals
    for b in range(2):
        least = min(of["nmf"].distances[b][[0, 1], order].sum() for order in ([0, 1], [1, 0]))
        assert nmf[b] == pytest.approx(least)
    difference = pca - nmf
    assert totals["pca_minus_nmf"]["standard_error"] == pytest.approx(
        np.abs(difference[0] - difference[1]) / np.sqrt(2), rel=1e-3
    )
    assert totals["pca_minus_nmf"]["least"] == pytest.approx(difference.min(), rel=1e-3)
    assert totals["share_of_resamples_with_nmf_nearer"] == np.mean(nmf < pca)
    assert "over 2 resamples the total distance of NMF has a standard error" in errors.in_words(
        totals
    )
    assert errors.in_words(totals).endswith("1 fits did not converge")


def test_without_resamples_nothing_is_claimed():
    spectra = errors.Source(FLUX, None, MEMBERS, 2)
    none = errors.resampled(spectra, CLASSES, COUNTS[:0], COMPONENTS[:0], AXES, "rms")
    table = errors.table(none, None, CLASSES, "rms")
    assert len(table) == 8
    assert np.isnan([table[name] for name in assignment.ERRORS]).all()
    totals = errors.totals(none, 0)
    assert totals["nmf_total_distance"] is None
    assert errors.in_words(totals) == "no resamples: bootstrap.n_resamples is 0"
    resamples = Resamples(COMPONENTS[:0], COUNTS[:0], COMPONENTS[:0], 0)
    curves = errors.of_components(resamples, np.arange(40.0))
    assert curves.colnames == ["wavelength", "component_1", "component_2"]
    assert np.isnan(curves["component_1"]).all()


def test_curves_have_the_deviation_of_each_channel():
    resamples = Resamples(COMPONENTS, COUNTS, 2 * COMPONENTS, 0)
    curves = errors.of_components(resamples, np.arange(40.0))
    expected = np.abs(COMPONENTS[0] - COMPONENTS[1]) / np.sqrt(2)
    for i, name in enumerate(component_names(2)):
        np.testing.assert_allclose(curves[name], expected[i], rtol=1e-3)
        np.testing.assert_allclose(curves[f"{name}_noise"], 2 * expected[i], rtol=1e-3)


def test_masked_values_have_no_say(monkeypatch):
    weight = np.ones_like(FLUX)
    weight[3, 7] = weight[8, 20:23] = 0
    spoilt = np.where(weight > 0, FLUX, 1e3)
    rows = np.repeat(np.arange(12), COUNTS[0])
    clean, masked = (errors.Source(X, weight, MEMBERS, 2) for X in (FLUX, spoilt))
    np.testing.assert_allclose(masked.prototypes(rows, CLASSES), clean.prototypes(rows, CLASSES))
    ours, theirs = (np.abs(each.eigenspectra(rows)) for each in (masked, clean))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.abs(errors.Source(spoilt, None, MEMBERS, 2).eigenspectra(rows)).max() > 0.9


def compared(share):
    """Two components, each on its own class, one of them so often in the resamples."""
    prototypes = median_prototypes(range(12))
    classes = assignment.classes_of(CLASSES, prototypes, FLUX, MEMBERS, "rms")
    table = errors.table(found(), None, CLASSES, "rms")
    table["same_assignment"] = [share if row["component"] == "component_1" else 1 for row in table]
    return assignment.compare("nmf", PURE, classes, table)


@pytest.mark.parametrize(("share", "doubtful"), [(1.0, False), (0.95, False), (0.94, True)])
def test_an_assignment_that_few_resamples_share_is_doubtful(share, doubtful):
    rows = {row["component"]: row for row in compared(share).assignments}
    assert rows["component_1"]["doubtful"] == doubtful
    assert not rows["component_2"]["doubtful"]
    said = assignment.warning(rows["component_1"], {"hot": "Hot", "cool": "Cool"})
    if doubtful:
        assert "but in 6% of the resamples it is not: do not read it as Hot" in said


def test_the_summary_has_no_nan():
    of = assignment.method_summary({"history": 1, "tol": 1}, compared(np.nan), None)
    assert of["total_distance_standard_error"] is None
    assert [row["same_assignment"] for row in of["assignment"]] == [None, 1.0]
    assert [row["noise_error"] for row in of["assignment"]] == [None, None]
