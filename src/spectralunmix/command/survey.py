"""`spectralunmix fit` of a Zarr store, or on a cluster, where spectra are read in chunks."""

import argparse
import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from spectralunmix.cluster.checkpoint import checkpoint
from spectralunmix.errors import LibraryError
from spectralunmix.files import replacing
from spectralunmix.matrix_files import Matrix
from spectralunmix.matrix_fits import of_header, of_wavelength_extension, unit_of

if TYPE_CHECKING:
    import dask.array as da

FLUX, INVERSE_VARIANCE, WAVELENGTH = "flux", "inverse_variance", "wavelength"
INSTALL = "pip install '.[dask]' in a clone of the project"
CONNECT_SECONDS = 30


def is_zarr(path: Path) -> bool:
    """Whether a path is a Zarr store, by its name or by the files in it."""
    marks = (".zgroup", ".zarray", "zarr.json")
    return path.suffix == ".zarr" or any((path / mark).exists() for mark in marks)


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Use the Dask cluster at that address for the fits within; None fits in this process.

    LibraryError : the scheduler does not answer, or Dask is not installed
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise LibraryError(f"--scheduler needs Dask: {INSTALL}") from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise LibraryError(
            f"--scheduler {address}: no answer ({error}); is the scheduler running at this address?"
        ) from error
    with client:
        yield


def read_survey(options: argparse.Namespace) -> Matrix:
    """The spectra of a Zarr store or a FITS file as Dask arrays, which the workers read.

    The spectra have no names.

    LibraryError : there are no spectra, or Dask is not installed
    """
    path: Path = options.file
    if options.error is not None:
        raise LibraryError(
            f"{path}: --error is not for Zarr or --scheduler: use --inverse-variance"
        )
    try:
        import dask.array as da

        found = _of_zarr(options) if is_zarr(path) else _of_fits(options)
    except ModuleNotFoundError as error:
        raise LibraryError(f"{path}: this needs Dask and Zarr: {INSTALL}") from error
    except (ValueError, OSError, TypeError) as error:
        raise LibraryError(f"{path}: {' '.join(str(error).split())}") from error
    if found.flux.ndim != 2:
        raise LibraryError(
            f"{path}: an array of shape {found.flux.shape}: (n_spectra, n_wave) is needed"
        )
    if found.wavelength is not None and len(found.wavelength) != found.flux.shape[1]:
        n = len(found.wavelength)
        raise LibraryError(
            f"{path}: {n} wavelengths for {found.flux.shape[1]} channels: as many are needed"
        )
    if not options.mask_nan:
        return found
    good = da.isfinite(found.flux)
    if found.inverse_variance is not None:
        good &= da.isfinite(found.inverse_variance)
    weights = da.where(good, 1.0 if found.inverse_variance is None else found.inverse_variance, 0.0)
    return dataclasses.replace(found, inverse_variance=weights)


def _of_zarr(options: argparse.Namespace) -> Matrix:
    """The arrays of a group, by name, or the single array of a store."""
    import dask.array as da
    import zarr

    path = str(options.file.absolute())  # as workers need it
    store = zarr.open(path, mode="r")
    if isinstance(store, zarr.Array):
        if options.inverse_variance not in (None, "none"):
            raise LibraryError(
                f"{path}: a single array: for --inverse-variance, give the Zarr group with both "
                "arrays, and the name of the spectra as --hdu"
            )
        return Matrix(da.from_zarr(path), None, None, None, [])
    names = sorted(name for name, _ in store.arrays())
    flux = options.hdu or FLUX
    weights = options.inverse_variance
    if weights is None and INVERSE_VARIANCE in names:
        weights = INVERSE_VARIANCE
    for name in (flux, weights):
        if name not in (None, "none", *names):
            raise LibraryError(f"{path}: no array {name}; there are {', '.join(names) or 'none'}")
    V = None if weights in (None, "none") else da.from_zarr(path, component=weights)
    wavelength, unit = None, None
    if WAVELENGTH in names:
        of_store: Any = store[WAVELENGTH]
        wavelength = np.asarray(of_store[:], float)
        unit = unit_of(of_store.attrs.get("unit"))
    return Matrix(da.from_zarr(path, component=flux), V, wavelength, unit, [])


def _of_fits(options: argparse.Namespace) -> Matrix:
    """An image (n_spectra, n_wave) and its inverse variance, by the names of extensions."""
    from spectralunmix.cluster.fits_arrays import dask_from_fits

    path, weights = options.file, options.inverse_variance
    with fits.open(path, memmap=True) as hdus:
        key = options.hdu or next(
            (str(i) for i, hdu in enumerate(hdus) if hdu.is_image and len(hdu.shape) == 2), "0"
        )
        X = dask_from_fits(path, int(key) if key.isdecimal() else key)
        if weights is None and INVERSE_VARIANCE.upper() in hdus:
            weights = INVERSE_VARIANCE.upper()
        axis = of_header(path, hdus[int(key) if key.isdecimal() else key], X.shape[1])
        if WAVELENGTH.upper() in hdus:
            axis = of_wavelength_extension(path, hdus)
    none = weights in (None, "none")
    V = None if none else dask_from_fits(path, int(weights) if weights.isdecimal() else weights)
    return Matrix(X, V, *axis, [])


class Kept:
    """The components of a fit that has ended; None before that."""

    components: np.ndarray | None = None


@contextlib.contextmanager
def resumable(target: Path, options: argparse.Namespace) -> Iterator[Kept]:
    """Keep components in a file beside the results while a fit runs on a cluster.

    The file is removed when the fit has ended well.

    LibraryError : there is such a file already; or the cluster, or a part of the results on it, is
        lost, and then the message says how the fit can go on
    """
    kept = Kept()
    if options.scheduler is None:
        yield kept
        return
    path = target.with_name(f"{target.name}_checkpoint.npy")
    if path.exists() and options.init != str(path):
        raise LibraryError(
            f"{path}: this file has the components of a fit whose cluster was lost: go on from "
            f"them with --init {path}, or move the file away"
        )
    try:
        with checkpoint(path):
            yield kept
    except RuntimeError as error:
        lost = getattr(error, "components", kept.components)
        if lost is None:
            raise LibraryError(f"--scheduler {options.scheduler}: {error}") from error
        with replacing(path) as part, part.open("wb") as file:
            np.save(file, lost)
        raise LibraryError(
            f"--scheduler {options.scheduler}: {str(error).partition(':')[0]}: the fit goes on "
            f"with --init {path}"
        ) from error
    path.unlink(missing_ok=True)


def write_weights(file: Path, weights: "da.Array") -> None:
    """Write weights to a FITS image (n_spectra, k), chunk by chunk, to spare memory."""
    n_spectra, k = weights.shape
    header = fits.Header([("SIMPLE", True), ("BITPIX", -64), ("NAXIS", 2)])
    header["NAXIS1"], header["NAXIS2"] = k, n_spectra
    with fits.StreamingHDU(file, header) as hdu:
        for i in range(weights.numblocks[0]):
            hdu.write(np.asarray(weights.blocks[i, 0], dtype=">f8"))
