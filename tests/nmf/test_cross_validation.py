"""Errors of spectra that a fit has not seen, against fits and weights made one by one."""

import numpy as np
import pytest
import scipy.optimize

from mixtures import inverse_variance
from spectralunmix import smooth_nmf
from spectralunmix.cross_validation import cross_validate, folds

RNG = np.random.default_rng(0)
WAVE = np.linspace(0, 1, 60)
PURE = np.stack([np.exp(-0.5 * ((WAVE - at) / 0.15) ** 2) for at in (0.1, 0.5, 0.9)])
CLASSES = np.repeat(["a", "b", "c"], 10)
W = RNG.dirichlet(np.ones(3), 30)
NOISY = W @ PURE + 0.01 * RNG.standard_normal((30, 60))
EVEN = np.arange(60) // 6 % 2 == 0


def test_folds_have_their_share_of_each_class():
    fold = folds(30, 5, CLASSES, np.random.default_rng(1))
    for name in "abc":
        assert np.bincount(fold[name == CLASSES]).tolist() == [2] * 5


@pytest.mark.parametrize("v", [None, inverse_variance(NOISY.shape)])
def test_errors_are_those_of_fits_one_by_one(v):
    found = cross_validate(
        NOISY, [2], [0.0, 3.0], inverse_variance=v, n_folds=3, tol=1e-9, init="spa"
    )
    assert not found.n_not_converged.any()
    fold = folds(30, 3, None, np.random.default_rng(0))
    weights = np.ones_like(NOISY) if v is None else v
    for i, smoothness in enumerate(found.smoothness):
        for each in range(3):
            seen = fold != each
            of = {"smoothness": smoothness, "tol": 1e-9, "init": "spa"}
            fit = smooth_nmf(NOISY[seen], 2, inverse_variance=v if v is None else v[seen], **of)
            for row in np.flatnonzero(~seen):
                x, root, squares = NOISY[row], np.sqrt(weights[row]), 0.0
                for known in (EVEN, ~EVEN):
                    A = (fit.components * root).T[known]
                    w = scipy.optimize.nnls(A, (x * root)[known])[0]
                    squares += np.square(root * (x - w @ fit.components))[~known].sum()
                expected = squares / (weights[row] > 0).sum()
                assert found.errors[0, i, row] == pytest.approx(expected, rel=1e-5)


def test_the_rule_finds_the_number_of_components():
    found = cross_validate(NOISY, [1, 2, 3, 4, 5], [0.0, 1.0], classes=CLASSES)
    k, _ = found.chosen()
    assert found.n_components[k] == 3
    assert 1e-4 < found.mean[2].min() < 1.7e-4  # the square of the noise, and that of the weights
    assert found.errors.shape == (5, 2, 30)


def test_a_fold_needs_a_spectrum():
    with pytest.raises(ValueError, match="n_folds=31: 2 to the number of spectra, 30"):
        cross_validate(NOISY, [2], [0.0], n_folds=31)
