"""Whether fits from other starts end with the same components."""

import logging
import warnings
from typing import Any

import numpy as np
from astropy.table import Table
from sklearn.exceptions import ConvergenceWarning

from spectralunmix import model_selection
from spectralunmix.comparison import in_order_of, root_mean_square
from spectralunmix.estimator import SmoothNMF, scan_smoothness
from spectralunmix.model_selection import NEAR
from spectralunmix.nmf.starts import random_starts, starting_components

ALIKE = 0.01  # rms distance of components with maximum 1 that cannot be seen in a figure
DECIMALS = 10  # in the table: further decimals are rounding
SETTINGS = "n_components", "smoothness", "max_iter", "tol", "random_state"  # shared by all fits
FIXED = "nndsvd", "spa"  # starts that do not depend on a seed


def start_names(n_starts: int, random_state: int) -> list[str]:
    """The names of the starts: `init` in the configuration, and the seed of a random start."""
    seeds = range(random_state, random_state + n_starts)
    return [*FIXED, *(f"random {seed}" for seed in seeds)]


def from_all_starts(
    flux: np.ndarray,
    n_starts: int,
    *,
    inverse_variance: np.ndarray | None = None,
    n_components: int,
    smoothness: float,
    max_iter: int,
    tol: float,
    random_state: int,
) -> list[SmoothNMF]:
    """Fit from the starts NNDSVD and SPA, and from random starts, side by side.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    n_starts : int
        Number of random starts. Their seeds begin with `random_state` and rise by 1.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None, default None
        The inverse variance of each value.
    n_components, smoothness, max_iter, tol, random_state
        The same as those of `SmoothNMF`.

    Returns
    -------
    list of SmoothNMF
        In the order of `start_names`.
    """
    v, k = inverse_variance, n_components
    seeds = range(random_state, random_state + n_starts)
    fixed = [starting_components(flux, k, init, inverse_variance=v) for init in FIXED]
    init = np.concatenate([*fixed, random_starts(flux, k, seeds, inverse_variance=v)])
    model = SmoothNMF(k, init=init, max_iter=max_iter, tol=tol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the table says it
        (models,) = scan_smoothness(model, flux, [smoothness], inverse_variance=v, every_start=True)
    return models


def changes(reference: np.ndarray, components: np.ndarray) -> np.ndarray:
    """The distances of components to those of a reference, matched one to one.

    Parameters
    ----------
    reference, components : ndarray of shape (k, n_wave)

    Returns
    -------
    ndarray of shape (k,)
        In the order of the reference: the root mean square difference over wavelength, where each
        component is divided by its maximum.
    """
    matched = in_order_of(reference, components)
    return np.diag(root_mean_square(reference, matched))


def above(objective: float, least: float, squares: float) -> float:
    """`model_selection.above`, rounded to the digits that are significant."""
    return round(model_selection.above(objective, least, squares), DECIMALS) + 0.0  # not -0.0


def lowest(models: list[SmoothNMF], squares: float) -> int:
    """The index of the first fit whose objective is the lowest, apart from rounding."""
    objectives = [float(model.objective_[-1]) for model in models]
    return [above(value, min(objectives), squares) for value in objectives].index(0)


def table_of_starts(models: list[SmoothNMF], names: list[str], squares: float) -> Table:
    """A row for each start, with the distance of its fit to the fit of lowest objective.

    Parameters
    ----------
    models : list of SmoothNMF
        The fits.
    names : list of str
        Their starts.
    squares : float
        The sum of squares of the spectra, times the inverse variance if there is one.

    Returns
    -------
    Table
    """
    best = models[lowest(models, squares)]
    rows = []
    for name, model in zip(names, models, strict=True):
        over = above(float(model.objective_[-1]), float(best.objective_[-1]), squares)
        change = changes(best.components_, model.components_)
        rows.append(
            {
                "start": name,
                "objective": float(model.objective_[-1]),
                "above_lowest": over,
                "near": over <= NEAR,
                **_largest_and_rms(change),
                "optimality": float(f"{model.optimality_[-1]:.1e}"),
                "converged": bool(model.converged_),
                "n_iter": model.n_iter_,
            }
        )
    return Table(rows)


def numbers(
    table: Table,
    models: list[SmoothNMF],
    objective: float,
    components: np.ndarray,
    squares: float,
) -> dict[str, Any]:
    """The statement of the starts on the configured fit, in numbers and in words.

    Parameters
    ----------
    table : Table
        Of the starts, see `table_of_starts`.
    models : list of SmoothNMF
        Their fits.
    objective : float
        That of the configured fit.
    components : ndarray of shape (k, n_wave)
        Those of the configured fit.
    squares : float
        As in `table_of_starts`.

    Returns
    -------
    dict
    """
    near, other = table[table["near"]], table[~table["near"]]
    first = lowest(models, squares)
    least = float(table["objective"][first])
    change = changes(models[first].components_, components)
    said = {
        "n_starts": len(table),
        "n_near": len(near),
        "n_not_converged": int((~table["converged"]).sum()),
        "near": NEAR,
        "lowest_objective": least,
        "lowest_start": str(table["start"][first]),
        "spread": _spread(near),
        "others": _spread(other) | {"above_lowest": _largest(other["above_lowest"])},
        "configured": {
            "objective": objective,
            "above_lowest": above(objective, least, squares),
            **_largest_and_rms(change),
        },
    }
    return said | {"statement": statement(said)}


def statement(said: dict[str, Any]) -> str:
    """The numbers of `numbers` in words: what the starts show, and what they cannot."""
    sentences = [_of_near(said)]
    if others := said["n_starts"] - said["n_near"]:
        percent, distance = (
            100 * said["others"]["above_lowest"],
            said["others"]["largest_distance"],
        )
        sentences.append(
            f"The other {others} end up to {percent:.2g} % above it, with components as far as "
            f"{distance:.2g} from its own."
        )
    if missed := said["n_not_converged"]:
        sentences.append(f"{missed} of the {said['n_starts']} fits did not converge.")
    sentences.append(_of_configured(said))
    sentences.append("Starts can show that there is another solution, not that there is none.")
    return " ".join(sentences)


def line_of_log(said: dict[str, Any]) -> tuple[int, str]:
    """A line for the log, and its level, which is that of a warning where a fit is better."""
    if said["configured"]["above_lowest"] > said["near"]:
        return logging.WARNING, _of_configured(said)
    return logging.INFO, f"{said['n_near']} of {said['n_starts']} starts end as low as the best"


def _of_near(said: dict[str, Any]) -> str:
    """A sentence on the starts that end as low as the best."""
    n, near, far = said["n_starts"], said["n_near"], said["spread"]["largest_distance"]
    within = f"within {said['near']:g} (relative) of the lowest objective"
    if near == 1 < n:
        return f"Of {n} starts one alone ends {within}: more starts are needed to trust it."
    which = f"All {n} starts" if near == n else f"{near} of {n} starts"
    measure = "(root mean square over wavelength, maxima being 1)"
    if far > ALIKE:
        return (
            f"{which} end {within}, but their components differ from its own by up to {far:.2g} "
            f"{measure}: the spectra do not tell these solutions apart."
        )
    return (
        f"{which} end {within}, and no component of theirs differs from its own by more than "
        f"{max(far, 10.0**-DECIMALS):.1e} {measure}: from these starts they are one solution."
    )


def _of_configured(said: dict[str, Any]) -> str:
    """Whether the fit of the figure is as low as the best, and if not, the way out."""
    over, far = said["configured"]["above_lowest"], said["configured"]["largest_distance"]
    if over > said["near"]:
        init, _, seed = said["lowest_start"].partition(" ")
        with_seed = f" and smooth_nmf.random_state: {seed}" if seed else ""
        return (
            f"The fit shown here is NOT the best one: its objective is {100 * over:.2g} % above "
            f"the lowest, and its components are as far as {far:.2g} from those. To take the "
            f"better one, set smooth_nmf.init: {init}{with_seed}; to look for one that is better "
            "still, raise uniqueness.n_starts."
        )
    if over < -said["near"]:
        return f"The fit shown here is {-100 * over:.2g} % below the lowest of these starts."
    return (
        f"The fit shown here is as low as the best, its components within "
        f"{max(far, 10.0**-DECIMALS):.1e}."
    )


def _largest_and_rms(change: np.ndarray) -> dict[str, float]:
    """The largest of the components' distances (k,), and their root mean square."""
    return {
        "largest_distance": round(float(change.max()), DECIMALS),
        "rms_distance": round(float(np.sqrt(np.mean(change**2))), DECIMALS),
    }


def _spread(rows: Table) -> dict[str, float]:
    """The largest distances of rows from the best, and the root mean square of all of them."""
    rms = np.asarray(rows["rms_distance"])
    return {
        "largest_distance": _largest(rows["largest_distance"]),
        "rms_distance": round(float(np.sqrt(np.mean(rms**2))) if len(rms) else 0.0, DECIMALS),
    }


def _largest(values: np.ndarray) -> float:
    return float(np.max(values, initial=0))
