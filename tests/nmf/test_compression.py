"""Compressed spectra: the products, and the fits, of the whole."""

import numpy as np
import pytest
import torch
from written_out import half_gradients, objective

from spectralunmix import SmoothNMF
from spectralunmix.nmf import compression, data
from spectralunmix.nmf.data import Spectra

RNG = np.random.default_rng(3)
X = RNG.random((60, 40)) - 0.1


def mixtures(n_spectra, n_wave, k, noise=0.02):
    rng = np.random.default_rng(0)
    centres = np.linspace(0.1 * n_wave, 0.9 * n_wave, k)[:, None]
    H = np.exp(-0.5 * ((np.arange(n_wave) - centres) / (0.08 * n_wave)) ** 2)
    clean = rng.gamma(0.3, size=(n_spectra, k)) @ H
    return clean + noise * rng.standard_normal(clean.shape)


@pytest.mark.parametrize("smoothness", [0.0, 30.0])
def test_compressed_iterations_end_at_the_optimum_of_the_whole(smoothness, monkeypatch):
    many = mixtures(700, 900, 3)
    calls = []
    monkeypatch.setattr(data, "sketch", lambda *of: calls.append(of) or compression.sketch(*of))
    model = SmoothNMF(3, smoothness=smoothness, init="random", random_state=1, tol=1e-8)
    W, H = model.fit_transform(many), model.components_
    assert calls
    assert (np.diff(model.objective_) < 0).all()
    for (gradient, product), factor in zip(
        half_gradients(many, W, H, smoothness), (W, H), strict=True
    ):
        assert gradient.min() > -1e-7 * np.abs(product).max()
        assert np.abs(gradient * factor).max() < 1e-7 * np.abs(product).max() * factor.max()
    # and the objective is the whole one's
    assert model.objective_[-1] == pytest.approx(objective(many, W, H, smoothness), rel=1e-10)


def test_several_compressed_fits_are_the_single_ones():
    """Of which each extends its own span."""
    many = mixtures(700, 900, 3)
    both = SmoothNMF(3, init="random", n_restarts=2, random_state=1, tol=1e-8).fit(many)
    starts = np.random.RandomState(1).random_sample((2, 3, 900)) * np.clip(many, 0, None).mean()
    alone = [SmoothNMF(3, init=H, tol=1e-8).fit(many).objective_[-1] for H in starts]
    np.testing.assert_allclose(both.restart_objectives_, alone, rtol=1e-10)


def test_progress_is_told_of_compressed_iterations_too(caplog):
    with caplog.at_level("INFO", logger="spectralunmix"):
        model = SmoothNMF(3, smoothness=0, verbose=2, tol=1e-8).fit(mixtures(700, 900, 3))
    told = [record.getMessage() for record in caplog.records]
    iterations = [int(line.split(":")[0].split()[1]) for line in told]
    assert iterations == list(range(2, model.n_iter_ + 1, 2))
    last = float(told[-1].split("objective ")[1].split(",")[0])
    assert last == pytest.approx(model.objective_[-1], rel=1e-5)


def check_products(view, Wt, H):
    """That they are those of X, of every fit."""
    found = view.times_weights(torch.from_numpy(Wt)), view.times_components(torch.from_numpy(H))
    np.testing.assert_allclose(found[0], Wt @ X, atol=1e-10)
    np.testing.assert_allclose(found[1], H @ X.T, atol=1e-10)
    grams = view.gram_weights(torch.from_numpy(Wt)), view.gram_components(torch.from_numpy(H))
    for gram, Z in zip(grams, (Wt, H), strict=True):
        np.testing.assert_allclose(gram[..., 0], Z @ Z.swapaxes(1, 2), rtol=1e-12)


def test_a_sketch_of_full_rank_is_the_spectra():
    full = compression.sketch(Spectra(torch.from_numpy(X)), 40)
    check_products(full, RNG.random((2, 2, 60)), RNG.random((2, 2, 40)))
    assert float(full.sum_of_squares) == pytest.approx(np.square(X).sum(), rel=1e-12)


def test_an_extended_sketch_has_the_true_products():
    """Of each fit with its own rows; orthonormal, and of some of the fits as well."""
    whole = Spectra(torch.from_numpy(X))
    Wt, H = RNG.random((2, 3, 60)), RNG.random((2, 3, 40))
    rough = compression.sketch(whole, 5)
    assert np.abs(rough.times_weights(torch.from_numpy(Wt)).numpy() - Wt @ X).max() > 0.01
    new = rough.outside(torch.from_numpy(Wt), torch.from_numpy(H @ X.T))
    view = rough.extended(new, whole.times_weights(new))
    check_products(view, Wt, H)
    gram = (view.Q @ view.Q.mT).numpy()
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(11), (2, 11, 11)), atol=1e-12)
    check_products(view.of_fits(torch.tensor([1])), Wt[1:], H[1:])
