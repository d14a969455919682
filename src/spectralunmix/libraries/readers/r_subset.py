"""The R list of the paper's package: wavelength, matrix, metadata with file names."""

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .. import LibraryError
from . import files
from .spectrum import Spectrum

XDR = b"X\n"  # how R writes it, once unpacked


def read(path: Path, source: dict) -> Iterator[Spectrum]:
    for name, content in files.opened(path, source, source["members"]):
        with files.taken_for(name, "the subset's R list"):
            yield from _spectra(name, content)


def _spectra(name: str, content: bytes) -> Iterator[Spectrum]:
    import rdata

    if not content.startswith(XDR):  # rdata would unpack what is compressed again, without limit
        raise ValueError(f"it begins with {content[:8]!r}, not with {XDR!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdata warns of attributes that it drops
        # without R's short forms of vectors, in which few bytes stand for any number of values
        subset = rdata.read_rds(io.BytesIO(content), altrep_constructor_dict={})
    wavelength = np.asarray(subset["wavelength"], dtype=np.float64)
    matrix = np.asarray(subset["matrix"], dtype=np.float64)
    metadata = subset["metadata"]
    if matrix.shape != (len(metadata), len(wavelength)) or not matrix.size:
        raise LibraryError(
            f"{name}: {matrix.shape} fluxes for {len(metadata)} rows and {len(wavelength)} channels"
        )
    for flux, (_, row) in zip(matrix, metadata.iterrows(), strict=True):
        yield Spectrum(str(row["filename"]), wavelength, flux, row.to_dict())
