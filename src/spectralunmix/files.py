"""Reads and writes files of the workflow: matrices of spectra (FITS) and tables (ECSV)."""

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.table import Column, Table

from spectralunmix.errors import LibraryError

NOISE = "NOISE"  # header card: the inverse variance is that of the noise, not of a mask alone
LARGE = 2**27  # values of a matrix from which it stays on disk, and is read in blocks of rows
BLOCK = 2**24  # values that are worked on at once


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A new file beside `path` to write to; it takes the place of `path` in a single step."""
    final = Path(path)
    # an unpredictable name, so that nobody can put a link of that name in its place
    handle, name = tempfile.mkstemp(dir=final.parent, prefix=".part-", suffix=f"-{final.name}")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        os.replace(part, final)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path | str, content: object) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path: str) -> Any:
    return json.loads(Path(path).read_text())


def write_spectra(
    path: str,
    wavelength: np.ndarray,
    flux: np.ndarray,
    inverse_variance: np.ndarray | None,
    medium: str,
    unit: tuple[str, str] = ("", "flux per Angstrom, normalised row by row"),
    has_uncertainties: bool | None = None,
) -> None:
    """flux (n_spectra, n_wave) as the primary image, wavelength (n_wave,) Angstrom as a table.

    inverse_variance : (n_spectra, n_wave), an image after them, where there is one
    medium : air, vacuum or unknown
    unit : of the flux, and a comment
    has_uncertainties : whether the inverse variance is that of the noise; None does not say it
    """
    image = fits.PrimaryHDU(flux)
    image.header["BUNIT"] = unit
    if has_uncertainties is not None:
        image.header[NOISE] = (has_uncertainties, "the inverse variance is that of the noise")
    column = fits.Column("WAVELENGTH", "D", unit="Angstrom", array=wavelength)
    table = fits.BinTableHDU.from_columns([column], name="WAVELENGTH")
    table.header["MEDIUM"] = (medium, "of the wavelengths")
    hdus = [image, table]
    if inverse_variance is not None:
        hdus.append(fits.ImageHDU(inverse_variance, name="INVERSE_VARIANCE"))
    with replacing(path) as part:
        fits.HDUList(hdus).writeto(part, overwrite=True, checksum=False)


def read_spectra(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelength (n_wave,) in Angstrom and flux (n_spectra, n_wave), on disk where it is large."""
    with fits.open(path, memmap=True) as hdus:
        wavelength, flux = hdus[1].data["WAVELENGTH"].astype(float), _values(hdus[0])
    check_finite(path, flux)
    return wavelength, flux


def are_large(path: str) -> bool:
    """Whether the spectra are so large that they are read from disk in blocks."""
    with fits.open(path) as hdus:
        return _is_large(hdus[0])


def _is_large(hdu: Any) -> bool:
    return math.prod(hdu.shape) > LARGE


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Consecutive rows of a matrix, at most BLOCK values at once."""
    step = max(1, BLOCK // max(1, n_columns))
    for first in range(0, n_rows, step):
        yield slice(first, min(first + step, n_rows))


def _values(hdu: Any) -> np.ndarray:
    """The data of an image, in float64; a large image stays on disk."""
    return hdu.data if _is_large(hdu) else hdu.data.astype(float)


def read_inverse_variance(path: str) -> np.ndarray | None:
    """The inverse variance (n_spectra, n_wave), 0 where masked; None where there is none."""
    with fits.open(path, memmap=True) as hdus:
        name = "INVERSE_VARIANCE"
        return _values(hdus[name]) if name in hdus else None


def read_has_uncertainties(path: str) -> bool:
    """Whether the inverse variance in the file is that of the noise, and not of a mask alone."""
    return bool(fits.getval(path, NOISE)) if NOISE in fits.getheader(path) else False


def read_medium(path: str) -> str:
    """The medium of the wavelengths: air, vacuum or unknown."""
    return fits.getval(path, "MEDIUM", "WAVELENGTH")


def write_curves(path: str, wavelength: np.ndarray, curves: dict[str, np.ndarray]) -> None:
    """Curves (n_wave,) by name over wavelength (n_wave,) Angstrom."""
    table = Table({"wavelength": wavelength * units.Angstrom, **curves})
    write_table(path, table)


def read_curves(path: str) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Wavelength (n_wave,), the names, and the curves (n, n_wave)."""
    table = Table.read(path, format="ascii.ecsv")
    names = table.colnames[1:]
    curves = np.array([table[name] for name in names])
    check_finite(path, curves)
    return np.asarray(table["wavelength"]), names, curves


def check_finite(path: str, values: np.ndarray) -> None:
    """Raise a LibraryError that names the file where a value is NaN or infinite."""
    blocks = row_blocks(len(values), values[:1].size)
    if bad := sum(int((~np.isfinite(values[rows])).sum()) for rows in blocks):
        raise LibraryError(f"{path}: {bad} NaN or infinite values")


def write_table(path: str, table: Table) -> None:
    """ECSV, numbers with 8 digits: more than any figure needs, and the same on every machine.

    Line breaks in text become spaces: ECSV has a row a line.
    """
    for name in table.colnames:
        for i, value in enumerate(table[name]):
            if isinstance(value, str) and len(value.splitlines()) > 1:
                table[name][i] = " ".join(value.splitlines())
        if table[name].dtype.kind == "f":
            column = table[name]
            values = np.ma.filled(np.ma.asarray(column), np.nan)  # NaN: a parameter not known
            rounded = [float(f"{value:.8g}") for value in values]
            table[name] = Column(rounded, unit=column.unit, description=column.description)
    with replacing(path) as part:
        table.write(part, format="ascii.ecsv", overwrite=True)


def read_table(path: str) -> Table:
    return Table.read(path, format="ascii.ecsv")


def read_members(path: str) -> list[str]:
    """The class of each spectrum, from the table of the selection."""
    return list(read_table(path)["class"])


def write_components(path: str, components: np.ndarray) -> None:
    """Components of many fits, (n_fits, k, n_wave), as one FITS image."""
    with replacing(path) as part:
        fits.PrimaryHDU(components).writeto(part, overwrite=True)


def read_components(path: str) -> np.ndarray:
    """(n_fits, k, n_wave)."""
    with fits.open(path, memmap=False) as hdus:
        components = hdus[0].data.astype(float)
    check_finite(path, components)
    return components


def write_fits_table(path: str, table: Table) -> None:
    """A table whose columns may hold arrays, in full precision."""
    with replacing(path) as part:
        table.write(part, format="fits", overwrite=True)


def read_fits_table(path: str) -> Table:
    return Table.read(path, format="fits")


class Resamples(NamedTuple):
    """Fits of resamples: their components, in the order of the fit's, and what they had.

    components : (n_resamples, k, n_wave)
    counts : (n_resamples, n_spectra), how often each has each spectrum
    noise : (n_resamples or 0, k, n_wave), the components where the noise was resampled
    n_not_converged : how many of all these fits stopped before their tolerance
    """

    components: np.ndarray
    counts: np.ndarray
    noise: np.ndarray
    n_not_converged: int


def no_resamples(components: np.ndarray, flux: np.ndarray) -> Resamples:
    """None, of components (k, n_wave) and spectra (n_spectra, n_wave)."""
    none = components[None][:0]
    return Resamples(none, np.empty((0, len(flux)), int), none, 0)


def write_resamples(path: str, resamples: Resamples) -> None:
    """As FITS images, the components in float32."""
    image = fits.PrimaryHDU(resamples.components.astype(np.float32))
    image.header["MISSED"] = (resamples.n_not_converged, "fits that did not converge")
    hdus = [image, fits.ImageHDU(resamples.counts.astype(np.int32), name="COUNTS")]
    if len(resamples.noise):
        hdus.append(fits.ImageHDU(resamples.noise.astype(np.float32), name="NOISE"))
    with replacing(path) as part:
        fits.HDUList(hdus).writeto(part, overwrite=True)


def read_resamples(paths: Sequence[str], components: np.ndarray, n_spectra: int) -> Resamples:
    """Those of several files as one; none where there is no file.

    components : (k, n_wave), those that the resamples are matched to
    """
    none = np.empty((0, *components.shape))
    parts = {"components": [none], "noise": [none], "counts": [np.empty((0, n_spectra), dtype=int)]}
    missed = 0
    for path in paths:
        with fits.open(path, memmap=False) as hdus:
            parts["components"].append(hdus[0].data.astype(float))
            parts["counts"].append(hdus["COUNTS"].data.astype(int))
            if "NOISE" in hdus:
                parts["noise"].append(hdus["NOISE"].data.astype(float))
            missed += int(hdus[0].header["MISSED"])
        check_finite(path, parts["components"][-1])
        check_finite(path, parts["noise"][-1])
    joined = {name: np.concatenate(of_files) for name, of_files in parts.items()}
    return Resamples(n_not_converged=missed, **joined)


def component_names(n: int) -> list[str]:
    return [f"component_{i}" for i in range(1, n + 1)]


def read_weights(path: str, names: list[str]) -> np.ndarray:
    """(n_spectra, k) of the components of these names."""
    table = read_table(path)
    weights = np.transpose([table[name] for name in names])
    check_finite(path, weights)
    return weights


def write_factors(
    components_path: str,
    weights_path: str,
    wavelength: np.ndarray,
    components: np.ndarray,
    weights: np.ndarray,
    selection: Table,
) -> None:
    """The two tables of a factorisation.

    Parameters
    ----------
    components_path, weights_path : str
        Where the tables go.
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    components : ndarray of shape (k, n_wave)
        A column each in their table.
    weights : ndarray of shape (n_spectra, k)
        A row a spectrum in their table.
    selection : Table
        The spectra, of which the weights' table has file and class.
    """
    names = component_names(len(components))
    write_curves(components_path, wavelength, dict(zip(names, components, strict=True)))
    table = selection["file", "class"]
    table.meta = {}
    for name, column in zip(names, np.transpose(weights), strict=True):
        table[name] = column
    write_table(weights_path, table)
