"""The published scheme, to compare with: what the R package of De Souza et al. (2026) does."""

from collections.abc import Callable

import numpy as np
import torch

from spectralunmix.nmf.spectra import mean_weight

LEARNING_RATE = 0.02  # the package's default


def adam_clamped(
    X: np.ndarray,
    W: np.ndarray,
    H: np.ndarray,
    n_iter: int,
    smoothness: float = 0.0,
    inverse_variance: np.ndarray | None = None,
    watch: Callable[[int, np.ndarray, np.ndarray], None] = lambda i, W, H: None,
    learning_rate: float = LEARNING_RATE,
) -> tuple[np.ndarray, np.ndarray]:
    """Adam on both factors, clamped at zero after each step; W (n, k) and H (k, n_wave).

    It follows the gradient of our objective.  The package takes means in place of sums, which at
    smoothness 0 is the same to Adam: it is blind to the objective's scale.
    watch : called after every iteration with its number, W and H
    """
    data = torch.as_tensor(X)
    v = None if inverse_variance is None else torch.as_tensor(inverse_variance)
    of_spectra = torch.from_numpy(mean_weight(data, v)).to(data)
    weights, components = (torch.tensor(factor, requires_grad=True) for factor in (W, H))
    adam = torch.optim.Adam([weights, components], lr=learning_rate)
    for i in range(1, n_iter + 1):
        adam.zero_grad()
        squares = (data - weights @ components).square()
        loss = (squares if v is None else v * squares).sum()
        if smoothness:
            roughness = components.diff(dim=1).square().sum(dim=1)
            loss = loss + smoothness * (of_spectra @ weights.square()) @ roughness
        loss.backward()
        adam.step()
        with torch.no_grad():
            weights.clamp_(min=0)
            components.clamp_(min=0)
        watch(i, weights.detach().numpy(), components.detach().numpy())
    return weights.detach().numpy(), components.detach().numpy()
