"""The values of a cube, block by block: spectra of spaxels with their inverse variance."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from spectralunmix.errors import LibraryError
from spectralunmix.files import row_blocks

log = logging.getLogger(__name__)
INTERVAL = 5  # seconds between two lines of the progress
BLOCK = 2**24  # values of the file that are worked on at once
LARGE = 2**27  # values from which on spectra and inverse variances are in temporary files
SAFE = 1e30  # inverse variances up to here, and down to its inverse, are kept in float32
POWERS = {"sigma": -2, "variance": -1, "inverse_variance": 1}


class Arrays(NamedTuple):
    """The arrays of a cube, of three dimensions, or objects that read them in slices.

    flux : array
    uncertainty, mask : array or None
    kind : sigma, variance or inverse_variance
    mask_bits : the bits of the mask which mean that a value does not count; None for every bit
    place : number of the axis of wavelength
    falling : whether the wavelength falls along this axis
    scale : number by which the flux is divided
    ignored : value of the flux which means that there is none; None without such a value
    """

    flux: Any
    uncertainty: Any
    mask: Any
    kind: str
    mask_bits: Sequence[int] | None
    place: int
    falling: bool
    scale: float = 1.0
    ignored: float | None = None


class Cut(NamedTuple):
    """The part of a cube that is read.

    channels : slice of the channels, in rising wavelength
    counted : (n_wave,) bool, which of all channels count, in rising wavelength
    bin_spaxels, bin_channels : numbers that are averaged, along y and x, and along wavelength
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


class Block(NamedTuple):
    """Flux and inverse variance (n_wave, y, x) of a part of a cube, binned, and its place."""

    place: tuple[slice, ...]
    flux: np.ndarray
    weight: np.ndarray


def read_values(arrays: Arrays, cut: Cut, scratch: str | None) -> Values:
    """The spectra of a cube.

    Parameters
    ----------
    arrays : Arrays
        The arrays of the cube.
    cut : Cut
        The part that is read.
    scratch : str or None
        Folder for files with large arrays; None for the system's folder for temporary files.

    Returns
    -------
    Values
    """
    n_wave = (cut.channels.stop - cut.channels.start) // cut.bin_channels
    sides = [n for axis, n in enumerate(arrays.flux.shape) if axis != arrays.place]
    y, x = (side // cut.bin_spaxels for side in sides)
    precision = np.result_type(np.asarray(arrays.flux[:1]).dtype.newbyteorder("="), np.float32)
    X = _array((y * x, n_wave), precision, scratch)
    V = _array((y * x, n_wave), precision, scratch)
    all_alike = True
    said, done = time.monotonic(), 0
    for block in _blocks(arrays, cut):
        if V.dtype == np.float32 and _beyond_float32(block.weight):
            V = _in_float64(V, scratch)
        for whole, values in ((X, block.flux), (V, block.weight)):
            whole.reshape(y, x, n_wave).transpose(2, 0, 1)[block.place] = values
        all_alike = all_alike and bool((block.weight == 1).all())
        done += block.flux.size
        if time.monotonic() - said > INTERVAL:
            said = time.monotonic()
            log.info("%d %% of the cube read", 100 * done // X.size)
    used = np.concatenate([(V[rows] > 0).any(axis=1) for rows in row_blocks(*V.shape)])
    X, V = _kept(X, used), _kept(V, used)
    return Values(X, None if all_alike else V, used.reshape(y, x))


def _blocks(arrays: Arrays, cut: Cut) -> Iterator[Block]:
    """All parts of a cube, in the order of the file."""
    shape, place = arrays.flux.shape, arrays.place
    first, stop = cut.channels.start, cut.channels.stop
    stop = first + (stop - first) // cut.bin_channels * cut.bin_channels
    if arrays.falling:
        first, stop = shape[place] - stop, shape[place] - first
    if place != 0:  # slices of the file are rows or columns of the image, of all wavelengths
        for rows in _slices(0, shape[0], cut.bin_spaxels, shape):
            flux, weight = _in_order(arrays, rows, slice(first, stop))
            at = slice(rows.start // cut.bin_spaxels, rows.stop // cut.bin_spaxels)
            along = 1 + [axis for axis in range(3) if axis != place].index(0)
            where = (*(slice(None),) * along, at)
            yield _finished(arrays, cut, where, slice(None), flux, weight)
        return
    n, width = (stop - first) // cut.bin_channels, cut.bin_channels
    for planes in _slices(first, stop, width, shape):
        flux, weight = _in_order(arrays, planes, slice(None))
        at = slice((planes.start - first) // width, (planes.stop - first) // width)
        if arrays.falling:
            at = slice(n - at.stop, n - at.start)
        yield _finished(arrays, cut, (at,), at, flux, weight)


def _slices(first: int, stop: int, width: int, shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis, each of whole bins; the rest at the end is left out."""
    thick = max(1, BLOCK // (shape[1] * shape[2]) // width) * width
    stop = first + (stop - first) // width * width
    for start in range(first, stop, thick):
        yield slice(start, min(start + thick, stop))


def _in_order(arrays: Arrays, part: slice, inside: slice) -> tuple[np.ndarray, np.ndarray]:
    """Flux and inverse variance of a slice of the file, (n_wave, y, x) in rising wavelength.

    inside : which wavelengths, in the file's order
    """
    order = [arrays.place, *(axis for axis in range(3) if axis != arrays.place)]
    turned = slice(None, None, -1 if arrays.falling else 1)
    flux, weight = (z.transpose(order)[inside][turned] for z in _weighted(arrays, part))
    return flux, weight


def _finished(
    arrays: Arrays,
    cut: Cut,
    place: tuple[slice, ...],
    channels: slice,
    flux: np.ndarray,
    weight: np.ndarray,
) -> Block:
    """The binned block, with inverse variance 0 in channels that do not count."""
    flux, weight = _binned(flux, weight, cut)
    if arrays.uncertainty is None:  # the number of values in a bin: 1 where all of them count
        weight /= cut.bin_channels * cut.bin_spaxels**2
    counted = cut.counted[cut.channels]
    n = len(counted) // cut.bin_channels
    counted = np.all(counted[: n * cut.bin_channels].reshape(n, -1), axis=1)
    weight[~counted[channels]] = 0
    flux[weight == 0] = 0
    return Block(place, flux, weight)


def _weighted(arrays: Arrays, part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Flux and its inverse variance, 0 where a value does not count, in float64."""
    flux = np.array(arrays.flux[part], dtype=float)
    good = np.isfinite(flux)
    if arrays.ignored is not None:
        good &= flux != arrays.ignored
    flux /= arrays.scale
    if arrays.mask is not None:
        good &= ~_masked(np.asarray(arrays.mask[part]), arrays.mask_bits)
    if arrays.uncertainty is None:
        weight = np.ones_like(flux)
    else:
        weight = np.array(arrays.uncertainty[part], dtype=float)
        good &= np.isfinite(weight) & (weight > 0)
        weight[~good] = 1
        with np.errstate(over="ignore"):
            weight **= POWERS[arrays.kind]
        good &= np.isfinite(weight) & (weight > 0)
    flux[~good], weight[~good] = 0, 0
    return flux, weight


def _masked(mask: np.ndarray, bits: Sequence[int] | None) -> np.ndarray:
    chosen = mask if bits is None else mask.astype(np.int64) & sum(1 << bit for bit in bits)
    masked: np.ndarray = chosen != 0
    return masked


def _binned(flux: np.ndarray, weight: np.ndarray, cut: Cut) -> tuple[np.ndarray, np.ndarray]:
    """Means of the values that count, and the inverse of the variances of these means.

    What is left over at the end of an axis is not read.
    """
    widths = (cut.bin_channels, cut.bin_spaxels, cut.bin_spaxels)
    if widths == (1, 1, 1):
        return flux, weight
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


def _beyond_float32(weight: np.ndarray) -> bool:
    some = weight[weight > 0]
    return bool(some.size) and not (some.max() < SAFE and some.min() > 1 / SAFE)


def _in_float64(V: np.ndarray, scratch: str | None) -> np.ndarray:
    wider = _array(V.shape, np.dtype(float), scratch)
    for rows in row_blocks(*V.shape):
        wider[rows] = V[rows]
    return wider


def _array(shape: tuple[int, ...], dtype: np.dtype, scratch: str | None) -> np.ndarray:
    """An array of zeros; a large array is in a temporary file that vanishes with it."""
    size = int(np.prod(shape))
    if size < LARGE:
        return np.zeros(shape, dtype)
    try:
        with tempfile.TemporaryFile(dir=scratch) as file:
            if hasattr(os, "posix_fallocate"):  # else a full disk would end the process later on
                os.posix_fallocate(file.fileno(), 0, size * dtype.itemsize)
            return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
    except OSError as error:
        raise LibraryError(
            f"{scratch or tempfile.gettempdir()}: no room for {size * dtype.itemsize / 2**30:.2g} "
            f"GiB ({error}): name another folder as `scratch`, or in the environment as TMPDIR"
        ) from error


def _kept(Z: np.ndarray, used: np.ndarray) -> np.ndarray:
    """The rows in use, moved to the front of the same memory."""
    at = np.flatnonzero(used)
    if len(at) < len(Z):
        for rows in row_blocks(len(at), Z.shape[1]):
            Z[rows] = Z[at[rows]]
    return Z[: len(at)]
