"""Objective and optimality over iterations, of the run's fit and of the published schemes."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from spectralunmix.figures.style import COLOURS, heading, logarithmic_axis
from spectralunmix.published import LEARNING_RATE

ADAM = f"the R package's Adam ({LEARNING_RATE}), clamped"
PROXIMAL = "the paper's proximal gradient"
STYLES = {  # of each curve
    "this fit": {"color": COLOURS[0], "ls": "-"},
    PROXIMAL: {"color": COLOURS[1], "ls": "-."},
    ADAM: {"color": COLOURS[3], "ls": "--"},
}


def how_it_compares(fit: dict[str, Any], published: dict[str, np.ndarray]) -> str:
    """A line that says where every fit ended; the parameters are those of `draw`."""
    of_each = [
        f"{name}, {n_iter:.0f} iterations: objective {objective:.9g}, optimality {optimality:.1e}"
        for name, (n_iter, objective, optimality) in (
            (name, history[:, -1]) for name, history in published.items()
        )
    ]
    return "; ".join([*of_each, f"this fit {fit['objective']:.9g}, {fit['optimality']:.1e}"])


def draw(fit: dict[str, Any], published: dict[str, np.ndarray], library: str) -> Figure:
    """Draw the objective, relative to the lowest of all, and the optimality over iterations.

    Parameters
    ----------
    fit : dict
        The numbers of the run's fit, from `fit_report.numbers`.
    published : dict of str to ndarray of shape (3, n_entries)
        The histories of the published schemes, `ADAM` and `PROXIMAL`: iteration, objective and
        optimality, see `spectralunmix.published`.
    library : str
        The library's name.

    Returns
    -------
    Figure
    """
    ours = fit["history"]
    mine = np.stack([ours["iterations"], ours["objective"], ours["optimality"]])
    histories = {"this fit": mine} | published
    lowest = min(objective.min() for _, objective, _ in histories.values())
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.1), layout="constrained")
    for name, (iterations, objective, optimality) in histories.items():
        gap = objective / lowest - 1
        label = f"{name}: {iterations[-1]:.0f} iterations"
        left.plot(iterations[gap > 0], gap[gap > 0], label=label, **STYLES[name])
        right.plot(iterations, optimality, **STYLES[name])
    if fit["tol"]:
        right.axhline(fit["tol"], color="black", lw=0.5, ls=":")
        right.text(1, fit["tol"] * 1.15, f"tol = {fit['tol']:g}", va="bottom")
    heading(left, "A", "Objective above the lowest reached, relative")
    heading(right, "B", "Optimality: relative projected gradient")
    for ax in (left, right):
        last = max(iterations[-1] for iterations, _, _ in histories.values())
        ax.set(xscale="symlog", yscale="log", xlabel="Iterations", xlim=(0, 1.2 * last))
        logarithmic_axis(ax.yaxis)
        ax.set_xticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    fig.suptitle(f"{library}: λ = {fit['smoothness']:g}", x=0.01, ha="left", weight="bold")
    return fig
