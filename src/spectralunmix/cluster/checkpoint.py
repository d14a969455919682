"""checkpoint: what is left of a fit whose cluster, or whose own process, is lost."""

import contextlib
import contextvars
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..files import replacing

EVERY = 60.0  # seconds


class ClusterLostError(RuntimeError):
    """The cluster is gone, and the fit with it but for its last components.

    Attributes
    ----------
    components : ndarray of shape (n, k, n_wave) or None
        Those of the last iteration, of the fits that were running: `init` of a fit that goes on
        from there. None where there was no iteration.
    """

    def __init__(self, why: str, components: np.ndarray | None):
        super().__init__(why, components)
        self.components = components

    def __str__(self) -> str:
        way_out = "a fit with init=error.components goes on from it"
        if self.components is None:
            way_out = "no iteration was made yet, fit again"
        return f"the cluster is lost, {self.args[0]}: {way_out}"


class _Kept:
    """The file, and when it was written last."""

    def __init__(self, path: Path, every: float):
        self.path, self.every, self.at = path, every, -np.inf


_kept: contextvars.ContextVar[_Kept | None] = contextvars.ContextVar("checkpoint", default=None)


@contextlib.contextmanager
def checkpoint(path: str | Path, every: float = EVERY) -> Iterator[None]:
    """Keep the components of fits of Dask arrays in a file while these run on a cluster.

    Where the cluster, or this process, is lost, a fit goes on from there with
    ``init=numpy.load(path)``.  The file stays where it is.

    Parameters
    ----------
    path : str or Path
        An .npy file; one that is there is replaced, in one step.
    every : float, default 60.0
        Seconds between two states, at the least.

    Examples
    --------
    >>> from spectralunmix import checkpoint
    >>> with checkpoint("components.npy"):
    ...     pass  # smooth_nmf(spectra, 10), of a Dask array
    """
    token = _kept.set(_Kept(Path(path), every))
    try:
        yield
    finally:
        _kept.reset(token)


def keep(components: np.ndarray) -> None:
    """Write the components (n, k, n_wave) of the fits that run, where that is asked for and due."""
    of = _kept.get()
    if of is None or time.monotonic() - of.at < of.every:
        return
    with replacing(of.path) as part, part.open("wb") as file:
        np.save(file, components)
    of.at = time.monotonic()
