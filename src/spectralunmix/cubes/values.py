"""The values of a cube, block by block: spectra of spaxels with their inverse variance."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from spectralunmix.errors import LibraryError

log = logging.getLogger(__name__)
INTERVAL = 5  # seconds between two lines of the progress
BLOCK = 2**24  # values that are worked on at once
LARGE = 2**27  # values from which spectra and weights lie in files without a name, not in memory
SAFE = 1e30  # inverse variances up to here, and down to its inverse, are kept in float32


class Source(NamedTuple):
    """Arrays of a cube's three dimensions, or what reads them in slices of the first.

    flux : array
    uncertainty, mask : array or None
    kind : sigma, variance or inverse_variance
    mask_bits : the bits of the mask that count; None for any
    place : the axis of wavelength
    falling : whether wavelength falls along it
    """

    flux: Any
    uncertainty: Any
    mask: Any
    kind: str
    mask_bits: Sequence[int] | None
    place: int
    falling: bool


class Cut(NamedTuple):
    """What is read of a cube.

    channels : slice of the channels, in rising wavelength
    counted : (n_wave,) bool, of all channels in rising wavelength: which count
    bin_spaxels, bin_channels : how many are averaged, along y and x, and along wavelength
    """

    channels: slice
    counted: np.ndarray
    bin_spaxels: int = 1
    bin_channels: int = 1


class Values(NamedTuple):
    """Spectra and inverse variances (n_spaxels, n_wave), and which spaxels (y, x) have them."""

    spectra: np.ndarray
    inverse_variance: np.ndarray | None
    spaxels: np.ndarray


def read_values(source: Source, cut: Cut, scratch: str | None) -> Values:
    """The spectra of a cube.

    Parameters
    ----------
    source : Source
        The arrays.
    cut : Cut
        What is read of them.
    scratch : str or None
        Folder of files that hold large arrays; None for the system's.

    Returns
    -------
    Values
    """
    n_wave = len(range(*cut.channels.indices(source.flux.shape[source.place]))) // cut.bin_channels
    sides = [n for axis, n in enumerate(source.flux.shape) if axis != source.place]
    y, x = (side // cut.bin_spaxels for side in sides)
    arrays: tuple[np.ndarray, np.ndarray] | None = None
    equal = True  # whether all values weigh 1
    said, done, whole = time.monotonic(), 0, y * x * n_wave
    for at, flux, weight in _blocks(source, cut):
        arrays = arrays or _arrays(y * x, n_wave, source, weight, scratch)
        for array, block in zip(arrays, (flux, weight), strict=True):
            array.reshape(y, x, n_wave).transpose(2, 0, 1)[at] = block
        equal = equal and bool((weight == 1).all())
        done += flux.size
        if time.monotonic() - said > INTERVAL:
            said = time.monotonic()
            log.info("%d %% of the cube read", 100 * done // whole)
    assert arrays is not None  # there are channels and spaxels: checked before
    X, V = arrays
    used = _used(V)
    X, V = _kept(X, used), _kept(V, used)
    return Values(X, None if equal else V, used.reshape(y, x))


def _blocks(source: Source, cut: Cut) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Flux and weight (n_wave, y, x) of parts of the cube, and where in the whole they go."""
    shape = source.flux.shape
    # of the array's axes that which is read in slices: wavelength, y or x
    order = [source.place, *(axis for axis in range(3) if axis != source.place)]
    read_along = order.index(0)
    width = cut.bin_channels if read_along == 0 else cut.bin_spaxels
    first, stop, _ = cut.channels.indices(shape[source.place])
    if source.falling:
        first, stop = shape[source.place] - stop, shape[source.place] - first
    begin, end = (first, stop) if read_along == 0 else (0, shape[0])
    thick = max(1, BLOCK // (shape[1] * shape[2]) // width) * width
    n = (end - begin) // width
    if read_along == 0 and source.falling:
        begin = end - n * width  # as in rising order, where what is left over is at the end
    for start in range(begin, begin + n * width, thick):
        rows = slice(start, min(start + thick, begin + n * width))
        flux, weight = (z.transpose(order) for z in _weighted(source, rows))
        inside = slice(None) if read_along == 0 else slice(first, stop)
        flux, weight = flux[inside], weight[inside]
        if source.falling:
            flux, weight = flux[::-1], weight[::-1]
        a, b = (rows.start - begin) // width, (rows.stop - begin) // width
        at = slice(n - b, n - a) if read_along == 0 and source.falling else slice(a, b)
        flux, weight = _binned(flux, weight, cut.bin_channels, cut.bin_spaxels)
        counted = _binned_channels(cut)[at if read_along == 0 else slice(None)]
        weight[~counted[: len(weight)]] = 0
        flux[weight == 0] = 0
        yield (*(slice(None),) * read_along, at), flux, weight


def _binned_channels(cut: Cut) -> np.ndarray:
    """Which channels count after binning: those of which every part does."""
    inside = cut.counted[cut.channels]
    n = len(inside) // cut.bin_channels
    return np.all(inside[: n * cut.bin_channels].reshape(n, cut.bin_channels), axis=1)


def _weighted(source: Source, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Flux and its inverse variance, 0 where a value does not count, in float64."""
    flux = np.array(source.flux[rows], dtype=float)
    good = np.isfinite(flux)
    if source.mask is not None:
        good &= ~_masked(np.asarray(source.mask[rows]), source.mask_bits)
    if source.uncertainty is None:
        weight = np.ones_like(flux)
    else:
        given = np.array(source.uncertainty[rows], dtype=float)
        good &= np.isfinite(given) & (given > 0)
        given[~good] = 1
        power = {"sigma": -2, "variance": -1, "inverse_variance": 1}[source.kind]
        with np.errstate(over="ignore"):
            weight = given**power
        good &= np.isfinite(weight) & (weight > 0)
    flux[~good], weight[~good] = 0, 0
    return flux, weight


def _masked(mask: np.ndarray, bits: Sequence[int] | None) -> np.ndarray:
    chosen = mask if bits is None else mask.astype(np.int64) & sum(1 << bit for bit in bits)
    masked: np.ndarray = chosen != 0
    return masked


def _binned(
    flux: np.ndarray, weight: np.ndarray, channels: int, spaxels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the values that count, and the inverse of the variances of these means.

    What is left over at the end of an axis is not read.
    """
    if channels == spaxels == 1:
        return np.array(flux), np.array(weight)
    widths = (channels, spaxels, spaxels)
    whole = tuple(slice(n // w * w) for n, w in zip(flux.shape, widths, strict=True))
    parts = [n for size, w in zip(flux.shape, widths, strict=True) for n in (size // w, w)]
    flux, weight = (z[whole].reshape(parts) for z in (flux, weight))
    good = weight > 0
    n_good = good.sum(axis=(1, 3, 5))
    total = np.where(good, flux, 0).sum(axis=(1, 3, 5))
    variance = (1 / np.where(good, weight, np.inf)).sum(axis=(1, 3, 5))
    some = n_good > 0
    mean = total / np.where(some, n_good, 1)
    return mean, np.where(some, n_good**2 / np.where(some, variance, 1), 0)


def _arrays(
    n: int, n_wave: int, source: Source, weight: np.ndarray, scratch: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays (n, n_wave), on disk where they are large."""
    precision = np.result_type(np.asarray(source.flux[:1]).dtype.newbyteorder("="), np.float32)
    some = weight[weight > 0]
    if some.size and not (some.max() < SAFE and some.min() > 1 / SAFE):
        precision = np.dtype(float)
    if n * n_wave < LARGE:
        return np.zeros((n, n_wave), precision), np.zeros((n, n_wave), precision)
    return _on_disk((n, n_wave), precision, scratch), _on_disk((n, n_wave), precision, scratch)


def _on_disk(shape: tuple[int, int], dtype: np.dtype, scratch: str | None) -> np.ndarray:
    """An array in a file that is gone with it."""
    try:
        with tempfile.TemporaryFile(dir=scratch) as file:
            return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
    except OSError as error:
        where = scratch or tempfile.gettempdir()
        raise LibraryError(
            f"{where}: no room for {np.prod(shape) * dtype.itemsize / 2**30:.1f} GiB ({error}): "
            "name another folder as `scratch`, or in the environment as TMPDIR"
        ) from error


def _used(V: np.ndarray) -> np.ndarray:
    """Which rows have a value that counts."""
    step = max(1, BLOCK // V.shape[1])
    parts = [(V[i : i + step] > 0).any(axis=1) for i in range(0, len(V), step)]
    return np.concatenate(parts)


def _kept(Z: np.ndarray, used: np.ndarray) -> np.ndarray:
    """The rows in use, moved to the front of the same memory."""
    rows = np.flatnonzero(used)
    if len(rows) < len(Z):
        step = max(1, BLOCK // Z.shape[1])
        for i in range(0, len(rows), step):
            Z[i : i + step][: len(rows) - i] = Z[rows[i : i + step]]
    return Z[: len(rows)]
