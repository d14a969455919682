"""The schemes of De Souza et al. (2026), to compare with: the paper's and the R package's."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from .factorisation import smooth_nmf
from .nmf import solver, starts
from .nmf.data import Spectra, mean_weight

LEARNING_RATE = 0.02  # the package's default
EVERY = 10  # iterations between two entries of the history: each costs two passes over X


def published_history(
    X: np.ndarray,
    n_components: int,
    n_iter: int,
    *,
    smoothness: float = 0.0,
    init: str = "nndsvd",
    random_state: int | None = None,
    inverse_variance: np.ndarray | None = None,
) -> np.ndarray:
    """How the R package's scheme gets on, from the components that a fit with `init` begins with.

    Parameters
    ----------
    X : ndarray of shape (n_spectra, n_wave)
        The spectra.
    n_components : int
        Number of components, k.
    n_iter : int
        Iterations of the scheme.
    smoothness : float, default 0.0
        The factor of the roughness in the objective.
    init : {"nndsvd", "spa", "random"}, default "nndsvd"
        The components to begin with, as in `SmoothNMF`.
    random_state : int or None, default None
        Seed of init="random".
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X; None is 1 throughout.

    Returns
    -------
    ndarray of shape (3, n_entries)
        Iteration, objective and optimality: at the start, after every tenth iteration and after
        the last.
    """
    v = None if inverse_variance is None else torch.from_numpy(inverse_variance)
    spectra = Spectra(torch.from_numpy(X), v)
    W, H = starting_factors(spectra, n_components, init, random_state)
    history = [(0, *objective_and_optimality(spectra, W, H, smoothness))]

    def watch(i: int, W: np.ndarray, H: np.ndarray) -> None:
        if i % EVERY == 0 or i == n_iter:
            history.append((i, *objective_and_optimality(spectra, W, H, smoothness)))

    adam_clamped(X, W, H, n_iter, smoothness, inverse_variance, watch)
    return np.transpose(history)


def proximal_history(
    X: np.ndarray,
    n_components: int,
    n_iter: int,
    tol: float,
    *,
    smoothness: float = 0.0,
    init: str = "nndsvd",
    random_state: int | None = None,
    inverse_variance: np.ndarray | None = None,
) -> np.ndarray:
    """How the paper's scheme, alternating proximal gradient, gets on.

    Parameters
    ----------
    tol : float
        It ends at this optimality.
    X, n_components, n_iter, smoothness, init, random_state, inverse_variance
        As in `published_history`.

    Returns
    -------
    ndarray of shape (3, n_entries)
        Iteration, objective and optimality: at the start and after each iteration that was kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the history says as much
        fit = smooth_nmf(
            X,
            n_components,
            smoothness=smoothness,
            inverse_variance=inverse_variance,
            init=init,
            solver="proximal_gradient",
            max_iter=n_iter,
            tol=tol,
            random_state=random_state,
        )
    return np.stack([fit.iterations, fit.objective, fit.optimality])


def starting_factors(
    spectra: Spectra, n_components: int, init: str, random_state: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The components that a fit begins with and the best weights for them.

    Each component has maximum 1: a step of Adam is equally large in every factor.

    Returns
    -------
    W : ndarray of shape (n_spectra, k)
    H : ndarray of shape (k, n_wave)
    """
    rng = np.random.RandomState(random_state)
    H = starts.named(spectra, init, n_components, rng=rng)
    Wt = solver.weights_for(spectra, torch.zeros(1).double(), torch.from_numpy(H))[0].numpy()
    maximum = H[0].max(axis=1, keepdims=True)
    return (Wt * maximum).T, H[0] / maximum


def objective_and_optimality(
    spectra: Spectra, W: np.ndarray, H: np.ndarray, smoothness: float
) -> tuple[float, float]:
    """The objective and the optimality of W (n_spectra, k) and H (k, n_wave)."""
    Wt, components = (torch.tensor(Z.copy())[None] for Z in (W.T, H))
    Wt, length = solver.unit_length(spectra, Wt)
    components = components * length
    products = spectra.times_weights(Wt), spectra.gram_weights(Wt)
    lam = torch.tensor([float(smoothness)]).double()
    *_, F, optimality = solver.certified(spectra, lam, Wt, components, *products, True)
    return float(F), float(optimality)


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
    """Adam on both factors, clamped at zero after each step.

    It follows the gradient of our objective.  The package takes means in place of sums, which at
    smoothness 0 is the same to Adam: it is blind to the objective's scale.

    Parameters
    ----------
    X : ndarray of shape (n_spectra, n_wave)
        The spectra.
    W : ndarray of shape (n_spectra, k)
        The weights to begin with; they are not changed.
    H : ndarray of shape (k, n_wave)
        The components to begin with; they are not changed.
    n_iter : int
        Iterations.
    smoothness : float, default 0.0
        The factor of the roughness in the objective.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X; None is 1 throughout.
    watch : callable, default does nothing
        Called after every iteration with its number, W and H.
    learning_rate : float, default 0.02
        The learning rate of Adam.

    Returns
    -------
    W : ndarray of shape (n_spectra, k)
    H : ndarray of shape (k, n_wave)
    """
    data = torch.as_tensor(X)
    v = None if inverse_variance is None else torch.as_tensor(inverse_variance)
    of_spectra = mean_weight(data, v).to(data)
    weights = torch.tensor(W, requires_grad=True)
    components = torch.tensor(H, requires_grad=True)
    adam = torch.optim.Adam([weights, components], lr=learning_rate)
    for i in range(1, n_iter + 1):
        adam.zero_grad()
        loss = ((1.0 if v is None else v) * (data - weights @ components).square()).sum()
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
