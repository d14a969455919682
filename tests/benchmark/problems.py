"""The problems: spectra, mixtures of them with noise, and some with weights."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

GAPS_OF_W1, MASKED_OF_W2 = 0.15, 0.2  # shares of the pixels without a value


class Problem(NamedTuple):
    """X (n_spectra, n_wave), its inverse variance or None, and k, made when their turn comes.

    seconds : times as many seconds a method are given as to the others
    repeated : whether rounds are, of what takes little time
    n_starts : so many common starts
    """

    title: str
    k: int
    make: Callable[[], tuple[np.ndarray, np.ndarray | None]]
    seconds: float = 1
    repeated: bool = False
    n_starts: int = 1


def mixtures(spectra, n_spectra, n_wave, noise, dtype=np.float64, clip=False):
    """Random mixtures of a few rows of spectra, each with maximum 1, with noise."""
    rng = np.random.default_rng(0)
    old, new = np.linspace(0, 1, spectra.shape[1]), np.linspace(0, 1, n_wave)
    rows = np.array([np.interp(new, old, row) for row in spectra]).astype(dtype)
    X = rng.gamma(0.1, size=(n_spectra, len(spectra))).astype(dtype) @ rows
    X /= X.max(axis=1, keepdims=True)
    for part in np.array_split(X, min(20, n_spectra)):
        part += dtype(noise) * rng.standard_normal(part.shape).astype(dtype)
        if clip:
            np.maximum(part, 0, out=part)
    return X


def observed(spectra, clip=False):
    """The spectra with noise, its inverse variance, and gaps of 10 to 100 channels without a value.

    The noise is that of counted photons and a constant background, at a signal to noise of 10 to
    100 where a spectrum is brightest.  Gaps have inverse variance 0, and X is 0 there.
    """
    rng = np.random.default_rng(1)
    brightest = spectra.max(axis=1, keepdims=True)
    signal_to_noise = 10 ** rng.uniform(1, 2, (len(spectra), 1))
    sigma = brightest / signal_to_noise * np.sqrt(0.1 + 0.9 * spectra.clip(min=0) / brightest)
    X = spectra + sigma * rng.standard_normal(spectra.shape)
    V = sigma**-2
    for row in V:
        while (row == 0).mean() < GAPS_OF_W1:
            first = rng.integers(len(row))
            row[first : first + rng.integers(10, 100)] = 0
    X[V == 0] = 0
    return (np.maximum(X, 0) if clip else X), V


def masked(spectra, n_spectra):
    """Mixtures of which a share of the pixels, at random, has weight 0, the others 1."""
    X = mixtures(spectra, n_spectra, spectra.shape[1], 0.02)
    V = (np.random.default_rng(2).random(X.shape) >= MASKED_OF_W2).astype(float)
    X[V == 0] = 0
    return X, V


def problems(spectra):
    """By name; (a) are the spectra themselves, w1 these with noise and gaps."""
    n, n_wave = spectra.shape
    single = np.float32

    def large(n_spectra, n_wave, noise, dtype=np.float64, clip=False):
        return lambda: (mixtures(spectra, n_spectra, n_wave, noise, dtype, clip), None)

    b = large(3727, n_wave, 0.01, clip=True)
    gaps = f"{n} x {n_wave}, k = 4, inverse variance,\n{GAPS_OF_W1:.0%} in gaps"
    return {
        "a": Problem(f"(a) {n} x {n_wave}, k = 4", 4, lambda: (spectra, None), 0.25, True),
        "b": Problem(f"(b) 3727 x {n_wave}, k = 4", 4, b, repeated=True),
        "B": Problem(f"(b) 3727 x {n_wave}, k = 10", 10, b, 0.5, n_starts=5),
        "c": Problem("(c) 5476 x 4563, k = 6, float32", 6, large(5476, 4563, 0.05, single)),
        "d": Problem("(d) 40000 x 3681, k = 6, float32", 6, large(40000, 3681, 0.05, single), 2.5),
        "w1": Problem(f"(w1) {gaps}", 4, lambda: observed(spectra), repeated=True),
        "w1+": Problem(
            f"(w1+) the same, X < 0 set to 0\n{gaps.splitlines()[1]}",
            *(4, lambda: observed(spectra, clip=True)),
            repeated=True,
        ),
        "w2": Problem(
            f"(w2) 2000 x {n_wave}, k = 5,\n{MASKED_OF_W2:.0%} masked at random",
            *(5, lambda: masked(spectra, 2000), 2.5),
        ),
    }
