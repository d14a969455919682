"""A pass over the spectra, as a fit makes it in every iteration: to measure what it costs."""

from collections.abc import Callable

import numpy as np
import torch

from .data import Spectra


def pass_over(
    X: np.ndarray,
    W: np.ndarray,
    H: np.ndarray,
    inverse_variance: np.ndarray | None = None,
) -> Callable[[], None]:
    """A function that makes one pass: all products that an iteration needs of X and its weights.

    What a fit prepares once is made here, and not in each call of that function.

    Parameters
    ----------
    X : ndarray of shape (n_spectra, n_wave)
        The spectra.
    W : ndarray of shape (n_spectra, k)
        Weights of the components.
    H : ndarray of shape (k, n_wave)
        Components.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None
        Weights of the pixels; None is 1 throughout.

    Returns
    -------
    callable
        Without arguments and result.
    """
    v = None if inverse_variance is None else torch.from_numpy(inverse_variance)
    spectra = Spectra(torch.from_numpy(X), v)
    Wt, components = (torch.tensor(Z.copy())[None] for Z in (W.T, H))

    def one_pass() -> None:
        spectra.times_weights(Wt)
        spectra.gram_weights(Wt)
        spectra.times_components(components)
        spectra.gram_components(components)

    return one_pass
