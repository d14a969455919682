"""The selected spectra: rebinned to the same channels, as a table, and in words."""

import logging
from typing import Any

import numpy as np
import pandas as pd
from astropy.table import Table

from spectralunmix.libraries import grids
from spectralunmix.libraries.readers import Spectrum, has_uncertainties
from spectralunmix.libraries.survey import Survey

log = logging.getLogger(__name__)
OWN_COLUMNS = {
    "class_rank": {"description": "rank in the class, sorted as selection.order says"},
    "class_size": {"description": "members of the class in this source"},
    "divisor": {"description": "what the spectrum was divided by, see normalisation"},
    "n_filled": {"description": "channels without a flux, filled by straight lines"},
    "n_clipped": {"description": "channels below zero, set to zero"},
}


def on_one_grid(survey: Survey, grid: dict[str, Any]) -> tuple[np.ndarray, list[Spectrum]]:
    """The spectra that a survey selected, in the same channels.

    Parameters
    ----------
    survey : Survey
        The library.
    grid : dict
        The grid of the entry. What it does not give is taken from the spectra.

    Returns
    -------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    spectra : list of Spectrum
    """
    spectra = [survey.spectra[i] for i in survey.chosen.index]
    wavelength = grids.stated(grid)
    if wavelength is None:
        wavelength, how = grids.decided([s.wavelength for s in spectra], grid)
        log.info("wavelengths: %s", how)
    return wavelength, [grids.on_grid(s, wavelength) for s in spectra]


def as_table(
    chosen: pd.DataFrame,
    arrays: dict[str, Any],
    columns: dict[str, dict[str, str]],
    meta: dict[str, Any],
) -> Table:
    """The table of selected spectra, with the parameters that the entry describes.

    Parameters
    ----------
    chosen : DataFrame
        A row for each selected spectrum.
    arrays : dict
        The result of `quality.normalised`.
    columns : dict of dict
        Description and unit of the parameters, by name.
    meta : dict
        The table's metadata.

    Returns
    -------
    Table
    """
    first = ["file", "class", "class_rank", "class_size"]
    last = ["divisor", "n_filled", "n_clipped"]
    chosen = chosen.assign(**{name: arrays[name] for name in last})
    table = Table.from_pandas(chosen[[*first, *columns, *last]], index=False)
    for name, about in (OWN_COLUMNS | columns).items():
        table[name].description = about["description"]
        table[name].unit = about.get("unit")
    table.meta = meta
    return table


def described(
    entry: dict[str, Any], fetched: dict[str, Any], left_out: dict[str, str]
) -> dict[str, Any]:
    """The metadata of the table of selected spectra.

    Parameters
    ----------
    entry : dict
        The library's entry.
    fetched : dict
        The record of its download.
    left_out : dict of str
        The reason why a spectrum was left out, by file.

    Returns
    -------
    dict
    """
    return {
        "library": entry["name"],
        "citation": entry["citation"],
        "source": fetched["source"]["description"],
        "sha256": fetched["sha256"],
        "medium": entry["medium"],
        "normalisation": entry["normalisation"],
        "notes": entry["notes"],
        "left_out": left_out,
    }


def what_is_selected(
    flux: np.ndarray, inverse_variance: np.ndarray | None, source: dict[str, Any]
) -> str:
    """A line with the number of spectra and channels, and what is known of their noise.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None
        The inverse variance of each value.
    source : dict
        The source of the spectra.

    Returns
    -------
    str
    """
    text = f"{flux.shape[0]} spectra of {flux.shape[1]} channels selected"
    if inverse_variance is None:
        return text
    share = f"{100 * np.mean(inverse_variance == 0):.3g} % of the values"
    if has_uncertainties(source):
        return f"{text}, with uncertainties, {share} missing or masked"
    return f"{text}, {share} missing"
