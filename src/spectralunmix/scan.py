"""Tables of fits over numbers of components, smoothnesses and starts."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from astropy.table import Table

from spectralunmix import comparison

if TYPE_CHECKING:
    from spectralunmix import SmoothNMF

DECIMALS = 10  # of a distance: further decimals are rounding, and depend on the other fits


def table_of_fits(
    models: list[list["SmoothNMF"]],
    starts: range,
    sum_of_squares: float,
    prototypes: np.ndarray,
    metric: str,
) -> Table:
    """A row for each fit with a given number of components.

    Parameters
    ----------
    models : list of list of SmoothNMF
        For each smoothness the fits from all starts, as `scan_smoothness` gives them.
    starts : range
        The numbers of the starts.
    sum_of_squares : float
        The sum of squares of the spectra, times the inverse variance if there is one.
    prototypes : ndarray of shape (n_classes, n_wave)
        The prototypes, with which the components are compared.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    Table
    """
    rows = [
        numbers(model, start, sum_of_squares, prototypes, metric)
        for group in models
        for start, model in zip(starts, group, strict=True)
    ]
    return Table(rows)


def numbers(
    model: "SmoothNMF", start: int, sum_of_squares: float, prototypes: np.ndarray, metric: str
) -> dict[str, Any]:
    """The row of one fit; the parameters are those of `table_of_fits`."""
    return {
        "n_components": model.n_components,
        "smoothness": model.smoothness,
        "start": start,
        "objective": float(model.objective_[-1]),
        "explained": 1 - model.reconstruction_err_**2 / sum_of_squares,
        "distance": comparison.mean_distance(model.components_, prototypes, metric),
        # further digits are rounding, and depend on the other fits in the batch
        "optimality": float(f"{model.optimality_[-1]:.1e}"),
        "n_empty": int((model.components_.max(axis=1) == 0).sum()),
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
    }


def best_start(fits: pd.DataFrame) -> pd.Series:
    """For each fit, the row of the best fit among those that differ in the start alone."""
    return fits.groupby(["n_components", "smoothness"])["objective"].transform("idxmin")


def from_best(fits: pd.DataFrame, components: list[np.ndarray], metric: str) -> np.ndarray:
    """How far the components of each fit lie from those of the best start.

    Parameters
    ----------
    fits : DataFrame
        A row for each fit.
    components : list of ndarray of shape (k, n_wave)
        Those of each fit.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    ndarray of shape (n_fits,)
        The mean distance, one to one.
    """
    found = [
        comparison.mean_distance(own, components[row], metric)
        for own, row in zip(components, best_start(fits), strict=True)
    ]
    return np.round(found, DECIMALS)
