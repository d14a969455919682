"""What fits from many starts say of a solution: minima told apart, and the way to the lowest."""

import logging

import numpy as np
import pytest

from mixtures import inverse_variance, mixtures
from spectralunmix import SmoothNMF, smooth_nmf, uniqueness

TOL = 1e-8
STARTS = 6


def settings(k, smoothness=0.0):
    return {
        "n_components": k,
        "smoothness": smoothness,
        "max_iter": 5000,
        "tol": TOL,
        "random_state": 0,
    }


def said_of(X, k, smoothness=0.0, v=None, **fit):
    """Table, numbers and models of fits from all starts, for the fit with those settings."""
    configured = smooth_nmf(
        X, k, smoothness=smoothness, tol=TOL, max_iter=5000, inverse_variance=v, **fit
    )
    models = uniqueness.from_all_starts(X, STARTS, inverse_variance=v, **settings(k, smoothness))
    squares = float(np.sum((1 if v is None else v) * X**2))
    table = uniqueness.table_of_starts(models, uniqueness.start_names(STARTS, 0), squares)
    of_fit = float(configured.objective[-1]), configured.components
    return table, uniqueness.numbers(table, models, *of_fit, squares), models


def several_minima(seed):
    """Few spectra of noise alone."""
    return np.random.default_rng(seed).random((8, 10))


def test_starts_are_called_as_the_configuration_does():
    assert uniqueness.start_names(2, 7) == ["nndsvd", "spa", "random 7", "random 8"]


@pytest.mark.parametrize("smoothness", [0.0, 3.0])
def test_a_start_s_fit_is_the_one_of_its_init_and_seed(smoothness):
    X, v = mixtures(), inverse_variance((30, 50))
    same = {"smoothness": smoothness, "inverse_variance": v, "tol": TOL, "max_iter": 5000}
    models = uniqueness.from_all_starts(X, 2, inverse_variance=v, **settings(3, smoothness))
    for name, model in zip(uniqueness.start_names(2, 0), models, strict=True):
        init, _, seed = name.partition(" ")
        alone = smooth_nmf(X, 3, init=init, random_state=int(seed or 0), **same)
        assert model.objective_[-1] == pytest.approx(alone.objective[-1], rel=1e-9)
        np.testing.assert_allclose(model.components_, alone.components, atol=1e-4)


def test_one_solution_is_said_to_be_one():
    table, said, _ = said_of(mixtures(), 3, smoothness=3.0)
    assert len(table) == said["n_near"] == 2 + STARTS
    assert max(table["above_lowest"]) < 1e-9
    assert said["spread"]["largest_distance"] < 1e-4
    assert said["statement"].startswith("All 8 starts end within 0.0001")
    assert "they are one solution" in said["statement"]
    assert "as low as the best" in said["statement"]
    assert "not that there is none" in said["statement"]
    assert uniqueness.line_of_log(said)[0] == logging.INFO


def test_a_better_fit_is_said_with_the_way_to_it():
    X = several_minima(2)
    table, said, _ = said_of(X, 3)
    objectives = np.asarray(table["objective"])
    above = objectives / objectives.min() - 1
    np.testing.assert_allclose(table["above_lowest"], above, atol=2e-10)
    assert list(table["near"]) == (above < 1e-4).tolist()
    assert not table["near"][0]  # NNDSVD's, which the configuration takes
    assert said["configured"]["above_lowest"] == pytest.approx(above[0], abs=1e-8)
    assert said["configured"]["largest_distance"] > 0.01
    assert "is NOT the best one: its objective is 1.8 % above" in said["statement"]
    level, line = uniqueness.line_of_log(said)
    assert level == logging.WARNING
    init, _, seed = said["lowest_start"].partition(" ")
    assert f"set smooth_nmf.init: {init}" in line
    better = smooth_nmf(
        X, 3, smoothness=0, init=init, random_state=int(seed or 0), tol=TOL, max_iter=5000
    )
    assert better.objective[-1] == pytest.approx(objectives.min(), rel=1e-9)
    _, then, _ = said_of(X, 3, init=init, random_state=int(seed or 0))
    assert "as low as the best" in then["statement"]


def test_minima_as_low_as_each_other_are_told_apart():
    """Of two spectra without a common channel, one component explains any mixture as well."""
    X = np.kron(np.eye(2), np.ones((1, 5)))
    table, said, models = said_of(X, 1)
    np.testing.assert_allclose(table["objective"], 5, rtol=1e-12)
    assert said["n_near"] == len(table)
    best = models[uniqueness.lowest(models, 10.0)].components_
    for row, model in zip(table, models, strict=True):
        rms = np.sqrt(np.mean((model.components_ - best) ** 2))
        assert row["largest_distance"] == pytest.approx(rms, abs=1e-9)
    assert said["spread"]["largest_distance"] == pytest.approx(max(table["largest_distance"]))
    assert said["spread"]["largest_distance"] > 0.1
    assert "do not tell these solutions apart" in said["statement"]
    assert "one solution" not in said["statement"]


def test_two_minima_within_the_tolerance_are_told_apart():
    table, said, _ = said_of(several_minima(9), 3)
    near = table[table["near"]]
    assert 1e-5 < max(near["above_lowest"]) < 1e-4
    assert "do not tell these solutions apart" in said["statement"]


def test_distances_are_of_matched_components_with_maximum_one():
    rng = np.random.default_rng(0)
    H = rng.random((3, 20))
    H /= H.max(axis=1, keepdims=True)
    moved = H.copy()
    moved[1, 4] = 0.5 * moved[1, 4]
    change = uniqueness.changes(H, 7 * moved[[2, 0, 1]])
    by_hand = [0, np.sqrt(np.mean((H[1] - moved[1] / moved[1].max()) ** 2)), 0]
    np.testing.assert_allclose(change, by_hand, atol=1e-15)


def fitted(objective, components, converged=True):
    """A model as a fit leaves it."""
    model = SmoothNMF(len(components))
    model.objective_, model.optimality_ = np.array([objective]), np.array([1e-9])
    model.components_, model.converged_, model.n_iter_ = np.array(components), converged, 3
    return model


def test_an_exact_fit_has_rounding_alone_above_the_lowest():
    models = [fitted(objective, [[1.0, 0.5]]) for objective in (3e-30, 1e-30, 0.0)]
    table = uniqueness.table_of_starts(models, list("abc"), squares=1.0)
    assert list(table["above_lowest"]) == [0, 0, 0]
    assert all(table["near"])


def test_starts_that_did_not_converge_and_one_alone_are_said():
    models = [fitted(1.0, [[1.0, 0.5]]), fitted(1.5, [[0.5, 1.0]], converged=False)]
    table = uniqueness.table_of_starts(models, ["nndsvd", "spa"], squares=10.0)
    said = uniqueness.numbers(table, models, 0.5, np.array([[1.0, 0.0]]), 10.0)
    for words in (
        "Of 2 starts one alone ends within 0.0001",
        "The other 1 end up to 50 % above it",
        "1 of the 2 fits did not converge",
        "50 % below the lowest",
    ):
        assert words in said["statement"]


def test_a_single_random_start_will_do():
    X = mixtures()
    assert len(uniqueness.from_all_starts(X, 1, **settings(2))) == 3
