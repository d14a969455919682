"""Which spectra are held out of a fit, and how well its components describe them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .nmf import solver
from .nmf.data import Spectra

SEGMENTS = 10  # of the channels: every second segment gives the weights, the others the errors


def folds(
    n: int, n_folds: int, classes: Sequence[Any] | None, rng: np.random.Generator
) -> np.ndarray:
    """The fold of each of n spectra, (n,); every fold has as equal a share of each class as can be.

    ValueError : there is not one class for each spectrum
    """
    order = rng.permutation(n)
    if classes is not None:
        if np.shape(classes) != (n,):
            raise ValueError(f"classes: a class for each of the {n} spectra is needed")
        _, which = np.unique(np.asarray(classes), return_inverse=True)
        order = order[np.argsort(which[order], kind="stable")]
    fold = np.empty(n, dtype=int)
    fold[order] = np.arange(n) % n_folds
    return fold


def held_out_errors(spectra: Spectra, held: np.ndarray, H: np.ndarray) -> np.ndarray:
    """`CrossValidation.errors` of those spectra with components H (n, k, n_wave): (n, n_held)."""
    block = next(spectra.rows(held).blocks())
    V = torch.ones_like(block.X) if block.V is None else block.V
    n_wave = H.shape[2]
    even = torch.from_numpy(np.arange(n_wave) * min(SEGMENTS, n_wave) // n_wave % 2 == 0)
    squares, n_pixels = np.zeros((len(H), len(V))), np.zeros(len(V))
    for known in (even, ~even):
        seen = Spectra(block.X[:, known], None if block.V is None else block.V[:, known])
        enough = ((V[:, known] > 0).sum(dim=1) >= H.shape[1]).numpy()
        n_pixels += enough * (V[:, ~known] > 0).sum(dim=1).numpy()
        for left, components in zip(squares, torch.from_numpy(H), strict=True):
            none = torch.zeros(1, dtype=torch.float64)
            Wt = solver.weights_for(seen, none, components[None, :, known])[0]
            residual = block.X[:, ~known] - Wt.mT @ components[:, ~known]
            left += enough * (V[:, ~known] * residual.square()).sum(dim=1).numpy()
    return squares / np.where(n_pixels > 0, n_pixels, np.nan)
