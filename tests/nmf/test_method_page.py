"""What the page on the method says of the paper's spectra."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from written_out import REFERENCE

from spectralunmix import published, smooth_nmf
from spectralunmix.nmf import solver as of_the_fit
from spectralunmix.nmf.data import Spectra

SAID = (  # words of the page, whose numbers the tests below count
    "87, 136, 102 and 75",
    "17, 21, 21 and 14",
    "plain alternating minimisation takes 513",
    "Nesterov's rule alone it takes 63",
    "described here takes 14",
    "14 iterations instead of 63",
    "10 % less rough after 1000",
    "6 % after 4000",
    "makes them 87 % less rough",
)
PAGE = " ".join((Path(__file__).parents[2] / "docs/method.md").read_text().split())
SMOOTHNESS = (0, 1, 10, 100)


@pytest.mark.parametrize("words", SAID)
def test_the_page_says_so(words):
    """Whether the paper's spectra are there or not."""
    assert words in PAGE


@pytest.mark.parametrize(
    ("solver", "words"),
    [("proximal_gradient", "87, 136, 102 and 75"), ("anticipation", "17, 21, 21 and 14")],
)
def test_iterations_to_the_default_optimality(paper_spectra, solver, words):
    assert words in SAID
    X = paper_spectra
    counted = [smooth_nmf(X, 4, smoothness=s, solver=solver).n_iter for s in SMOOTHNESS]
    said = [int(word) for word in words.replace(" and", ",").split(", ")]
    # another processor's rounding may take an iteration more or less
    assert counted == pytest.approx(said, rel=0.1)


NESTEROV = {"LEAST_DAMPING": 1.0}
PLAIN = NESTEROV | {"LEAST_MOMENTUM": 0.0, "NESTEROV": np.inf}


@pytest.mark.parametrize(
    ("words", "constants", "n_iter"),
    [
        ("described here takes 14", {}, 14),
        ("Nesterov's rule alone it takes 63", NESTEROV, 63),
        ("plain alternating minimisation takes 513", PLAIN, 513),
        ("14 iterations instead of 63", NESTEROV, 63),
    ],
)
def test_iterations_to_a_millionth_above_the_minimum(
    words, constants, n_iter, paper_spectra, monkeypatch
):
    assert words in SAID
    for name, value in constants.items():
        monkeypatch.setattr(of_the_fit, name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = smooth_nmf(paper_spectra, 4, smoothness=0, tol=1e-9, max_iter=700)
    first = np.argmax(result.objective <= REFERENCE[0] * (1 + 1e-6))
    assert result.iterations[first] == pytest.approx(n_iter, abs=max(1, n_iter // 50))


def roughness(H):
    return np.square(np.diff(H / H.max(axis=1, keepdims=True))).sum()


def published_scheme(X, W, H, smoothness, n_iter):
    """The components of the R package's scheme: means, Adam, and a clamp after each step."""
    X, W, H = torch.tensor(X), torch.tensor(W, requires_grad=True), torch.tensor(H).requires_grad_()
    adam = torch.optim.Adam([W, H], lr=published.LEARNING_RATE)
    for _ in range(n_iter):
        adam.zero_grad()
        loss = (X - W @ H).square().mean() + smoothness * H.diff(dim=1).square().mean()
        loss.backward()
        adam.step()
        with torch.no_grad():
            W.clamp_(min=0)
            H.clamp_(min=0)
    return H.detach().numpy()


@pytest.mark.parametrize(
    ("words", "n_iter", "less"),
    [
        ("10 % less rough after 1000", 1000, 0.10),
        pytest.param("6 % after 4000", 4000, 0.06, marks=pytest.mark.slow),
    ],
)
def test_the_published_penalty_does_less_the_longer_it_runs(words, n_iter, less, paper_spectra):
    assert words in SAID
    start = published.starting_factors(Spectra(torch.from_numpy(paper_spectra)), 4, "nndsvd", None)
    plain, smooth = (published_scheme(paper_spectra, *start, s, n_iter) for s in (0.0, 0.01))
    assert 1 - roughness(smooth) / roughness(plain) == pytest.approx(less, abs=0.01)


def test_the_smoothness_of_the_figure_does_more(paper_spectra):
    assert "makes them 87 % less rough" in SAID
    plain, smooth = (smooth_nmf(paper_spectra, 4, smoothness=s).components for s in (0, 10))
    assert 1 - roughness(smooth) / roughness(plain) == pytest.approx(0.87, abs=0.005)
