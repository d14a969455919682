"""Where fits from many starts end: their objectives, and their components over each other."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectralunmix import SmoothNMF
from spectralunmix.comparison import in_order_of
from spectralunmix.figures.style import (
    COLOURS,
    Pairs,
    class_captions,
    curve_styles,
    heading,
    logarithmic_axis,
    wavelength_axis,
)
from spectralunmix.files import component_names

LINEAR = 1e-8  # the axis of objectives is linear below it
MOST_NAMED = 45  # starts whose names have room
OTHERS = "#8C8C8C"  # the grey of starts that end above the best


def draw(
    wavelength: np.ndarray,
    reference: np.ndarray,
    models: list[SmoothNMF],
    table: Table,
    said: dict[str, Any],
    pairs: Pairs,
    labels: dict[str, str],
    library: str,
) -> Figure:
    """On the left how far each start ended above the lowest objective, on the right with what.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    reference : ndarray of shape (k, n_wave)
        The components of the configured fit.
    models : list of SmoothNMF
        The fits from the starts.
    table : Table
        A row for each start, see `uniqueness.table_of_starts`.
    said : dict
        What they say of the configured fit, see `uniqueness.numbers`.
    pairs : dict
        Which component is assigned to which class, see `style.assigned`.
    labels : dict of str
        What a class is called, by its name.
    library : str
        The library's name.

    Returns
    -------
    Figure
    """
    k, names = len(reference), component_names(len(reference))
    height = max(1.35 * k + 0.9, 3.4)
    fig = plt.figure(figsize=(7.1, height), layout="constrained")
    grid = fig.add_gridspec(1, 2, width_ratios=[1, 1.9])
    above = said["configured"]["above_lowest"]
    _objectives(fig.add_subplot(grid[0]), table, above, said["near"])
    colours = {name: colour for name, (colour, _) in curve_styles(list(labels)).items()}
    panels = grid[1].subgridspec(k, 1).subplots(squeeze=False)[:, 0]
    captions = class_captions(names, pairs, labels).values()
    ordered = np.array([in_order_of(reference, model.components_) for model in models])
    as_low = np.asarray(table["near"])
    for j, (ax, caption, name) in enumerate(zip(panels, captions, names, strict=True)):
        colour = colours[pairs[name]["class"]] if name in pairs else "black"
        for curve in ordered[~as_low, j]:
            ax.plot(wavelength, curve, color=OTHERS, lw=0.5, ls=(0, (3, 1.5)))
        for curve in ordered[as_low, j]:
            ax.plot(wavelength, curve, color=colour, lw=0.7)
        heading(ax, chr(ord("B") + j), caption)
        ax.set(ylim=(0, 1.05))
        wavelength_axis(ax, wavelength[0], wavelength[-1])
        if j < k - 1:
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
    panels[(k - 1) // 2].set_ylabel("Component / maximum")
    fig.suptitle(f"{library}: fits from {len(table)} starts", x=0.01, ha="left", weight="bold")
    return fig


def _objectives(ax: Axes, table: Table, configured: float, near: float) -> None:
    """A row of the panel for each start, the lowest objective on top."""
    order = np.argsort(table["above_lowest"], kind="stable")
    values = np.asarray(table["above_lowest"])[order]
    as_low, rows = np.asarray(table["near"])[order], np.arange(len(order)) + 1
    style: dict[str, Any] = {"ls": "", "marker": "o", "ms": 3.5}
    ax.plot(values[as_low], rows[as_low], color="black", **style)
    ax.plot(values[~as_low], rows[~as_low], color=OTHERS, mfc="white", **style)
    ax.plot([max(configured, 0)], [0], color=COLOURS[3], **style | {"marker": "D"})
    ax.axvline(near, color="black", lw=0.6, ls=(0, (3, 2)))
    ax.set_xscale("symlog", linthresh=LINEAR)
    largest = max(values.max(), configured, 10 * near)
    ax.set(xlim=(-LINEAR / 2, 3 * largest), ylim=(len(order) + 0.7, -0.7))
    ax.set_xlabel("Objective above the lowest, relative")
    logarithmic_axis(ax.xaxis)
    every = 10.0 ** np.arange(-6, 9, 2)
    ax.set_xticks([0, *(tick for tick in every if tick <= 3 * largest)])
    if len(order) <= MOST_NAMED:
        said = [str(table["start"][i]) for i in order]
        ax.set_yticks([0, *rows], ["the run's fit", *said])
    else:
        ax.set_yticks([0], ["the run's fit"])
        ax.set_ylabel("Starts, by their objective")
    ax.tick_params(axis="y", length=0)
    heading(ax, "A", "Objectives")
