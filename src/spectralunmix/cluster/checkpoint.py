"""checkpoint: keeps the components of a fit whose cluster, or whose own process, is lost."""

import contextlib
import contextvars
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..files import replacing

EVERY = 60.0  # seconds between two writes


class ClusterLostError(RuntimeError):
    """The cluster is lost during a fit; the components of its last iteration are kept.

    Attributes
    ----------
    components : ndarray of shape (n, k, n_wave) or None
        The components of the last iteration, from each of the n starts that were running. A fit
        with ``init=error.components`` goes on from there. None where no iteration was made.

    Examples
    --------
    >>> import numpy as np
    >>> from spectralunmix import ClusterLostError
    >>> error = ClusterLostError("no worker answers", np.ones((1, 2, 5)))
    >>> error.components.shape
    (1, 2, 5)
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
    """The file of a checkpoint, and when it was last written."""

    def __init__(self, path: Path, every: float):
        self.path, self.every, self.at = path, every, -np.inf


_kept: contextvars.ContextVar[_Kept | None] = contextvars.ContextVar("checkpoint", default=None)


@contextlib.contextmanager
def checkpoint(path: str | Path, every: float = EVERY) -> Iterator[None]:
    """Write the components of a fit to a file from time to time, while it runs on a cluster.

    It is a context manager for fits of Dask arrays. If the cluster or this process is lost, a fit
    with ``init=numpy.load(path)`` goes on from the last components. The file is not removed at the
    end.

    Parameters
    ----------
    path : str or Path
        The file, in numpy's format .npy, with an array of shape (n, k, n_wave) for the n starts
        that are running. A file that is there is replaced in a single step.
    every : float, default 60.0
        Least number of seconds between two writes.

    Examples
    --------
    >>> from spectralunmix import checkpoint, smooth_nmf
    >>> with checkpoint("components.npy", every=300):
    ...     pass  # here smooth_nmf(spectra, 10) with a Dask array
    """
    token = _kept.set(_Kept(Path(path), every))
    try:
        yield
    finally:
        _kept.reset(token)


def keep(components: np.ndarray) -> None:
    """Write the components (n, k, n_wave) of the running fits, if `checkpoint` says so."""
    kept = _kept.get()
    if kept is None or time.monotonic() - kept.at < kept.every:
        return
    with replacing(kept.path) as part, part.open("wb") as file:
        np.save(file, components)
    kept.at = time.monotonic()
