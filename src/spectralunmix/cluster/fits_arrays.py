"""dask_from_fits: spectra in FITS files as Dask arrays, which workers read themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

if TYPE_CHECKING:
    import dask.array as da

CHUNK = 2**27  # bytes of a chunk, about


def dask_from_fits(
    paths: str | Path | Sequence[str | Path],
    hdu: str | int = 0,
    column: str | None = None,
    *,
    chunk_bytes: int = CHUNK,
) -> "da.Array":
    """Spectra in FITS files, one a row, as a Dask array that is read where it is worked on.

    Only headers are read here.  The workers need to see the files under the same paths.  A chunk
    is of one file, and so is best read of files that are not compressed as a whole.

    Parameters
    ----------
    paths : str, Path or sequence of them
        The files, in the order of their spectra; all with the same channels.
    hdu : str or int, default 0
        The extension, by name or number: an image (n_spectra, n_wave), or a table.
    column : str or None, default None
        The column of the table, with an array of n_wave values in each row.
    chunk_bytes : int, default 2**27
        About how large a chunk is.

    Returns
    -------
    dask.array.Array of shape (n_spectra, n_wave), float64 or float32

    Raises
    ------
    ValueError
        A file has no such extension or column, or other channels than the first.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.io import fits
    >>> from spectralunmix import dask_from_fits
    >>> fits.writeto("two.fits", np.ones((2, 5)), overwrite=True)
    >>> dask_from_fits(["two.fits", "two.fits"]).shape
    (4, 5)
    """
    import dask
    import dask.array as da

    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if not paths:
        raise ValueError("paths: one file or more is needed")
    read = dask.delayed(_read)
    parts: list[da.Array] = []
    for path in (str(Path(path).absolute()) for path in paths):  # as workers need it
        (n_spectra, n_wave), dtype = _shape(path, hdu, column)
        if parts and n_wave != parts[0].shape[1]:
            raise ValueError(f"{path}: {n_wave} channels, {paths[0]} has {parts[0].shape[1]}")
        step = max(1, chunk_bytes // (n_wave * dtype.itemsize))
        for first in range(0, n_spectra, step):
            n = min(step, n_spectra - first)
            rows = read(path, hdu, column, first, first + n, dtype)
            parts.append(da.from_delayed(rows, shape=(n, n_wave), dtype=dtype))
    return da.concatenate(parts, axis=0)


def _shape(path: str, hdu: str | int, column: str | None) -> tuple[tuple[int, int], np.dtype]:
    """Of the spectra of a file, and the kind of float that they are read as; of its header."""
    with fits.open(path, memmap=True) as hdus:
        try:
            found: Any = hdus[hdu]
        except (KeyError, IndexError):
            names = ", ".join(f"{i} {other.name}" for i, other in enumerate(hdus))
            raise ValueError(f"{path}: no extension {hdu}; there are {names}") from None
        if column is None:
            shape, kind = _of_image(found)
        elif isinstance(found, fits.BinTableHDU) and column in found.columns.names:
            kind = found.columns.dtype[column]
            shape, kind = (int(found.header["NAXIS2"]), *kind.shape), kind.base
        else:
            columns = getattr(getattr(found, "columns", None), "names", [])
            raise ValueError(
                f"{path}: extension {hdu} is no table with a column {column}; it has "
                f"{', '.join(columns) or 'no columns'}"
            )
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"{path}: extension {hdu} is of shape {shape}: an image of (n_spectra, n_wave), or a "
            "table and the name of its column of arrays, is needed"
        )
    single = kind.itemsize < 4 or kind.newbyteorder("=") == np.dtype("f4")
    return (int(shape[0]), int(shape[1])), np.dtype("f4" if single else "f8")


def _of_image(hdu: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and kind of an image, () of what is none."""
    if not hdu.is_image:
        return (), np.dtype("f8")
    return tuple(hdu.shape), np.dtype(fits.BITPIX2DTYPE[hdu.header["BITPIX"]])


def _read(
    path: str, hdu: str | int, column: str | None, first: int, stop: int, dtype: np.dtype
) -> np.ndarray:
    of_image = column is None  # of which `section` reads no more than is asked for
    with fits.open(path, memmap=not of_image) as hdus:
        rows = hdus[hdu].section[first:stop] if of_image else hdus[hdu].data[column][first:stop]
        return np.array(rows, dtype=dtype)
