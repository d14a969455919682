"""Objective and optimality over iterations: the run's fit, and the published scheme beside it."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from spectralunmix.figures.style import COLOURS, heading, logarithmic_axis
from spectralunmix.nmf.published import LEARNING_RATE


def how_it_compares(fit: dict[str, Any], published: np.ndarray) -> str:
    """Where both ended, in a line; the parameters are those of `draw`."""
    n_iter, objective, optimality = published[:, -1]
    return (
        f"published scheme, {n_iter:.0f} iterations: objective {objective:.9g}, optimality "
        f"{optimality:.1e}; this fit {fit['objective']:.9g}, {fit['optimality']:.1e}"
    )


def draw(fit: dict[str, Any], published: np.ndarray, library: str) -> Figure:
    """Objective above the lowest that either reached, and optimality, over iterations.

    Parameters
    ----------
    fit : dict
        What the run's fit says of itself, see `fit_report.numbers`.
    published : ndarray of shape (3, n_entries)
        The history of the published scheme, see `nmf.published.published_history`.
    library : str
        The library's name.

    Returns
    -------
    Figure
    """
    ours = fit["history"]
    lowest = min(ours["objective"][-1], published[1].min())
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.1), layout="constrained")
    styles = (
        {"color": COLOURS[0], "label": f"this fit: {fit['n_iter']} iterations"},
        {"color": COLOURS[3], "ls": "--", "label": f"published: Adam ({LEARNING_RATE}), clamped"},
    )
    curves = (
        (ours["objective_iterations"], ours["objective"]),
        (published[0], published[1]),
    )
    for (iterations, values), style in zip(curves, styles, strict=True):
        gap = np.array(values) / lowest - 1
        left.plot(np.array(iterations)[gap > 0], gap[gap > 0], **style)
    curves = (
        (ours["optimality_iterations"], ours["optimality"]),
        (published[0], published[2]),
    )
    for (iterations, values), style in zip(curves, styles, strict=True):
        right.plot(iterations, values, **style)
    if fit["tol"]:
        right.axhline(fit["tol"], color="black", lw=0.5, ls=":")
        right.text(1, fit["tol"] * 1.15, f"tol = {fit['tol']:g}", va="bottom")
    heading(left, "A", "Objective above the lowest reached, relative")
    heading(right, "B", "Optimality: relative projected gradient")
    for ax in (left, right):
        last = max(fit["n_iter"], published[0, -1])
        ax.set(xscale="symlog", yscale="log", xlabel="Iterations", xlim=(0, 1.2 * last))
        logarithmic_axis(ax.yaxis)
        ax.set_xticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    fig.suptitle(f"{library}: λ = {fit['smoothness']:g}", x=0.01, ha="left", weight="bold")
    return fig
