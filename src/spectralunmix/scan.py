"""Fits of one number of components: several random starts, each at several smoothnesses."""

import numpy as np
import torch

from spectralunmix import comparison
from spectralunmix.nmf import starts
from spectralunmix.nmf.spectra import Spectra


def starting_components(flux, inverse_variance, n_components, seeds):
    """(n, k, n_wave): random, each of its own seed, so that a start is the same in any job."""
    v = None if inverse_variance is None else torch.from_numpy(inverse_variance)
    spectra = Spectra(torch.from_numpy(flux), v)
    generators = map(np.random.RandomState, seeds)
    return np.concatenate(
        [starts.named(spectra, "random", n_components, rng=rng) for rng in generators]
    )


def numbers(model, start, sum_of_squares, prototypes, metric):
    """A row of the table."""
    distance, _ = comparison.distances(model.components_, prototypes, metric)
    return {
        "n_components": model.n_components,
        "smoothness": model.smoothness,
        "start": start,
        "objective": float(model.objective_[-1]),
        "explained": 1 - model.reconstruction_err_**2 / sum_of_squares,
        "distance": float(distance[comparison.assign(distance)].mean()),
        # its further digits are rounding, which may depend on the fits beside it
        "optimality": float(f"{model.optimality_[-1]:.1e}"),
        "n_empty": int((model.components_.max(axis=1) == 0).sum()),
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
    }
