"""Fits in which spectra count so often each, in batches that memory has room for."""

from collections.abc import Iterator

import numpy as np
import torch

from . import solver
from .data import Spectra

AT_ONCE = 2**22  # numbers in the factors of fits side by side; a fit has some 20 such arrays


def counted_fits(
    spectra: Spectra,
    counts: np.ndarray,
    H: np.ndarray,
    smoothness: np.ndarray,
    max_iter: int,
    tol: float,
    relative: bool = False,
) -> Iterator[solver.Fit]:
    """Minimise F of resamples of the spectra, as `solver.solve` does.

    Parameters
    ----------
    spectra : Spectra
        The spectra that are resampled.
    counts : ndarray of shape (n_fits, n_spectra)
        How often each fit has each spectrum.
    H : ndarray of shape (n_fits, k, n_wave)
        Components to start from.
    smoothness : ndarray of shape (n_fits,)
    max_iter, tol, relative
        As `solver.solve` takes them.

    Yields
    ------
    solver.Fit
        In their order; no more are kept than run side by side.
    """
    _, k, n_wave = H.shape
    matrices = k if spectra.pixel_weights else 1  # then each channel and spectrum has its own
    n_spectra = -(-spectra.n_in_all // spectra.comm.n_ranks)  # the same in all processes
    at_once = max(1, AT_ONCE // (k * matrices * (n_wave + n_spectra)))
    for first in range(0, len(H), at_once):
        some = slice(first, first + at_once)
        counted = spectra.counted(torch.from_numpy(counts[some].astype(float)))
        start, lam = torch.from_numpy(H[some].copy()), smoothness[some].astype(float)
        yield from solver.solve(counted, start, lam, max_iter, tol, relative=relative)
