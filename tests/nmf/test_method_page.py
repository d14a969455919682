"""What the page on the method says of the paper's spectra."""

from pathlib import Path

import numpy as np
import pytest

from spectralunmix import smooth_nmf

PAGE = (Path(__file__).parents[2] / "docs/method.md").read_text()
SMOOTHNESS = (0, 1, 10, 100)


@pytest.mark.parametrize(
    ("solver", "words"),
    [("proximal_gradient", "87, 136, 102 and 75"), ("anticipation", "17, 21, 21 and 14")],
)
def test_iterations_to_the_default_optimality(paper_spectra, solver, words):
    assert words in " ".join(PAGE.split())
    X = paper_spectra
    counted = [smooth_nmf(X, 4, smoothness=s, solver=solver).n_iter for s in SMOOTHNESS]
    said = [int(word) for word in words.replace(" and", ",").split(", ")]
    # another processor's rounding may take an iteration more or less
    assert counted == pytest.approx(said, rel=0.1)


def test_iterations_to_a_millionth_above_the_minimum(paper_spectra):
    assert "described here takes 14" in " ".join(PAGE.split())
    result = smooth_nmf(paper_spectra, 4, smoothness=0, tol=1e-9)
    least = result.objective.min()
    first = np.argmax(result.objective <= least * (1 + 1e-6))
    assert result.iterations[first] == pytest.approx(14, abs=1)
