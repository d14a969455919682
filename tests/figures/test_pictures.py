"""What the report and the scan draw and tabulate, against what it is by definition."""

import numpy as np
import pandas as pd
import pytest
import torch

from spectralunmix import SmoothNMF, comparison
from spectralunmix import scan as scan_fits
from spectralunmix.figures import compare, convergence, reconstructions, scan, smoothness, weights
from spectralunmix.nmf.published import LEARNING_RATE, adam_clamped
from spectralunmix.nmf.spectra import Spectra

RNG = np.random.default_rng(0)
X = RNG.random((20, 3)) @ RNG.random((3, 40)) + 0.05 * RNG.random((20, 40))
V = RNG.random((20, 40))


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def objective(W, H, smoothness, v):
    roughness = np.square(np.diff(H)).sum(axis=1)
    contributed = np.square(W).T @ v.mean(axis=1)  # no weight is 0
    return (v * np.square(X - W @ H)).sum() + smoothness * contributed @ roughness


@pytest.mark.parametrize("v", [None, V])
def test_a_step_of_the_published_scheme(v, rng):
    """Adam's first step is the learning rate against the gradient's sign, then the clamp."""
    W, H = 0.005 + 0.02 * rng.random((20, 3)), rng.random((3, 40))
    weights = np.ones_like(X) if v is None else v
    after = adam_clamped(X, W, H, 1, 2.0, v)
    for factor, new in zip((W, H), after, strict=True):
        for index in [(0, 0), (2, 1), (1, 2)]:
            step = np.zeros_like(factor)
            step[index] = 1e-6
            either = [
                objective(*(f + sign * step if f is factor else f for f in (W, H)), 2.0, weights)
                for sign in (1, -1)
            ]
            expected = factor[index] - LEARNING_RATE * np.sign(either[0] - either[1])
            assert np.isclose(new[index], max(expected, 0), atol=1e-6)
    assert (W > 0).all()  # the caller's own is not changed


@pytest.mark.parametrize("v", [None, V])
def test_the_state_that_is_drawn(v, rng):
    W, H = rng.random((20, 3)), rng.random((3, 40))
    spectra = Spectra(torch.from_numpy(X), None if v is None else torch.from_numpy(v))
    F, optimality = convergence.state(spectra, W, H, 2.0)
    assert np.isclose(F, objective(W, H, 2.0, np.ones_like(X) if v is None else v))
    model = SmoothNMF(3, smoothness=2.0, tol=1e-8)
    W = model.fit_transform(X, inverse_variance=v)
    length = (np.square(W).T @ spectra.mean_weight) ** 0.5  # as in the fit
    F, at_the_end = convergence.state(spectra, W / length, model.components_ * length[:, None], 2.0)
    assert np.isclose(F, model.objective_[-1])
    assert at_the_end < 2e-8 < 1e-2 < optimality


@pytest.mark.parametrize("init", ["nndsvd", "spa", "random"])
def test_both_schemes_begin_with_the_same_components(init):
    spectra = Spectra(torch.from_numpy(X))
    W, H = convergence.start(spectra, 3, init, 5)
    model = SmoothNMF(3, smoothness=0, init=init, random_state=5, max_iter=1, tol=0).fit(X)
    assert np.isclose(model.objective_[0], objective(W, H, 0, np.ones_like(X)))


def test_the_history_says_after_which_iteration():
    model = SmoothNMF(3, smoothness=1.0).fit(X)
    for name in ("objective", "optimality"):
        iterations = getattr(model, f"{name}_iterations_")
        assert len(iterations) == len(getattr(model, f"{name}_"))
        assert iterations[0] == 0
        assert (np.diff(iterations) > 0).all()
        assert iterations[-1] <= model.n_iter_
    assert model.optimality_iterations_[-1] == model.n_iter_
    early = SmoothNMF(3, smoothness=1.0, tol=0, max_iter=5).fit(X)
    at = list(model.objective_iterations_).index(5)
    assert np.isclose(early.objective_[-1], model.objective_[at], rtol=1e-12)


def test_the_typical_spectrum_has_the_median_residual():
    flux = np.ones((7, 4))
    reconstruction = flux * (1 - np.array([0.5, 0.1, 0.3, 0.2, 0.4, 0.9, 0.8]))[:, None]
    rows, residual = reconstructions.typical(flux, reconstruction, list("aaaaabb"))
    assert rows == {"a": 2, "b": 6}
    np.testing.assert_allclose(residual, [0.5, 0.1, 0.3, 0.2, 0.4, 0.9, 0.8])


def test_components_are_drawn_in_the_reference_s_order(rng):
    reference = rng.random((4, 30))
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(smoothness.in_order_of(reference, reference[order]), reference)


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


def test_a_start_of_the_scan_is_the_same_in_any_job():
    together = scan_fits.starting_components(X, None, 3, [4, 5, 6])
    apart = scan_fits.starting_components(X, None, 3, [6])
    np.testing.assert_array_equal(together[2:], apart)
    assert not np.allclose(together[0], together[1])


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
    library = {"title": "Stars", "medium": "air", "wavelength": wavelength}
    library |= {"classes": ["hot"], "doubtful": set()}
    libraries = {name: {**library, "components": rng.random((1, 50))} for name in ("a", "b")}
    matched = [("a", "b", 1, "hot", 1, "hot", 0.1), ("b", "a", 1, "hot", 1, "hot", 0.1)]
    labels = {"hot": "Hot stars"}
    fig = compare.draw(libraries, matched, np.full((2, 2), 0.9), labels, wavelength, "rms")
    captions = [text.get_text() for text in fig.legends[0].get_texts()]
    assert captions == ["a: Stars", "b: Stars"]
