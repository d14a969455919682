"""Starting components for a fit: NNDSVD, successive projection, random."""

from collections.abc import Iterable

import numpy as np
import torch

from .communication import COMPONENTS
from .data import Spectra

NAMES = "nndsvd", "spa", "random"
Rng = np.random.Generator | np.random.RandomState


def starting_components(
    X: np.ndarray,
    n_components: int,
    init: str = "nndsvd",
    *,
    n_starts: int = 1,
    random_state: int | None = None,
    inverse_variance: np.ndarray | None = None,
) -> np.ndarray:
    """The components that fits with `init` begin with.

    Parameters
    ----------
    X : ndarray of shape (n_spectra, n_wave), float64 or float32
        The spectra.
    n_components : int
        Number of components, k.
    init : {"nndsvd", "spa", "random"}, default "nndsvd"
        As in `SmoothNMF`.
    n_starts : int, default 1
        How many starts of init="random" to make; there is one of each of the others.
    random_state : int or None, default None
        Seed of init="random".
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X; values where it is 0 do not count.

    Returns
    -------
    ndarray of shape (n_starts, k, n_wave)
    """
    rng = np.random.RandomState(random_state)
    return named(_spectra(X, inverse_variance), init, n_components, n_starts, rng)


def random_starts(
    X: np.ndarray,
    n_components: int,
    seeds: Iterable[int],
    *,
    inverse_variance: np.ndarray | None = None,
) -> np.ndarray:
    """Random components to begin fits with, one start for each seed.

    A start depends on its own seed alone, and so is the same whatever other starts are made
    beside it.

    Parameters
    ----------
    X : ndarray of shape (n_spectra, n_wave), float64 or float32
        The spectra.
    n_components : int
        Number of components, k.
    seeds : iterable of int
        Seeds of the starts.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value of X; values where it is 0 do not count.

    Returns
    -------
    ndarray of shape (n_seeds, k, n_wave)
    """
    spectra = _spectra(X, inverse_variance)
    generators = [np.random.RandomState(seed) for seed in seeds]
    return np.concatenate([named(spectra, "random", n_components, rng=rng) for rng in generators])


def _spectra(X: np.ndarray, inverse_variance: np.ndarray | None) -> Spectra:
    data = torch.from_numpy(X)
    v = None if inverse_variance is None else torch.from_numpy(inverse_variance)
    return Spectra(data, v, dtype=data.dtype)


def named(spectra: Spectra, init: str, k: int, n: int = 1, rng: Rng | None = None) -> np.ndarray:
    """(n, k, n_wave): n "random" starts, or the one of "nndsvd" or "spa"."""
    spectra = spectra.unweighted()
    if init == "random":
        H = random(spectra, k, n, rng or np.random.RandomState())
    else:
        H = {"nndsvd": nndsvd, "spa": spa}[init](spectra, k)[None]
    return spectra.comm.broadcast(torch.from_numpy(H), of=COMPONENTS)[0].numpy()


def nndsvd(spectra: Spectra, k: int) -> np.ndarray:
    """(k, n_wave): the non-negative double SVD of Boutsidis & Gallopoulos (2008).

    Exact zeros become the mean of X clipped at zero ("NNDSVDa"), so that no entry starts stuck.
    The singular vectors are those of a sketch of X, near the exact ones.
    """
    sketch = spectra.sketch(k)
    Q, QX = (Z[0].cpu().numpy() for Z in (sketch.Q, sketch.QX))
    factors = (torch.from_numpy(Z) for Z in np.linalg.svd(QX, full_matrices=False))
    # of one process: the signs of others may differ
    U, S, Vt = (Z.numpy() for Z in spectra.comm.broadcast(*factors))
    H = np.empty((k, spectra.shape[1]))
    u = (U.T @ Q)[:k]
    squares = torch.from_numpy(np.stack([np.maximum(sign * u, 0) ** 2 for sign in (1, -1)]))
    lengths = spectra.comm.total(squares.sum(dim=2)).sqrt().numpy()  # (2, k)
    for i, (s, v) in enumerate(zip(S[:k], Vt[:k], strict=True)):
        sides = [(lengths[side, i], np.maximum(sign * v, 0)) for side, sign in ((0, 1), (1, -1))]
        length, v = max(sides, key=lambda side: side[0] * np.linalg.norm(side[1]))
        H[i] = np.sqrt(s * length / np.linalg.norm(v)) * v
    return np.where(H > 0, H, _mean_positive(spectra))


def spa(spectra: Spectra, k: int) -> np.ndarray:
    """(k, n_wave): the k most extreme spectra, by successive projection.

    Araujo et al. (2001), Gillis & Vavasis (2014): take the longest row of the spectra
    divided by their flux, project all rows off it, repeat.  Exact where the data hold
    each component pure.
    """
    flux = _along(spectra, np.ones(spectra.shape[1]))
    brightest = float(spectra.comm.largest(torch.tensor(flux.max())))
    bright = flux > spectra.eps**2 * brightest  # the others' squares might be no numbers
    scale = np.where(bright, 1 / np.where(bright, flux, 1), 0)
    length = spectra.squared_lengths().cpu().numpy() * scale**2  # of what is left of each row
    picked, directions = [], np.empty((0, spectra.shape[1]))
    for _ in range(k):
        spectrum, row = _longest(spectra, length, scale)
        picked.append(spectrum)
        for _ in range(2):  # the second time for what rounding left
            row = row - (row @ directions.T) @ directions
        directions = np.vstack([directions, row / np.linalg.norm(row)])
        length = length - (_along(spectra, directions[-1]) * scale) ** 2
    return np.maximum(np.stack(picked), 0)


def _longest(
    spectra: Spectra, length: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The spectrum of which most is left, and that times its scale, (n_wave,), of all processes."""
    i, comm = int(length.argmax()), spectra.comm
    owner = int(comm.all_gather(torch.tensor(length[i])).argmax())
    row = spectra.row(i).cpu() * float(comm.rank == owner)
    spectrum, scaled = comm.all_reduce(row, row * scale[i])
    return spectrum.numpy(), scaled.numpy()


def _along(spectra: Spectra, direction: np.ndarray) -> np.ndarray:
    """The product of each spectrum with a direction (n_wave,), (n_spectra,)."""
    H = torch.from_numpy(direction[None, None]).to(spectra.device)
    return spectra.times_components(H)[0, 0].cpu().numpy()


def random(spectra: Spectra, k: int, n: int, rng: Rng) -> np.ndarray:
    """(n, k, n_wave): uniform in [0, 1) times the mean of X clipped at zero."""
    return rng.random((n, k, spectra.shape[1])) * _mean_positive(spectra)


def _mean_positive(spectra: Spectra) -> float:
    total = sum(float(X.clamp(min=0).sum()) for _, X, *_ in spectra.pieces())
    total = float(spectra.comm.total(torch.tensor(total, dtype=torch.float64)))
    return total / (spectra.n_in_all * spectra.shape[1])
