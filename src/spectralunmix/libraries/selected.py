"""Label the library's spectra and select: spectra.fits the matrix, selection.ecsv its rows."""

import logging

import numpy as np
import pandas as pd
from astropy.table import Table

from spectralunmix.libraries import grids
from spectralunmix.libraries.readers import Spectrum, has_uncertainties


def on_one_grid(
    spectra: list[Spectrum], grid: dict, log: logging.Logger
) -> tuple[np.ndarray, list[Spectrum]]:
    """Wavelength (n_wave,) and the spectra on it."""
    wavelength = grids.stated(grid)
    if wavelength is None:
        wavelength, how = grids.decided([s.wavelength for s in spectra], grid)
        log.info("wavelengths: %s", how)
    return wavelength, [grids.on_grid(s, wavelength) for s in spectra]


def as_table(chosen: pd.DataFrame, columns: dict, meta: dict) -> Table:
    """The selection with the parameters that the library's entry describes."""
    own = {
        "class_rank": {"description": "rank in the class, sorted as selection.order says"},
        "class_size": {"description": "members of the class in this source"},
        "divisor": {"description": "what the spectrum was divided by, see normalisation"},
        "n_filled": {"description": "channels without a flux, filled by straight lines"},
        "n_clipped": {"description": "channels below zero, set to zero"},
    }
    first, last = (
        ["file", "class", "class_rank", "class_size"],
        ["divisor", "n_filled", "n_clipped"],
    )
    table = Table.from_pandas(chosen[[*first, *columns, *last]], index=False)
    for name, about in (own | columns).items():
        table[name].description = about["description"]
        table[name].unit = about.get("unit")
    table.meta = meta
    return table


def what_is_selected(flux: np.ndarray, inverse_variance: np.ndarray | None, source: dict) -> str:
    """How many spectra and channels, and what weighs them."""
    text = f"{flux.shape[0]} spectra of {flux.shape[1]} channels selected"
    if inverse_variance is None:
        return text
    share = f"{100 * np.mean(inverse_variance == 0):.3g} % of the channels"
    if has_uncertainties(source):
        return f"{text}, weighted by their uncertainties, {share} without weight"
    return f"{text}, {share} missing"
