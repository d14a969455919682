"""dask_from_fits: spectra in FITS files as a Dask array that workers read themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

if TYPE_CHECKING:
    import dask.array as da

CHUNK = 2**27  # bytes: about the size of a chunk


def dask_from_fits(
    paths: str | Path | Sequence[str | Path],
    hdu: str | int = 0,
    column: str | None = None,
    *,
    chunk_bytes: int = CHUNK,
) -> "da.Array":
    """Make a Dask array of the spectra in FITS files, which the workers read when they need them.

    This function reads the headers alone. The workers need to see the files under the same paths.
    A chunk holds rows of a single file. Files should not be compressed as a whole: then every
    chunk would decompress the file from its beginning.

    Parameters
    ----------
    paths : str, Path or sequence of str or Path
        The files, in the order that their spectra are wanted in. All have the same number of
        channels.
    hdu : str or int, default 0
        Name or number of the extension: an image (n_spectra, n_wave), or a table.
    column : str or None, default None
        Column of the table, with an array of n_wave values in each row. None for an image.
    chunk_bytes : int, default 2**27
        About how many bytes a chunk has.

    Returns
    -------
    dask.array.Array of shape (n_spectra, n_wave)
        The spectra of all files, in float64 or float32.

    Raises
    ------
    FileNotFoundError
        A file is not there.
    ValueError
        There are no paths; or a file has no such extension or column, or another number of
        channels than the first file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from astropy.io import fits
    >>> from spectralunmix import dask_from_fits
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "two_spectra.fits"
    ...     fits.writeto(path, np.ones((2, 5)))
    ...     spectra = dask_from_fits([path, path])
    ...     print(spectra.shape, float(spectra.sum().compute()))
    (4, 5) 20.0
    """
    import dask
    import dask.array as da

    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if not paths:
        raise ValueError("paths: at least one file is needed")
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
    """From the header: the shape of a file's spectra, and the type that they are read as."""
    with fits.open(path, memmap=True) as hdus:
        try:
            extension: Any = hdus[hdu]
        except (KeyError, IndexError):
            names = ", ".join(f"{i} {other.name}" for i, other in enumerate(hdus))
            raise ValueError(f"{path}: no extension {hdu}; there are {names}") from None
        if column is None:
            shape, kind = _of_image(extension)
        elif isinstance(extension, fits.BinTableHDU) and column in extension.columns.names:
            kind = extension.columns.dtype[column]
            shape, kind = (int(extension.header["NAXIS2"]), *kind.shape), kind.base
        else:
            columns = getattr(getattr(extension, "columns", None), "names", [])
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
    """Shape and type of an image; the shape is () where the extension is no image."""
    if not hdu.is_image:
        return (), np.dtype("f8")
    return tuple(hdu.shape), np.dtype(fits.BITPIX2DTYPE[hdu.header["BITPIX"]])


def _read(
    path: str, hdu: str | int, column: str | None, first: int, stop: int, dtype: np.dtype
) -> np.ndarray:
    is_image = column is None  # its `section` reads no further rows than are asked for
    with fits.open(path, memmap=not is_image) as hdus:
        rows = hdus[hdu].section[first:stop] if is_image else hdus[hdu].data[column][first:stop]
        return np.array(rows, dtype=dtype)
