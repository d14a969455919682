"""Reads a matrix of spectra from a user's file: FITS image or table, ECSV or CSV."""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from spectralunmix import matrix_fits
from spectralunmix.errors import NOT_PRINTED, LibraryError
from spectralunmix.libraries.readers.files import taken_for
from spectralunmix.matrix_fits import Found, numbers, shape, unit_of

FITS = (".fits", ".fit", ".fts")
TEXT = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}
KINDS = ", ".join([*FITS, *(f"{suffix}.gz" for suffix in FITS), *TEXT])
NO_WEIGHTS = "none"
LONGEST = 400  # characters of an error message


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Spectra on common channels.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        Finite; 0 where the file has no number.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None
        Finite and not negative; None where every value has the same.
    wavelength : ndarray of shape (n_wave,) or None
        None where the file has none.
    unit : str or None
        Unit of the wavelengths, as astropy writes it; None where the file has none.
    names : list of str
        Names of the spectra.
    """

    flux: Any  # an array of numpy, or of Dask
    inverse_variance: Any
    wavelength: np.ndarray | None
    unit: str | None
    names: list[str]


def read_matrix(
    path: Path,
    hdu: str | None = None,
    inverse_variance: str | None = None,
    error: str | None = None,
    mask_nan: bool = False,
) -> Matrix:
    """Read the matrix of a file, and check it.

    Parameters
    ----------
    path : Path
        A FITS image or table with a spectrum in each row; or an ECSV or CSV table with the
        wavelengths in its first column, and a spectrum in every further column.
    hdu : str, default None
        Extension of a FITS file, by name or number; None for the first that holds a matrix.
    inverse_variance : str, default None
        An extension or array column of the file, another file, or "none"; None for the
        extension INVERSE_VARIANCE where there is one.
    error : str, default None
        The place of the standard deviation, in the same way; in place of inverse_variance.
    mask_nan : bool, default False
        Give values that are NaN or infinite the inverse variance 0.

    Returns
    -------
    Matrix

    Raises
    ------
    LibraryError
        The file cannot be read, or holds no matrix that a fit can take; the message names the
        file and the way out.
    """
    with _in_one_line(path):
        hdus = matrix_fits.opened(path) if is_fits(path) else None
        if hdus is not None:
            found = matrix_fits.spectra(path, hdus, hdu)
        elif hdu is None:
            found = _of_text(path)
        else:
            raise LibraryError(f"{path}: --hdu {hdu} is for FITS files: leave it out")
        weights = _weights(path, hdus, "--inverse-variance", inverse_variance)
        if error is not None:
            weights = _of_errors(path, _weights(path, hdus, "--error", error))
    if weights is not None and weights.shape != found.flux.shape:
        raise LibraryError(
            f"{path}: the inverse variance is {shape(weights)}, the spectra are "
            f"{shape(found.flux)}: it needs the same shape"
        )
    if found.wavelength is not None:
        _check_wavelength(path, found.wavelength, found.flux.shape[1])
    flux, weights = _finite(path, found.flux, weights, mask_nan)
    names = found.names or [f"spectrum_{i}" for i in range(1, len(flux) + 1)]
    return Matrix(flux, weights, found.wavelength, found.unit, names)


@contextlib.contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    """Shorten errors of parsers to a line, because some of them quote the whole file."""
    try:
        with taken_for(str(path), "a file with spectra that can be read"):
            yield
    except LibraryError as error:
        text = NOT_PRINTED.sub(" ", str(error))
        shown = text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
        raise LibraryError(shown) from error


def without_suffix(path: Path) -> str:
    """The name of a file without its suffixes."""
    return Path(path.name.removesuffix(".gz")).stem


def is_fits(path: Path) -> bool:
    """Whether a file is FITS, and not ECSV or CSV, which its name tells.

    Raises
    ------
    LibraryError
        There is no such file, or its name is of another kind.
    """
    if not path.exists():
        raise LibraryError(f"{path}: there is no such file")
    if not path.is_file():
        raise LibraryError(f"{path}: not a file: name one of {KINDS}")
    name = path.name.lower()
    if name.removesuffix(".gz").endswith(FITS):
        return True
    if name.endswith(tuple(TEXT)):
        return False
    raise LibraryError(f"{path}: its suffix is not that of a file that is read: {KINDS}")


def _of_text(path: Path) -> Found:
    """A table with a row for each channel: the wavelength, then the spectra in columns."""
    suffix = path.suffix.lower()
    with taken_for(str(path), f"a table in {suffix[1:].upper()}"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units, and of numbers out of range: they become inf
        table = Table.read(path, format=TEXT[suffix])
    if len(table.colnames) < 2 or not len(table):
        raise LibraryError(
            f"{path}: {len(table)} rows of {len(table.colnames)} columns: the first column is the "
            "wavelength, every further column is a spectrum, and the first line names them"
        )
    if all(map(_is_number, table.colnames)):
        raise LibraryError(
            f"{path}: its first line holds numbers: it needs to name the columns, the wavelength "
            "first"
        )
    first, *names = table.colnames
    wavelength, *columns = (numbers(path, f"column {c}", table[c]) for c in table.colnames)
    if any(column.ndim != 1 for column in (wavelength, *columns)):
        raise LibraryError(
            f"{path}: a column has arrays in its rows: a number in each row is needed"
        )
    return Found(np.array(columns), wavelength, unit_of(table[first].unit), names)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_errors(path: Path, errors: np.ndarray | None) -> np.ndarray | None:
    """The inverse variance of errors; an infinite error gives 0."""
    if errors is None:
        return None
    if (errors <= 0).any():
        raise LibraryError(
            f"{path}: {_counted(errors <= 0)} of --error are not above 0: put inf where a value "
            "should not count"
        )
    return 1 / errors**2


def _weights(
    path: Path, hdus: fits.HDUList | None, option: str, name: str | None
) -> np.ndarray | None:
    """The inverse variance or the error that an option names, or that the file has."""
    if name == NO_WEIGHTS:
        return None
    weights = None if hdus is None else matrix_fits.inverse_variance(path, hdus, name)
    if weights is not None or name is None:
        return weights
    other = Path(name)
    if not other.exists():
        there = "" if hdus is None else f"; that has {matrix_fits.listed(hdus)}"
        raise LibraryError(f"{option} {name}: neither a file, nor an extension of {path}{there}")
    if is_fits(other):
        return matrix_fits.spectra(other, matrix_fits.opened(other), None).flux
    return _of_text(other).flux


def _check_wavelength(path: Path, wavelength: np.ndarray, n_wave: int) -> None:
    """Raise a LibraryError where they are not of the channels, or do not rise throughout."""
    if wavelength.shape != (n_wave,):
        raise LibraryError(
            f"{path}: {shape(wavelength)} wavelengths of spectra with {n_wave} channels: one for "
            "each channel is needed"
        )
    steps = np.diff(wavelength)
    if not np.isfinite(wavelength).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise LibraryError(
            f"{path}: its wavelengths, from {wavelength[0]:.6g} to {wavelength[-1]:.6g}, do not "
            "rise throughout: in ECSV and CSV the first column has them, and every further column "
            "is a spectrum"
        )


def _finite(
    path: Path, flux: np.ndarray, weights: np.ndarray | None, mask_nan: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Flux and inverse variance without NaN and infinite values; with `mask_nan` they become 0."""
    bad = ~np.isfinite(flux)
    if bad.all():
        raise LibraryError(f"{path}: all of its {flux.size} values are NaN or infinite")
    if weights is not None:
        weights = _finite_weights(path, weights, mask_nan)
    counted = bad if weights is None else bad & (weights > 0)
    if counted.any() and not mask_nan:
        raise LibraryError(
            f"{path}: {_counted(counted)} are NaN or infinite: leave them out with --mask-nan, or "
            "give an --inverse-variance that is 0 there"
        )
    if bad.any():
        weights = np.where(bad, 0.0, 1.0 if weights is None else weights)
        flux = np.where(bad, 0.0, flux)
    if weights is not None and not weights.any():
        raise LibraryError(f"{path}: no value has an inverse variance above 0: nothing to fit")
    return flux, weights


def _finite_weights(path: Path, weights: np.ndarray, mask_nan: bool) -> np.ndarray:
    bad = ~np.isfinite(weights)
    if bad.any() and not mask_nan:
        raise LibraryError(
            f"{path}: {_counted(bad)} of the inverse variance are NaN or infinite: leave them out "
            "with --mask-nan, or put 0 there"
        )
    weights = np.where(bad, 0.0, weights)
    if (weights < 0).any():
        raise LibraryError(
            f"{path}: {_counted(weights < 0)} of the inverse variance are negative: put 0 where a "
            "value should not count"
        )
    return weights


def _counted(which: np.ndarray) -> str:
    return f"{which.sum()} of {which.size} values, in {which.any(axis=1).sum()} spectra,"
