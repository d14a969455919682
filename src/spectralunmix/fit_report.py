"""Numbers of fits for readers: how they ended, and how well they explain the spectra."""

from typing import Any

import numpy as np
import torch
from astropy.table import Table

from spectralunmix import SmoothNMF
from spectralunmix.files import BLOCK, row_blocks
from spectralunmix.inputs import is_dask

PROGRESS = 100  # iterations between two lines of the log, in a long fit
HISTORY = ("iterations", "objective", "optimality")


def lines_of_progress(flux: np.ndarray) -> int:
    """Iterations between two lines of the log; 1 where a pass over the spectra takes seconds."""
    return 1 if flux.size > BLOCK else PROGRESS


def sum_of_squares(flux: Any, inverse_variance: Any) -> float:
    """The sum of v x^2 over the spectra (n_spectra, n_wave); v is 1 without inverse variance."""
    if is_dask(flux):
        if inverse_variance is None:
            return float((flux.astype(float) ** 2).sum().compute())
        counted = flux.astype(float).map_blocks(np.nan_to_num)  # NaN has inverse variance 0
        return float((inverse_variance * counted**2).sum().compute())
    total = 0.0
    for rows in row_blocks(*flux.shape):
        squares = np.square(flux[rows], dtype=float)
        v = 1.0 if inverse_variance is None else inverse_variance[rows]
        total += float((v * squares).sum())
    return total


def n_counted(inverse_variance: Any) -> int:
    """How many values of the spectra count: those of inverse variance above 0."""
    if is_dask(inverse_variance):
        return int((inverse_variance > 0).sum().compute())
    return sum(
        int(np.count_nonzero(inverse_variance[rows]))
        for rows in row_blocks(*inverse_variance.shape)
    )


def numbers(
    model: SmoothNMF, flux: np.ndarray, inverse_variance: np.ndarray | None
) -> dict[str, Any]:
    """The numbers in the file of a fit; sums have the inverse variance as a factor.

    Parameters
    ----------
    model : SmoothNMF
        The fit.
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None
        The inverse variance of each value.

    Returns
    -------
    dict
    """
    components = torch.from_numpy(model.components_)
    explained = 1 - model.reconstruction_err_**2 / sum_of_squares(flux, inverse_variance)
    of_errors = {}
    if inverse_variance is not None:
        n_values = max(n_counted(inverse_variance), 1)
        of_errors["chi2_per_value"] = model.reconstruction_err_**2 / n_values
    return {
        "weighted": inverse_variance is not None,
        "smoothness": model.smoothness,
        "objective": model.objective_[-1],
        "sum_of_squared_residuals": model.reconstruction_err_**2,
        **of_errors,
        "explained_sum_of_squares": explained,
        "roughness": [float(r) for r in components.diff(dim=1).square().sum(dim=1)],
        "optimality": model.optimality_[-1],
        "tol": model.tol,
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
        "history": {name: getattr(model, f"{name}_").tolist() for name in HISTORY},
    }


def how_it_ended(fit: dict[str, Any]) -> str:
    """A line that says how a fit ended, from its `numbers`."""
    converged = "converged" if fit["converged"] else "NOT converged"
    chi2 = f", chi^2 per value {fit['chi2_per_value']:.3g}" if "chi2_per_value" in fit else ""
    return (
        f"objective {fit['objective']:.9g}, optimality {fit['optimality']:.1e} ({converged}) "
        f"after {fit['n_iter']} iterations{chi2}"
    )


def smoothness_table(models: list[SmoothNMF]) -> Table:
    """A row for each fit, with its residuals and the roughness of its components."""
    rows = [
        {
            "smoothness": float(model.smoothness),
            "objective": float(model.objective_[-1]),
            "sum_of_squared_residuals": float(model.reconstruction_err_**2),
            "roughness": float(np.square(np.diff(model.components_)).sum()),
            "converged": bool(model.converged_),
        }
        for model in models
    ]
    return Table(rows)
