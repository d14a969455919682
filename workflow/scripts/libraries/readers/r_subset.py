"""The R list of the paper's package: wavelength, matrix, metadata with file names."""

import io
import warnings

import numpy as np

from .. import LibraryError
from . import files
from .spectrum import Spectrum


def read(path, source):
    import rdata

    for name, content in files.opened(path, source, source["members"]):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # rdata warns of attributes that it drops
                subset = rdata.read_rds(io.BytesIO(content))
            wavelength = np.asarray(subset["wavelength"], dtype=np.float64)
            matrix = np.asarray(subset["matrix"], dtype=np.float64)
            metadata = subset["metadata"]
        except Exception as error:  # rdata raises whatever the bytes lead it to
            raise LibraryError(f"{name}: not the subset's R list ({error!r})") from error
        if matrix.shape != (len(metadata), len(wavelength)) or not matrix.size:
            raise LibraryError(
                f"{name}: {matrix.shape} fluxes for {len(metadata)} rows and "
                f"{len(wavelength)} channels"
            )
        for flux, (_, row) in zip(matrix, metadata.iterrows(), strict=True):
            yield Spectrum(row["filename"], wavelength, flux, row.to_dict())
