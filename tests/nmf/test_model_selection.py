"""Errors of spectra that a fit has not seen, against fits and weights made one by one."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import torch

from mixtures import inverse_variance
from spectralunmix import cross_validate, smooth_nmf
from spectralunmix.comparison import mean_distance
from spectralunmix.held_out import folds
from spectralunmix.model_selection import CrossValidation

RNG = np.random.default_rng(0)
WAVE = np.linspace(0, 1, 60)
PURE = np.stack([np.exp(-0.5 * ((WAVE - at) / 0.15) ** 2) for at in (0.1, 0.5, 0.9)])
CLASSES = np.repeat(["a", "b", "c"], 10)
SIGMA = 0.01
NOISY = RNG.dirichlet(np.ones(3), 30) @ PURE + SIGMA * RNG.standard_normal((30, 60))
V = inverse_variance(NOISY.shape)
FAST = {"n_folds": 3, "n_repeats": 1, "n_starts": 0}
TENTHS = np.arange(60) // 6


def by_hand(errors, n_components=None, smoothness=None):
    """A cross-validation of these errors, (n_k, n_smoothness, n_spectra), and of nothing else."""
    errors = np.asarray(errors, dtype=float)
    n_k, n_smoothness, _ = errors.shape
    nothing = np.full((n_k, n_smoothness), np.nan)
    k = np.arange(1, n_k + 1) if n_components is None else np.asarray(n_components)
    lam = np.arange(n_smoothness) if smoothness is None else np.asarray(smoothness)
    return CrossValidation(k, lam, errors, nothing, nothing, nothing, nothing, nothing)


def error_one_by_one(x, v, components):
    """The error of one spectrum, by scipy."""
    squares = 0.0
    for known in (TENTHS % 2 == 0, TENTHS % 2 == 1):
        root = np.sqrt(v)
        w = scipy.optimize.nnls((components * root).T[known], (x * root)[known])[0]
        squares += (v * np.square(x - w @ components))[~known].sum()
    return squares / (v > 0).sum()


@pytest.mark.parametrize("v", [None, V], ids=["alike", "weighted"])
def test_errors_are_those_of_fits_one_by_one(v):
    settings = {"tol": 1e-8, "init": "spa"}
    found = cross_validate(
        NOISY, [2], [0.0, 3.0], inverse_variance=v, **FAST | {"n_repeats": 2}, **settings
    )
    assert not found.n_not_converged.any()
    rng = np.random.default_rng(0)
    divisions = [folds(30, 3, None, rng) for _ in range(2)]
    weights = np.ones_like(NOISY) if v is None else v
    expected = np.zeros((2, 30))
    for i, smoothness in enumerate(found.smoothness):
        for fold in divisions:
            for each in range(3):
                seen = fold != each
                fit = smooth_nmf(
                    NOISY[seen],
                    2,
                    inverse_variance=None if v is None else v[seen],
                    smoothness=smoothness,
                    **settings,
                )
                for row in np.flatnonzero(~seen):
                    of_row = error_one_by_one(NOISY[row], weights[row], fit.components)
                    expected[i, row] += of_row / 2
    np.testing.assert_allclose(found.errors[0], expected, rtol=1e-4)


def test_folds_have_their_share_of_each_class():
    fold = folds(30, 5, CLASSES, np.random.default_rng(1))
    for name in "abc":
        assert np.bincount(fold[name == CLASSES]).tolist() == [2] * 5


def test_folds_of_classes_of_any_size_differ_by_one_at_most():
    classes = np.repeat([3, 1, 2], [7, 11, 4])
    fold = folds(22, 4, classes, np.random.default_rng(1))
    assert np.ptp(np.bincount(fold, minlength=4)) <= 1
    for name in (1, 2, 3):
        assert np.ptp(np.bincount(fold[classes == name], minlength=4)) <= 1


def test_each_repeat_is_another_division():
    once = [cross_validate(NOISY, [2], [0.0], **FAST, random_state=seed).errors for seed in (0, 1)]
    assert not np.allclose(*once, rtol=1e-6)
    twice = cross_validate(NOISY, [2], [0.0], **FAST | {"n_repeats": 2}).errors
    # the first division is that of one repeat: what is left is of the second
    assert not np.allclose(2 * twice - once[0], once[0], rtol=1e-6)


def test_with_the_noise_known_reduced_chi2_is_about_one_where_the_components_are_right():
    v = np.full(NOISY.shape, SIGMA**-2)
    v[:, ::7] = 0
    found = cross_validate(NOISY, [2, 3], [0.0], inverse_variance=v, **FAST)
    fit = smooth_nmf(NOISY, 3, smoothness=0, inverse_variance=v)
    left = v * np.square(NOISY - fit.weights @ fit.components)
    free = (v > 0).sum() - 3 * (30 + 51 - 3)  # nine channels have no value
    assert found.reduced_chi2[1, 0] == pytest.approx(left.sum() / free, rel=1e-5)
    assert found.reduced_chi2[1, 0] == pytest.approx(1, abs=4 * np.sqrt(2 / free))
    assert found.reduced_chi2[0, 0] > 10


def test_without_degrees_of_freedom_there_is_no_reduced_chi2():
    v = np.zeros(NOISY.shape)
    for i in range(30):  # 90 pixels, and 89 parameters of one component, 2 (30 + 60 - 2) of two
        v[i, [i, i + 30, (i + 15) % 60]] = 1
    found = cross_validate(NOISY, [1, 2], [1.0], inverse_variance=v, **FAST)
    assert np.isfinite(found.reduced_chi2).tolist() == [[True], [False]]
    assert np.isnan(cross_validate(NOISY, [2], [1.0], **FAST).reduced_chi2).all()


def test_the_rule_finds_the_number_of_components():
    found = cross_validate(NOISY, [1, 2, 3, 4], [0.0, 1.0], classes=CLASSES, **FAST)
    k, _ = found.chosen()
    assert found.n_components[k] == 3
    assert 1 < found.mean[2].min() / SIGMA**2 < 1.7  # of the noise, and that of the weights
    assert found.errors.shape == (4, 2, 30)


def test_distances_of_subsamples_and_starts_are_those_of_fits():
    found = cross_validate(NOISY, [2], [1.0], **FAST | {"n_starts": 2})
    whole = smooth_nmf(NOISY, 2).components
    fold = folds(30, 3, None, np.random.default_rng(0))
    of_folds = [smooth_nmf(NOISY[fold != each], 2).components for each in range(3)]
    expected = np.mean([mean_distance(own, whole, "rms") for own in of_folds])
    assert found.subsample_distance[0, 0] == pytest.approx(expected, rel=1e-3)
    random = [
        smooth_nmf(NOISY, 2, init="random", random_state=seed).restart_objectives[0]
        for seed in (0, 1)
    ]
    objectives = np.array([smooth_nmf(NOISY, 2).restart_objectives[0], *random])
    low = objectives <= objectives.min() * (1 + 1e-4)
    assert found.same_minimum[0, 0] == (low.sum() - 1) / 2
    assert found.start_distance[0, 0] < 1e-3
    without = cross_validate(NOISY, [2], [1.0], **FAST)
    assert np.isnan([without.same_minimum, without.start_distance]).all()


def test_fits_that_stop_early_are_counted():
    found = cross_validate(NOISY, [2], [0.0, 1.0], **FAST | {"n_starts": 2}, max_iter=1)
    assert found.n_not_converged.tolist() == [[6, 6]]  # 3 folds, all spectra, 2 other starts


BEST = np.array([1.0, 5, 9, 13])


@pytest.mark.parametrize(
    ("more", "of_two", "of_one"),
    [
        # mean 0.2, standard error 1.2 sqrt(4 / 3) / 2 = 0.69
        ([-1, 1.4, -1, 1.4], 1, 1),
        # mean 1, standard error 0.58
        ([0, 2, 0, 2], 1, 2),
        # mean 1.5, standard error 0.29
        ([1, 2, 1, 2], 2, 2),
        # within the standard error of either mean, 2.6; not of the difference, 0
        ([0.1, 0.1, 0.1, 0.1], 2, 2),
    ],
)
def test_the_fewest_components_within_standard_errors_of_the_difference(more, of_two, of_one):
    found = by_hand([[BEST + 20], [BEST + more], [BEST], [BEST + 0.5]])
    assert found.least() == (2, 0)
    assert found.chosen() == (of_two, 0)
    assert found.chosen(1.0) == (of_one, 0)


@pytest.mark.parametrize(("n_gaining", "k"), [(1, 0), (3, 0), (5, 1), (40, 1)])
def test_a_few_spectra_do_not_decide(n_gaining, k):
    gain = np.where(np.arange(80) < n_gaining, 1000.0, 0)
    assert by_hand([[1 + gain], [np.ones(80)]]).chosen() == (k, 0)


def test_each_number_of_components_stands_with_its_best_smoothness():
    unsure = np.array([-1, 1.4, -1, 1.4])
    found = by_hand([[BEST + 9, BEST + unsure, BEST + 3 + unsure], [BEST, BEST + 1, BEST + 2]])
    assert found.least() == (1, 0)
    assert found.chosen() == (0, 1)


def test_the_largest_smoothness_within_a_standard_error():
    unsure = np.array([-1, 1.4, -1, 1.4])
    found = by_hand([[BEST + 0.1, BEST, BEST + 2, BEST + unsure, BEST + 1]])
    assert found.least() == (0, 1)
    assert found.chosen() == (0, 3)


def test_means_and_standard_errors_pass_over_spectra_without_an_error():
    found = by_hand([[[1, 2, 4, np.nan]], [[1, 2, 3, np.nan]]])
    assert found.mean.tolist() == [[7 / 3], [2]]
    assert found.standard_error[1, 0] == pytest.approx(1 / np.sqrt(3))
    assert found.chosen() == (0, 0)  # 1/3 +- 1/3


def test_parts_of_several_calls_are_joined_by_their_numbers_of_components():
    whole = cross_validate(NOISY, [1, 2, 3], [0.0, 1.0], **FAST)
    parts = [cross_validate(NOISY, [k], [0.0, 1.0], **FAST) for k in (3, 1, 2)]
    joined = CrossValidation.joined(parts)
    for field in dataclasses.fields(CrossValidation):
        np.testing.assert_allclose(
            getattr(joined, field.name), getattr(whole, field.name), rtol=1e-9, err_msg=field.name
        )


@pytest.mark.parametrize("kind", ["torch", "pandas", "memmap", "list"])
def test_arrays_of_any_kind_give_the_same(kind, tmp_path):
    def converted(values, name):
        if kind == "torch":
            return torch.from_numpy(values)
        if kind == "pandas":
            return pd.DataFrame(values, index=np.arange(30)[::-1])
        if kind == "list":
            return values.tolist()
        np.save(tmp_path / f"{name}.npy", values)
        return np.load(tmp_path / f"{name}.npy", mmap_mode="r")

    expected = cross_validate(NOISY, [2], [1.0], inverse_variance=V, **FAST).errors
    v = converted(V, "v") if kind != "list" else V
    got = cross_validate(converted(NOISY, "x"), [2], [1.0], inverse_variance=v, **FAST)
    np.testing.assert_allclose(got.errors, expected, rtol=1e-9)


def test_values_without_weight_do_not_count():
    X = np.where(V > 0, NOISY, np.nan)
    expected = cross_validate(NOISY, [2], [1.0], inverse_variance=V, **FAST)
    got = cross_validate(X, [2], [1.0], inverse_variance=V, **FAST)
    np.testing.assert_allclose(got.errors, expected.errors, rtol=1e-9)
    np.testing.assert_allclose(got.reduced_chi2, expected.reduced_chi2, rtol=1e-9)


def test_a_spectrum_that_is_all_masked_has_no_error():
    v = V.copy()
    v[4] = 0
    found = cross_validate(NOISY, [1, 2], [0.0, 1.0], inverse_variance=v, **FAST)
    assert np.isnan(found.errors).any(axis=(0, 1)).nonzero()[0].tolist() == [4]
    assert np.isnan(found.errors[:, :, 4]).all()
    assert found.chosen()[0] == 1


def test_units_matter_nothing():
    ours = cross_validate(NOISY, [1, 2], [1.0], inverse_variance=V, **FAST, tol=1e-8)
    theirs = cross_validate(
        NOISY * 1e8, [1, 2], [1.0], inverse_variance=V * 1e-16, **FAST, tol=1e-8
    )
    np.testing.assert_allclose(theirs.errors, ours.errors, rtol=1e-4)
    np.testing.assert_allclose(theirs.reduced_chi2, ours.reduced_chi2, rtol=1e-4)
    ours = cross_validate(NOISY, [1, 2], [1.0], **FAST, tol=1e-8)
    theirs = cross_validate(NOISY * 1e8, [1, 2], [1.0], **FAST, tol=1e-8)
    np.testing.assert_allclose(theirs.errors, ours.errors * 1e16, rtol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_folds": 31}, "n_folds=31: 2 to the number of spectra, 30"),
        ({"n_folds": 1}, "n_folds=1: 2 to the number of spectra, 30"),
        ({"n_folds": 2.5}, "n_folds=2.5: a whole number"),
        ({"n_repeats": 0}, "n_repeats=0: a whole number"),
        ({"n_starts": -1}, "n_starts=-1: a whole number of at least 0"),
        ({"n_starts": 1.5}, "n_starts=1.5: a whole number of at least 0"),
        ({"random_state": -1}, "random_state=-1: a whole number of at least 0"),
        ({"max_iter": 0}, "max_iter=0: a whole number"),
        ({"tol": -1.0}, "tol=-1.0: a finite number"),
        ({"init": "svd"}, "init='svd': 'nndsvd', 'spa' or 'random'"),
        ({"classes": "ab"}, "classes: a class for each of the 30 spectra"),
        ({"classes": np.zeros((30, 2))}, "classes: a class for each of the 30 spectra"),
        ({"n_components": [2, 1]}, r"n_components=\[2, 1\]: one value or more, rising"),
        ({"n_components": []}, r"n_components=\[\]: one value or more, rising"),
        ({"n_components": [1.5]}, "n_components=1.5: a whole number"),
        ({"n_components": [21]}, "n_components=21 is more than the 20 spectra that are left"),
        ({"smoothness": [1.0, 1.0]}, r"smoothness=\[1.0, 1.0\]: one value or more, rising"),
        ({"smoothness": [-1.0]}, "smoothness=-1.0: a finite number"),
        ({"inverse_variance": np.ma.masked_less(V, 1)}, "a masked array"),
        ({"inverse_variance": -V}, "inverse_variance"),
        ({"inverse_variance": V[:5]}, "inverse_variance"),
        ({"X": NOISY[0]}, "X has 1 dimensions|2D array"),
        ({"X": np.full((30, 60), np.nan)}, "NaN"),
    ],
)
def test_what_is_wrong_is_named(wrong, message):
    given = {"X": NOISY, "n_components": [2], "smoothness": [1.0], **FAST} | wrong
    with pytest.raises(ValueError, match=message):
        cross_validate(**given)


def test_a_half_without_pixels_to_find_weights_from_does_not_count():
    v = np.full(NOISY.shape, SIGMA**-2)
    even = np.arange(60) // 6 % 2 == 0
    v[4, even], v[7] = 0, 0
    found = cross_validate(NOISY, [2], [0.0], inverse_variance=v, **FAST)
    assert np.isnan(found.errors[0, 0, [4, 7]]).all()
    # two components from two pixels: the odd tenths count
    v[4, np.flatnonzero(even)[:2]] = SIGMA**-2
    errors = cross_validate(NOISY, [2], [0.0], inverse_variance=v, **FAST).errors[0, 0]
    assert np.isfinite(errors).tolist() == [i != 7 for i in range(30)]


def test_few_channels_are_divided_all_the_same():
    found = cross_validate(NOISY[:, ::20], [1], [0.0], **FAST)
    assert np.isfinite(found.errors).all()
    with pytest.raises(ValueError, match="one channel"):
        cross_validate(NOISY[:, :1], [1], [0.0], **FAST)


def test_an_exact_fit_is_the_same_minimum_from_every_start():
    exact = np.random.default_rng(2).dirichlet(np.full(3, 0.3), 30) @ PURE
    found = cross_validate(exact, [3], [0.0], **FAST | {"n_starts": 3, "tol": 1e-9})
    assert found.same_minimum[0, 0] == 1


def test_random_starts_can_be_configured():
    found = cross_validate(NOISY, [2], [1.0], init="random", random_state=4, **FAST)
    other = cross_validate(NOISY, [2], [1.0], init="nndsvd", random_state=4, **FAST)
    np.testing.assert_allclose(found.mean, other.mean, rtol=1e-3)
    assert (found.errors != other.errors).any()
