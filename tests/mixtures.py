"""Spectra made of known components, and weights of their pixels."""

import numpy as np


def mixtures(n_spectra=30, n_wave=50, k=3, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    grid = np.arange(n_wave)
    centres = np.linspace(8, n_wave - 8, k)
    H = np.exp(-0.5 * ((grid - centres[:, None]) / 4) ** 2)
    X = rng.gamma(1.2, size=(n_spectra, k)) @ H
    return np.clip(X + noise * rng.standard_normal(X.shape), 0, None)


def inverse_variance(shape, seed=5):
    """Weights over three decades, a fifth of the pixels masked."""
    rng = np.random.default_rng(seed)
    return 10 ** rng.uniform(-1, 2, shape) * (rng.random(shape) > 0.2)


def spectra(n_spectra=300, n_wave=120, k=3, seed=0):
    """Smooth mixtures with noise, and weights of which a tenth are 0, NaN where they are."""
    rng = np.random.default_rng(seed)
    centres = np.linspace(0.1, 0.9, k)[:, None]
    H = np.exp(-0.5 * ((np.linspace(0, 1, n_wave) - centres) / 0.1) ** 2)
    X = rng.gamma(0.3, size=(n_spectra, k)) @ H + 0.02 * rng.standard_normal((n_spectra, n_wave))
    V = 1 + rng.random(X.shape)
    V[rng.random(X.shape) < 0.1] = 0
    return X, V
