"""Spectra whose components and noise are known: mixtures of smooth shapes, or of shapes with lines.

Wavelengths run from 0 to 1, and every component has maximum 1.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

N_WAVE = 112
CORRELATION = 2.0  # channels: standard deviation of the filter that correlates the noise
EDGES = 30  # channels beyond each end, so that the filtered noise is as large there as elsewhere


class Truth(NamedTuple):
    """What spectra are made of."""

    components: np.ndarray  # (k, n_wave)
    weights: np.ndarray  # (n_spectra, k)
    noise: float  # standard deviation

    @property
    def spectra(self) -> np.ndarray:
        """Without noise, (n_spectra, n_wave)."""
        return self.weights @ self.components


def smooth_components(rng: np.random.Generator, k: int, n_wave: int = N_WAVE) -> np.ndarray:
    """Two broad bumps each, at places drawn at random, on a low continuum."""
    wave = np.linspace(0, 1, n_wave)
    main = (np.arange(k) + rng.uniform(0.25, 0.75, k)) / k
    second = rng.uniform(0, 1, k)
    width = rng.uniform(0.06, 0.12, (2, k))
    shapes = np.exp(-0.5 * ((wave - main[:, None]) / width[0, :, None]) ** 2)
    shapes += 0.4 * np.exp(-0.5 * ((wave - second[:, None]) / width[1, :, None]) ** 2)
    return _of_maximum_one(shapes)


def components_with_lines(rng: np.random.Generator, k: int, n_wave: int = N_WAVE) -> np.ndarray:
    """Black bodies from hot to cool, each with narrow absorption lines of its own.

    Their continua overlap at all wavelengths, as those of stars do.
    """
    micron = np.linspace(0.35, 1.0, n_wave)
    kelvin = np.geomspace(3000, 20000, k)[::-1] * rng.uniform(0.9, 1.1, k)
    shapes = micron**-5 / np.expm1(14388 / (micron * kelvin[:, None]))
    shapes = _of_maximum_one(shapes)
    for shape in shapes:
        for _ in range(12):
            at, width = rng.uniform(0.35, 1.0), rng.uniform(0.004, 0.02)
            shape *= 1 - rng.uniform(0.2, 0.9) * np.exp(-0.5 * ((micron - at) / width) ** 2)
    return _of_maximum_one(shapes)


COMPONENTS = {"smooth": smooth_components, "lines": components_with_lines}


def mixtures(
    rng: np.random.Generator,
    components: np.ndarray,
    n_spectra: int,
    noise: float,
    concentration: float = 0.5,
) -> Truth:
    """Shares of the components from a Dirichlet distribution; noise as a share of the rms flux.

    With a concentration below 1 many spectra are nearly pure in one component or lack another.
    """
    weights = rng.dirichlet(np.full(len(components), concentration), n_spectra)
    flux = weights @ components
    return Truth(components, weights, noise * float(np.sqrt(np.square(flux).mean())))


def with_a_rare_component(truth: Truth, n_spectra: int) -> Truth:
    """The same, with the first component in so many of the spectra alone, as half of each."""
    weights = truth.weights.copy()
    weights[:, 0] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    weights[:n_spectra] /= 2
    weights[:n_spectra, 0] = 0.5
    return truth._replace(weights=weights)


def with_noise(rng: np.random.Generator, truth: Truth, correlated: bool = False) -> np.ndarray:
    """Spectra with Gaussian noise of the same standard deviation in every pixel."""
    n_spectra, n_wave = len(truth.weights), truth.components.shape[1]
    if not correlated:
        return truth.spectra + truth.noise * rng.standard_normal((n_spectra, n_wave))
    white = rng.standard_normal((n_spectra, n_wave + 2 * EDGES))
    filtered = gaussian_filter1d(white, CORRELATION, axis=1)
    kernel = gaussian_filter1d(np.eye(1, 2 * EDGES + 1, EDGES)[0], CORRELATION)
    filtered /= np.sqrt(np.square(kernel).sum())
    return truth.spectra + truth.noise * filtered[:, EDGES:-EDGES]


def _of_maximum_one(shapes: np.ndarray) -> np.ndarray:
    return shapes / shapes.max(axis=1, keepdims=True)
