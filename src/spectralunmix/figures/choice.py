"""The picture of a cross-validation: errors and stability over the number of components."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spectralunmix import CrossValidation
from spectralunmix.figures.style import COLOURS, heading, logarithmic_axis

MARKERS = "osD^vPX*"
BESIDE = 0.08  # shift along the axis between neighbouring smoothnesses, in components


def draw(found: CrossValidation, said: dict[str, Any], library: str) -> Figure:
    """Held-out error with bars, subsamples and starts; chi^2 where there are uncertainties.

    Parameters
    ----------
    found : CrossValidation
    said : dict
        As `choice.summary` gives it: the choice and what is configured are marked.
    library : str
        The library's name.

    Returns
    -------
    Figure
    """
    chi2 = said["uncertainties"] and np.isfinite(found.reduced_chi2).any()
    starts = np.isfinite(found.same_minimum).any()
    n = 2 + int(starts) + int(chi2)
    fig, axes = plt.subplots(1, n, figsize=(2.9 * n if n < 4 else 9.6, 3.3), layout="constrained")
    root = np.sqrt(found.mean)
    panel(axes[0], found, root, found.standard_error / (2 * root))
    axes[0].set(ylabel="Root mean square left of held-out spectra", ylim=(0, None))
    heading(axes[0], "A", "Held-out error (bars: 1 standard error)")
    for name, style in (
        ("chosen", {"ms": 11, "marker": "o", "mec": "black", "label": "chosen"}),
        ("configured", {"ms": 12, "marker": "s", "mec": "#777777", "label": "configured"}),
    ):
        at = said[name]
        j = list(found.smoothness).index(at["smoothness"])
        x = at["n_components"] + beside(found, j)
        axes[0].plot(x, at["rms"], ls="", mfc="none", mew=1.1, **style)
    panel(axes[1], found, found.subsample_distance)
    axes[1].set(ylabel="Mean RMS shift of the components (low: stable)", ylim=(0, None))
    heading(axes[1], "B", "Shift without the held-out spectra")
    if starts:
        panel(axes[2], found, found.same_minimum)
        axes[2].set(ylabel="Share of the other starts", ylim=(-0.04, 1.04))
        heading(axes[2], "C", "Starts that end at the same minimum")
    if chi2:
        panel(axes[-1], found, found.reduced_chi2)
        axes[-1].axhline(1, color="black", lw=0.5, zorder=1)
        axes[-1].set(ylabel="χ² over degrees of freedom", yscale="log")
        logarithmic_axis(axes[-1].yaxis)
        heading(axes[-1], "CD"[int(starts)], "Fit of all spectra, reduced χ²")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=9)
    fig.suptitle(f"{library}: how many components", x=0.01, ha="left", weight="bold")
    return fig


def beside(found: CrossValidation, j: int) -> float:
    """The shift of a smoothness along the axis of numbers of components."""
    return BESIDE * (j - (len(found.smoothness) - 1) / 2)


def panel(
    ax: Axes, found: CrossValidation, values: np.ndarray, bars: np.ndarray | None = None
) -> None:
    """A line for each smoothness over the number of components."""
    for j, smoothness in enumerate(found.smoothness):
        style: dict[str, Any] = {
            "color": COLOURS[j % len(COLOURS)],
            "marker": MARKERS[j % len(MARKERS)],
        }
        ax.errorbar(
            found.n_components + beside(found, j),
            values[:, j],
            None if bars is None else bars[:, j],
            label=f"λ = {smoothness:g}",
            ms=3.5,
            lw=0.8,
            capsize=1.5,
            **style,
        )
    ax.set(xlabel="Number of components")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
