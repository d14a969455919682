"""Fits over numbers of components, smoothness and starts: their numbers, and how they differ."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from astropy.table import Table

from spectralunmix import comparison

if TYPE_CHECKING:
    from spectralunmix import SmoothNMF

DECIMALS = 10  # of a distance: further ones are rounding, which may depend on the fits beside it


def table_of_fits(
    models: list[list["SmoothNMF"]],
    starts: range,
    sum_of_squares: float,
    prototypes: np.ndarray,
    metric: str,
) -> Table:
    """A row for each fit of one number of components.

    Parameters
    ----------
    models : list of list of SmoothNMF
        For each smoothness the fits from all starts, as `scan_smoothness` gives them.
    starts : range
        The numbers of the starts.
    sum_of_squares : float
        Of the spectra, times their weights where there are some.
    prototypes : ndarray of shape (n_classes, n_wave)
        What the components are compared with.
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
        # its further digits are rounding, which may depend on the fits beside it
        "optimality": float(f"{model.optimality_[-1]:.1e}"),
        "n_empty": int((model.components_.max(axis=1) == 0).sum()),
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
    }


def best_start(fits: pd.DataFrame) -> pd.Series:
    """For each fit, the row of the one of least objective among those that only start elsewhere."""
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
