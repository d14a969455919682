"""Readers of spectra, with a module for each format.

    read(path, source) -> iterator of Spectrum

path is the fetched archive, and source is a source in an entry of config/libraries: its `members`
name the files with spectra, and its `options` say where wavelength and flux are in them.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from spectralunmix.files import read_has_uncertainties, read_json

from .. import LibraryError
from . import fits_image, fits_table, r_subset, text, votable
from .spectrum import Spectrum

__all__ = ["READERS", "Spectrum", "has_uncertainties", "noise_is_known", "read"]

READERS: dict[str, Callable[[Path, dict], Iterator[Spectrum]]] = {
    "fits_image": fits_image.read,
    "fits_table": fits_table.read,
    "text": text.read,
    "votable": votable.read,
    "r_subset": r_subset.read,
}
UNCERTAINTIES = ("uncertainty", "uncertainty_row", "uncertainty_extension")  # options
PLAUSIBLE = (100.0, 1e7)  # Angstrom: far ultraviolet to a millimetre


def read(path: Path, source: dict) -> Iterator[Spectrum]:
    """The spectra of a source, each with a plausible, increasing wavelength axis."""
    last: np.ndarray | None = None
    for spectrum in READERS[source["reader"]](path, source):
        # share the array of equal wavelengths, because a survey has tens of thousands of spectra
        if last is not None and np.array_equal(spectrum.wavelength, last):
            spectrum = dataclasses.replace(spectrum, wavelength=last)
        wave = last = spectrum.wavelength
        if wave.shape != spectrum.flux.shape or wave.ndim != 1 or len(wave) < 2:
            raise LibraryError(
                f"{spectrum.file}: wavelength {wave.shape} and flux {spectrum.flux.shape} do not "
                "make a spectrum"
            )
        if not (increasing := wave[1:] > wave[:-1]).all():
            row = increasing.argmin() + 1
            raise LibraryError(
                f"{spectrum.file}: wavelengths do not increase throughout: channel {row + 1} has "
                f"{wave[row]:.6g} Angstrom after {wave[row - 1]:.6g}"
            )
        if wave[0] < PLAUSIBLE[0] or wave[-1] > PLAUSIBLE[1]:
            raise LibraryError(
                f"{spectrum.file}: wavelengths of {wave[0]:.6g} to {wave[-1]:.6g} Angstrom are not "
                "plausible: is the axis (options.axis) or its unit (options.wavelength_unit) "
                "another than the library's entry says?"
            )
        yield spectrum


def noise_is_known(source_path: str, spectra_path: str) -> bool:
    """Whether spectra have uncertainties, as the source of a library or the file of a cube says."""
    of_library = has_uncertainties(read_json(source_path)["source"])
    return of_library or read_has_uncertainties(spectra_path)


def has_uncertainties(source: dict) -> bool:
    """Whether the spectra of a source have uncertainties, and not a mask alone."""
    return any(key in source["options"] for key in UNCERTAINTIES)
