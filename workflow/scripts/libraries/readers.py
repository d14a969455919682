"""Readers: one function a format, each giving the spectra of a source.

    reader(path, source) -> iterator of Spectrum

path is the fetched file or folder, source its entry in config/libraries/*.yaml.
"""

import dataclasses
import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from . import LibraryError, archives

# Spellings found in libraries that astropy's unit parser refuses.
UNIT_ALIASES = {"angstroms": "Angstrom"}
PLAUSIBLE = (100.0, 1e7)  # Angstrom: far ultraviolet to a millimetre


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """file : name; wavelength : (n_wave,) Angstrom; flux : (n_wave,); header : cards or columns."""

    file: str
    wavelength: np.ndarray
    flux: np.ndarray
    header: Mapping[str, Any]


def read(path: Path, source: dict) -> Iterator[Spectrum]:
    """The spectra of a source, each with a plausible, increasing wavelength axis."""
    for spectrum in READERS[source["reader"]](path, source):
        wave = spectrum.wavelength
        if wave.shape != spectrum.flux.shape or wave.ndim != 1:
            raise LibraryError(
                f"{spectrum.file}: wavelength {wave.shape} and flux {spectrum.flux.shape} differ"
            )
        if not (np.diff(wave) > 0).all():
            raise LibraryError(f"{spectrum.file}: wavelengths do not increase throughout")
        if wave[0] < PLAUSIBLE[0] or wave[-1] > PLAUSIBLE[1]:
            raise LibraryError(
                f"{spectrum.file}: wavelengths of {wave[0]:.6g} to {wave[-1]:.6g} Angstrom are not "
                "plausible; is the axis or its unit another than the library's entry says?"
            )
        yield spectrum


def fits_image(path: Path, source: dict) -> Iterator[Spectrum]:
    """One FITS file a spectrum: the primary image, its axis linear or log10 in Angstrom."""
    for name, content in archives.members(path, source["members"]):
        hdu = _open(name, content)[0]
        header, flux = hdu.header, hdu.data
        step = header.get("CDELT1", header.get("CD1_1"))
        if flux is None or step is None or "CRVAL1" not in header:
            raise LibraryError(f"{name}: no primary image with CRVAL1 and CDELT1 or CD1_1")
        pixel = np.arange(1, flux.shape[-1] + 1) - header.get("CRPIX1", 1)
        axis = header["CRVAL1"] + step * pixel
        wavelength = 10**axis if source["axis"] == "log10" else axis
        yield Spectrum(name, wavelength, flux.astype(np.float64), dict(header))


def fits_table(path: Path, source: dict) -> Iterator[Spectrum]:
    """One FITS file a spectrum: columns WAVELENGTH and FLUX of the first table."""
    for name, content in archives.members(path, source["members"]):
        hdus = _open(name, content)
        try:
            table = hdus[1]
            wavelength, flux = (table.data[c].astype(np.float64) for c in ("WAVELENGTH", "FLUX"))
        except (IndexError, KeyError) as error:
            raise LibraryError(f"{name}: no table with columns WAVELENGTH and FLUX") from error
        unit = table.columns["WAVELENGTH"].unit
        try:
            to_angstrom = units.Unit(UNIT_ALIASES.get(unit, unit)).to(units.Angstrom)
        except (ValueError, TypeError, units.UnitConversionError) as error:
            raise LibraryError(f"{name}: wavelength unit '{unit}' is not understood") from error
        yield Spectrum(name, wavelength * to_angstrom, flux, dict(hdus[0].header))


def rds_subset(path: Path, source: dict) -> Iterator[Spectrum]:
    """The R list of the paper's package: wavelength, matrix, metadata with file names."""
    import rdata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rdata warns of attributes that it drops
            content = rdata.read_rds(path)
        wavelength = np.asarray(content["wavelength"], dtype=np.float64)
        matrix = np.asarray(content["matrix"], dtype=np.float64)
        metadata = content["metadata"]
    except Exception as error:  # rdata raises whatever the bytes lead it to
        raise LibraryError(f"{path}: not the subset's R list ({error!r})") from error
    if matrix.shape != (len(metadata), len(wavelength)) or not matrix.size:
        raise LibraryError(
            f"{path}: {matrix.shape} fluxes for {len(metadata)} rows and {len(wavelength)} channels"
        )
    for flux, (_, row) in zip(matrix, metadata.iterrows(), strict=True):
        yield Spectrum(row["filename"], wavelength, flux, row.to_dict())


READERS = {"fits_image": fits_image, "fits_table": fits_table, "rds_subset": rds_subset}


def _open(name: str, content: bytes) -> fits.HDUList:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyUserWarning)  # a wrong checksum only warns
            hdus = fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=False, checksum=True)
            for hdu in hdus:
                hdu.data  # noqa: B018  read now, so that a cut-off file fails here
            return hdus
    except (OSError, ValueError, TypeError, Warning) as error:
        raise LibraryError(f"{name}: not a whole FITS file ({error})") from error
