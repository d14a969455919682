"""The weights with which given components fit spectra best, against other ways to find them."""

import doctest

import numpy as np
import pytest
import scipy.optimize
import torch

import spectralunmix
from mixtures import inverse_variance, mixtures
from spectralunmix import SmoothNMF, unmix

X = mixtures(noise=0.1)
V = inverse_variance(X.shape)
RNG = np.random.default_rng(1)
COMPONENTS = RNG.random((4, 50)) + mixtures(4, 50, seed=2)


def by_nnls(X, H, v, smoothness):
    """Spectrum by spectrum, the penalty as further rows of the least-squares problem."""
    roughness = np.square(np.diff(H)).sum(axis=1)
    weights = []
    for x, w in zip(X, v, strict=True):
        mean = w[w > 0].mean()
        matrix = np.vstack([(np.sqrt(w) * H).T, np.diag(np.sqrt(smoothness * mean * roughness))])
        right = np.concatenate([np.sqrt(w) * x, np.zeros(len(H))])
        weights.append(scipy.optimize.nnls(matrix, right)[0])
    return np.array(weights)


@pytest.mark.parametrize("smoothness", [0.0, 3.0])
@pytest.mark.parametrize("v", [None, V])
def test_as_non_negative_least_squares(v, smoothness):
    found = unmix(X, COMPONENTS, smoothness=smoothness, inverse_variance=v)
    expected = by_nnls(X, COMPONENTS, np.ones_like(X) if v is None else v, smoothness)
    assert found.shape == (30, 4)
    assert (found == 0).any()  # the bound is met
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("smoothness", [0.0, 3.0])
@pytest.mark.parametrize("v", [None, V])
def test_as_the_transform_of_the_fit_that_has_these_components(v, smoothness):
    model = SmoothNMF(3, smoothness=smoothness).fit(X, inverse_variance=v)
    new, new_v = mixtures(7, seed=3), None if v is None else V[:7]
    found = unmix(new, model.components_, smoothness=smoothness, inverse_variance=new_v)
    np.testing.assert_array_equal(found, model.transform(new, inverse_variance=new_v))


def test_one_spectrum_is_as_among_others():
    whole = unmix(X, COMPONENTS, smoothness=3.0, inverse_variance=V)
    alone = unmix(X[4:5], COMPONENTS, smoothness=3.0, inverse_variance=V[4:5])
    np.testing.assert_allclose(alone, whole[4:5], rtol=1e-9, atol=1e-12)


def test_what_has_no_weight_does_not_count():
    spoilt, v = X.copy(), np.ones_like(X)
    spoilt[2, 5], v[2, 5] = np.nan, 0
    found = unmix(spoilt, COMPONENTS, inverse_variance=v)
    assert np.array_equal(unmix(X, COMPONENTS, inverse_variance=v), found)
    assert not np.allclose(unmix(X, COMPONENTS)[2], found[2])


def test_in_any_unit():
    expected = unmix(X, COMPONENTS, inverse_variance=V)
    for of_X, of_v, of_components in ((1e-90, 1.0, 1.0), (1.0, 1e90, 1e200), (1e60, 1.0, 1e-200)):
        found = unmix(of_X * X, of_components * COMPONENTS, inverse_variance=of_v * V)
        np.testing.assert_allclose(found * of_components / of_X, expected, rtol=1e-9, atol=1e-12)
    mixed = np.array([[1e-200], [1.0], [1e150], [1e-3]])
    found = unmix(X, mixed * COMPONENTS, inverse_variance=V) * mixed.T
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_any_kind_of_array(tmp_path):
    expected = unmix(X, COMPONENTS)
    tensor = unmix(torch.from_numpy(X), torch.from_numpy(COMPONENTS))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), expected)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(unmix(mapped, COMPONENTS), expected)
    np.testing.assert_array_equal(unmix(X.tolist(), COMPONENTS.tolist()), expected)


def test_a_component_without_flux_and_a_spectrum_without_flux_have_no_weights():
    H, spectra = COMPONENTS.copy(), X.copy()
    H[1], spectra[3] = 0, 0
    found = unmix(spectra, H)
    assert (found[:, 1] == 0).all()
    assert (found[3] == 0).all()


def test_components_may_be_negative():
    """As eigenspectra: the weights alone are bounded."""
    H = np.stack([COMPONENTS[0], -COMPONENTS[1]])
    found = unmix(X, H)
    np.testing.assert_allclose(found, by_nnls(X, H, np.ones_like(X), 0.0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"components": COMPONENTS[:, 1:]}, "X has 50 channels, the components have 49"),
        ({"components": COMPONENTS[0]}, r"components \(50,\): finite values of shape"),
        ({"components": np.nan * COMPONENTS}, r"components \(4, 50\): finite values of shape"),
        ({"X": np.nan * X}, "X has NaN or infinite values"),
        ({"X": torch.from_numpy(X[0])}, "X has 1 dimensions"),
        ({"X": X[0]}, "Expected 2D array"),
        ({"X": np.ma.masked_less(X, 0.1)}, "masked array: .* inverse_variance of 0"),
        ({"inverse_variance": -V}, "inverse_variance has negative"),
        ({"inverse_variance": V[:3]}, r"inverse_variance is \(3, 50\), X is \(30, 50\)"),
        ({"smoothness": -1}, "smoothness=-1: a finite number"),
        ({"smoothness": 1e10}, "at most 1e[+]09 is needed"),
    ],
)
def test_what_is_wrong_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        unmix(**{"X": X, "components": COMPONENTS, **changed})


def test_the_example_of_its_description_runs():
    assert "unmix" in spectralunmix.__all__
    examples = doctest.DocTestFinder().find(unmix, "unmix", globs={})
    results = [doctest.DocTestRunner().run(example) for example in examples]
    assert [(done.failed, done.attempted > 0) for done in results] == [(0, True)]


@pytest.mark.parametrize(("k", "width"), [(12, 12), (20, 6)])
def test_components_much_alike(k, width):
    """Condition numbers of millions: the misfit is as small as scipy's."""
    centres = np.linspace(0, 59, k)[:, None]
    H = np.exp(-0.5 * ((np.arange(60) - centres) / width) ** 2)
    rng = np.random.default_rng(0)
    spectra = rng.random((5, k)) @ H + 1e-3 * rng.standard_normal((5, 60))
    least = [scipy.optimize.nnls(H.T, x)[1] for x in spectra]
    found = np.linalg.norm(spectra - unmix(spectra, H) @ H, axis=1)
    np.testing.assert_allclose(found, least, rtol=1e-4)
