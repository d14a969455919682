"""bootstrap and jackknife, against fits one by one and against what theory says."""

import numpy as np
import pandas as pd
import pytest
import torch

from mixtures import inverse_variance
from spectralunmix import bootstrap, jackknife, smooth_nmf, unmix
from spectralunmix.comparison import in_order_of
from spectralunmix.uncertainty import drawn

RNG = np.random.default_rng(0)
WAVE = np.linspace(0, 1, 40)
PURE = np.stack([np.exp(-0.5 * ((WAVE - at) / 0.15) ** 2) for at in (0.2, 0.8)])
X = RNG.dirichlet([0.5, 0.5], 30) @ PURE + 0.02 * RNG.standard_normal((30, 40))
V = inverse_variance(X.shape)
FIT = smooth_nmf(X, 2, smoothness=1.0, tol=1e-8)
H = FIT.components
CLOSE = {"rtol": 0, "atol": 2e-5}  # of components whose maximum is 1, fitted to 1e-8
FINE = {"tol": 1e-8}


def fit(spectra, start, **settings):
    """The components of a fit of its own, each with maximum 1, in the order of the start."""
    result = smooth_nmf(spectra, len(start), init=start, tol=1e-8, **settings)
    return in_order_of(start, result.components)


@pytest.mark.parametrize("smoothness", [0.0, 3.0])
@pytest.mark.parametrize("v", [None, V], ids=["alike", "weighted"])
def test_a_resample_is_a_fit_of_its_spectra_repeated(v, smoothness):
    found = bootstrap(X, H, smoothness=smoothness, inverse_variance=v, n_resamples=4, **FINE)
    assert found.n_not_converged == 0
    assert found.counts.sum(axis=1).tolist() == [30] * 4
    assert found.counts.max() > 1
    for counts, components in zip(found.counts, found.components, strict=True):
        repeated = None if v is None else np.repeat(v, counts, axis=0)
        expected = fit(
            np.repeat(X, counts, axis=0), H, smoothness=smoothness, inverse_variance=repeated
        )
        np.testing.assert_allclose(components, expected, **CLOSE)


def test_resamples_differ_and_their_spread_is_the_standard_error():
    found = bootstrap(X, H, n_resamples=20)
    assert found.components.max(axis=2) == pytest.approx(1)
    assert len(np.unique(found.counts, axis=0)) == 20
    mean = found.components.sum(axis=0) / 20
    spread = np.sqrt(np.square(found.components - mean).sum(axis=0) / 19)
    np.testing.assert_allclose(found.standard_error, spread, rtol=1e-9, atol=1e-12)
    assert found.standard_error.max() > 1e-3


@pytest.mark.parametrize("resample", ["spectra", "noise"])
def test_parts_made_apart_are_those_of_one_call(resample):
    of = {"inverse_variance": V, "resample": resample, "random_state": 5, **FINE}
    whole = bootstrap(X, H, n_resamples=5, **of)
    first = bootstrap(X, H, n_resamples=2, **of)
    rest = bootstrap(X, H, n_resamples=3, first=2, **of)
    parts = np.concatenate([first.components, rest.components])
    np.testing.assert_allclose(parts, whole.components, **CLOSE)
    counts = np.concatenate([first.counts, rest.counts])
    np.testing.assert_array_equal(counts, whole.counts)
    other = bootstrap(X, H, n_resamples=2, **of | {"random_state": 6})
    assert np.abs(other.components - first.components).max() > 1e-4


def test_many_fits_at_once_are_those_few_at_a_time(monkeypatch):
    together = bootstrap(X, H, n_resamples=5, **FINE).components
    monkeypatch.setattr("spectralunmix.nmf.resamples.AT_ONCE", 2 * len(H) * sum(X.shape))
    np.testing.assert_allclose(bootstrap(X, H, n_resamples=5, **FINE).components, together, **CLOSE)


def test_a_resample_has_as_many_of_each_class():
    classes = np.array(["a"] * 3 + ["b"] * 20 + ["c"])
    counts = np.stack([drawn(classes, 0, number) for number in range(200)])
    for name in "abc":
        assert set(counts[:, classes == name].sum(axis=1)) == {(classes == name).sum()}
    assert (counts[:, -1] == 1).all()
    # each spectrum is as likely: 200 draws of three, a variance of 200 x 3 x 1/3 x 2/3
    assert counts[:, :3].sum(axis=0) == pytest.approx([200] * 3, abs=4 * np.sqrt(400 / 3))
    found = bootstrap(X[:24], H, classes=classes, n_resamples=3, random_state=0)
    np.testing.assert_array_equal(found.counts, counts[:3])


def test_noise_is_drawn_around_the_fit():
    of = {"smoothness": 1.0, "inverse_variance": V}
    found = bootstrap(X, H, resample="noise", n_resamples=2, random_state=3, first=4, **of, **FINE)
    model = unmix(X, H, **of) @ H
    assert (found.counts == 1).all()
    for number, components in enumerate(found.components, start=4):
        noise = np.random.default_rng([3, number, 1]).standard_normal(X.shape)
        noisy = model + np.where(V > 0, noise / np.sqrt(np.where(V > 0, V, 1)), np.nan)
        np.testing.assert_allclose(components, fit(noisy, H, **of), **CLOSE)


def test_standard_errors_of_noise_are_the_spread_of_fits_with_other_noise():
    rng = np.random.default_rng(1)
    truth = rng.dirichlet([0.5, 0.5], 30) @ PURE
    v = 1 / np.square(0.01 * rng.uniform(0.5, 2, truth.shape))
    of = {"smoothness": 1.0, "inverse_variance": v}
    noisy = [truth + rng.standard_normal(v.shape) / np.sqrt(v) for _ in range(61)]
    start = smooth_nmf(noisy[0], 2, **of).components
    spread = np.std([fit(spectra, start, **of) for spectra in noisy[1:]], axis=0, ddof=1)
    found = bootstrap(noisy[0], start, resample="noise", n_resamples=60, **of)
    ratio = np.linalg.norm(found.standard_error) / np.linalg.norm(spread)
    assert ratio == pytest.approx(1, abs=0.15)
    assert np.corrcoef(found.standard_error.ravel(), spread.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("resample", ["spectra", "noise"])
def test_of_one_component_the_standard_error_is_that_of_a_weighted_mean(resample):
    # h = sum_i w_i x_i / sum_i w_i^2 over its value at the peak p, where both have the noise's
    # variance sigma^2 / sum_i w_i^2: that of h_j / h_p is (1 + h_j^2) times it
    rng = np.random.default_rng(2)
    true = 0.3 + 0.3 * WAVE
    true[17] = 1
    w, sigma = rng.uniform(0.5, 2, 200), 0.02
    spectra = w[:, None] * true + sigma * rng.standard_normal((200, 40))
    v = np.full(spectra.shape, sigma**-2)
    of = {"smoothness": 0.0, "inverse_variance": v if resample == "noise" else None}
    found = bootstrap(
        spectra,
        true[None],
        resample=resample,
        n_resamples=300 if resample == "spectra" else 100,
        **of,
    )
    expected = sigma * np.sqrt((1 + true**2) / np.square(w).sum())
    ratio = np.delete(found.standard_error[0] / expected, 17)
    assert found.standard_error[0, 17] == 0
    assert ratio.mean() == pytest.approx(1, abs=0.06)
    assert ratio == pytest.approx(1, abs=0.35)


def test_components_stay_in_the_order_in_which_they_are_given():
    given = bootstrap(X, H, n_resamples=3, **FINE).components
    turned = bootstrap(X, H[::-1], n_resamples=3, **FINE).components
    np.testing.assert_allclose(turned[:, ::-1], given, **CLOSE)
    turned = jackknife(X, H[::-1], left_out=[2, 5], **FINE)
    np.testing.assert_allclose(turned[:, ::-1], jackknife(X, H, left_out=[2, 5], **FINE), **CLOSE)


def test_units_matter_nothing():
    expected = bootstrap(X, H, inverse_variance=V, n_resamples=3, **FINE).components
    got = bootstrap(X * 1e8, H * 1e5, inverse_variance=V * 1e-16, n_resamples=3, **FINE)
    np.testing.assert_allclose(got.components, expected, **CLOSE)


@pytest.mark.parametrize("resample", ["spectra", "noise"])
@pytest.mark.parametrize("kind", ["torch", "pandas", "memmap"])
def test_arrays_of_any_kind_give_the_same(kind, resample, tmp_path):
    def converted(values, name):
        if kind == "torch":
            return torch.from_numpy(values.copy())
        if kind == "pandas":
            return pd.DataFrame(values)
        np.save(tmp_path / f"{name}.npy", values)
        return np.load(tmp_path / f"{name}.npy", mmap_mode="r")

    of = {"resample": resample, "n_resamples": 2}
    expected = bootstrap(X, H, inverse_variance=V, **of).components
    given, v, start = (converted(A, name) for A, name in ((X, "x"), (V, "v"), (H, "h")))
    got = bootstrap(given, start, inverse_variance=v, **of).components
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)
    got = jackknife(given, start, inverse_variance=v, left_out=[1])
    expected = jackknife(X, H, inverse_variance=V, left_out=[1])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("resample", ["spectra", "noise"])
def test_values_without_weight_do_not_count(resample):
    of = {"inverse_variance": V, "resample": resample, "n_resamples": 2}
    masked = bootstrap(np.where(V > 0, X, np.nan), H, **of).components
    np.testing.assert_allclose(masked, bootstrap(X, H, **of).components, rtol=0, atol=1e-9)


@pytest.mark.parametrize("v", [None, V], ids=["alike", "weighted"])
def test_the_jackknife_is_a_fit_without_each_spectrum(v):
    found = jackknife(X, H, smoothness=1.0, inverse_variance=v, left_out=[0, 7, 29], **FINE)
    for row, components in zip((0, 7, 29), found, strict=True):
        rest = np.arange(30) != row
        expected = fit(X[rest], H, smoothness=1.0, inverse_variance=None if v is None else v[rest])
        np.testing.assert_allclose(components, expected, **CLOSE)


def test_the_jackknife_leaves_out_all_in_turn():
    found = jackknife(X, H, **FINE)
    assert found.shape == (30, 2, 40)
    np.testing.assert_allclose(found[[3, 8]], jackknife(X, H, left_out=[3, 8], **FINE), **CLOSE)
    assert np.abs(found - H).max(axis=(1, 2)).min() > 1e-5  # each of them matters


def test_fits_that_stop_early_are_counted():
    assert bootstrap(X, H, n_resamples=3, max_iter=1, tol=1e-12).n_not_converged == 3
    assert bootstrap(X, H, n_resamples=3).n_not_converged == 0


def test_standard_errors_do_not_hang_on_where_refits_end():
    rng = np.random.default_rng(3)
    spectra = rng.dirichlet([0.3, 0.3], 60) @ PURE + 0.005 * rng.standard_normal((60, 40))
    start = smooth_nmf(spectra, 2, smoothness=0).components
    of = {"smoothness": 0.0, "n_resamples": 40}
    ours = bootstrap(spectra, start, **of).standard_error
    exact = bootstrap(spectra, start, tol=1e-9, **of).standard_error
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(exact), rel=0.1)


WRONG = [
    ({"n_resamples": 0}, "n_resamples=0: a whole number of at least 1"),
    ({"first": -1}, "first=-1: a whole number of at least 0"),
    ({"random_state": -1}, "random_state=-1: a whole number of at least 0"),
    ({"resample": "pixels"}, "resample='pixels': 'spectra' or 'noise'"),
    ({"resample": "noise"}, "resample='noise' needs inverse_variance"),
    ({"classes": "ab"}, "classes: a class for each of the 30 spectra"),
    ({"classes": [np.nan] * 30}, "classes: a class for each of the 30 spectra"),
]
WRONG_OF_BOTH = [
    ({"max_iter": 0}, "max_iter=0: a whole number"),
    ({"tol": np.nan}, "tol=nan: a finite number"),
    ({"smoothness": -1}, "smoothness=-1: a finite number"),
    ({"components": H[:, 1:]}, "X has 40 channels, the components have 39"),
    ({"components": -H}, "components: values of at least 0"),
    ({"components": H * np.nan}, "components .*: finite values"),
    ({"components": np.tile(H, (16, 1))}, "n_components=32 is more than 30 spectra"),
    ({"inverse_variance": V[:2]}, "inverse_variance"),
    ({"inverse_variance": np.ma.masked_less(V, 1)}, "a masked array"),
    ({"X": np.full((30, 40), np.nan)}, "NaN"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG + WRONG_OF_BOTH)
def test_what_is_wrong_with_a_bootstrap_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(**{"X": X, "components": H, "n_resamples": 2} | wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *WRONG_OF_BOTH,
        ({"left_out": [30]}, r"left_out=\[30\]: numbers of spectra, 0 to 29"),
        ({"left_out": [-1]}, r"left_out=\[-1\]: numbers of spectra, 0 to 29"),
        ({"left_out": [0.5]}, r"left_out=\[0.5\]: numbers of spectra, 0 to 29"),
        ({"left_out": []}, r"left_out=\[\]: numbers of spectra, 0 to 29"),
        ({"X": X[:1], "components": H[:1]}, "at least two spectra"),
    ],
)
def test_what_is_wrong_with_a_jackknife_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        jackknife(**{"X": X, "components": H, "left_out": [0]} | wrong)


def test_refits_of_what_is_exact_end_at_once():
    """The start is as good as rounding allows: there is nothing to lower."""
    exact = np.random.default_rng(0).dirichlet([0.5, 0.5], 20) @ H
    found = smooth_nmf(exact, 2, smoothness=0, tol=1e-10)
    own = bootstrap(exact, found.components, smoothness=0, classes=range(20), n_resamples=3)
    assert own.n_not_converged == 0
    np.testing.assert_allclose(own.components, [found.components] * 3, atol=1e-6)


def test_a_component_that_no_spectrum_of_a_resample_has_is_none():
    spectra = np.vstack([np.repeat(H[:1], 9, axis=0), H[1:]])
    spectra = spectra * np.linspace(1, 2, 10)[:, None]
    found = bootstrap(spectra, H, smoothness=0, n_resamples=30)
    without = found.counts[:, 9] == 0
    assert 0 < without.sum() < 30
    assert (found.components[without, 1] == 0).all()
    assert (found.components[~without, 1].max(axis=1) == 1).all()
