"""Dask arrays of spectra: checks, reading in chunks, and computations on chunks."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import is_dask
from ..nmf.checks import check_not_masked, check_two_dimensions

if TYPE_CHECKING:
    import dask.array as da


def checked(X: "da.Array", inverse_variance: Any) -> "tuple[da.Array, da.Array | None]":
    """X and its inverse variance, in equal chunks of whole spectra, of float64 or float32.

    ValueError : X is not two-dimensional, chunks have an unknown size or are masked or sparse, or
        the shapes differ
    """
    import dask.array as da

    check_not_masked(None, inverse_variance)
    check_two_dimensions(X)
    X = _of_floats("X", X).rechunk({1: -1})
    if inverse_variance is None:
        return X, None
    if not hasattr(inverse_variance, "shape"):
        inverse_variance = np.asarray(inverse_variance)
    if tuple(inverse_variance.shape) != tuple(X.shape):
        raise ValueError(f"inverse_variance is {tuple(inverse_variance.shape)}, X is {X.shape}")
    if not is_dask(inverse_variance):
        inverse_variance = da.from_array(np.asarray(inverse_variance), chunks=X.chunks)
    return X, _of_floats("inverse_variance", inverse_variance).rechunk(X.chunks)


def _of_floats(name: str, Z: "da.Array") -> "da.Array":
    if np.isnan(Z.shape).any():
        raise ValueError(f"{name} has chunks of unknown size: call its compute_chunk_sizes() first")
    if type(Z._meta) is not np.ndarray:
        kind = type(Z._meta).__name__
        raise ValueError(f"{name} has chunks of {kind}: arrays of numpy without a mask are needed")
    if Z.dtype in (np.float64, np.float32):
        return Z
    if Z.dtype.kind not in "fiub":
        raise ValueError(f"{name} is of {Z.dtype}: numbers are needed")
    return Z.astype(np.float64)


class Chunked:
    """A Dask array that is read chunk by chunk in this process, as arrays on disk are.

    Parameters
    ----------
    array : dask.array.Array
        In chunks of whole spectra.
    """

    read_in_blocks = True

    def __init__(self, array: "da.Array"):
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, 2
        self.ends = np.cumsum(array.chunks[0])
        self._at, self._chunk = -1, np.empty((0, 0))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, stop, _ = rows.indices(len(self))
        parts = []
        while first < stop:
            at = int(np.searchsorted(self.ends, first, side="right"))
            start = int(self.ends[at]) - self.array.chunks[0][at]
            end = min(stop, int(self.ends[at]))
            parts.append(self._read(at)[first - start : end - start])
            first = end
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _read(self, at: int) -> np.ndarray:
        """Read a chunk; the last chunk is kept."""
        if at != self._at:
            self._chunk = np.asarray(self.array.blocks[at, 0])
            self._at = at
        return self._chunk


def unmixed(
    X: "da.Array", components: np.ndarray, smoothness: float, inverse_variance: Any, dtype: Any
) -> "da.Array":
    """`unmix` for each chunk, as a lazy array (n_spectra, k)."""
    return _of_chunks(_unmixed, X, inverse_variance, len(components), dtype, components, smoothness)


def squares_left(
    X: "da.Array", components: np.ndarray, smoothness: float, inverse_variance: Any
) -> "da.Array":
    """sum_j v_ij (X - W H)_ij^2 of each spectrum at its best weights, (n_spectra, 1)."""
    return _of_chunks(_squares_left, X, inverse_variance, 1, np.float64, components, smoothness)


def _of_chunks(
    function: Any, X: "da.Array", inverse_variance: Any, n_columns: int, dtype: Any, *settings: Any
) -> "da.Array":
    import dask.array as da

    X, V = checked(X, inverse_variance)
    return da.map_blocks(
        function,
        *([X] if V is None else [X, V]),
        settings=(dtype, *settings),
        chunks=(X.chunks[0], (n_columns,)),
        dtype=dtype,
        meta=np.empty((0, 0), dtype=dtype),
    )


def _unmixed(X: np.ndarray, V: np.ndarray | None = None, *, settings: tuple) -> np.ndarray:
    from ..factorisation import unmix

    dtype, components, smoothness = settings
    W = unmix(X, components, smoothness=smoothness, inverse_variance=V)
    return np.asarray(W, dtype=dtype)


def _squares_left(X: np.ndarray, V: np.ndarray | None = None, *, settings: tuple) -> np.ndarray:
    dtype, components, _ = settings
    W = _unmixed(X, V, settings=settings)
    residual = np.where(True if V is None else V > 0, X, 0) - W @ components
    squares = residual**2 if V is None else V * residual**2
    return squares.sum(axis=1, keepdims=True).astype(dtype)
