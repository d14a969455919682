"""The picture of a scan: quantities of its fits over the number of components."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spectralunmix.figures.style import COLOURS, heading, logarithmic_axis
from spectralunmix.scan import best_start

MARKERS = "osD^vPX*"
PANELS = [
    ("objective", "Objective", "log"),
    ("distance", "Mean distance to the prototypes assigned", "linear"),
    ("unexplained", "Share of the sum of squares not explained", "log"),
    ("from_best", "Mean distance to the components of the best start", "symlog"),
]


def draw(fits: pd.DataFrame, library: str, metric: str) -> Figure:
    """Draw a point for each fit over the number of components, and a line through the best.

    Parameters
    ----------
    fits : DataFrame
        A row for each fit, with the columns of PANELS.
    library : str
        The library's name.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(2, 2, figsize=(7.1, 5.6), layout="constrained")
    levels = sorted(fits["smoothness"].unique())
    for ax, letter, (name, title, scale) in zip(axes.flat, "ABCD", PANELS, strict=True):
        for i, level in enumerate(levels):
            of = fits[fits["smoothness"] == level]
            line = of.groupby("n_components")[name].median()
            if name != "from_best":
                line = of[of.index == best_start(of)].set_index("n_components")[name].sort_index()
            style = {"color": COLOURS[i % 7], "marker": MARKERS[i % 8]}
            beside = 0.14 * (i - (len(levels) - 1) / 2)
            points = {"ls": "", "ms": 2.5, "mew": 0, "alpha": 0.6}
            ax.plot(of["n_components"] + beside, of[name], **points, **style)
            ax.plot(
                line.index + beside, line, lw=0.8, ms=4, mfc="none", label=f"{level:g}", **style
            )
        ax.set(xlabel="Number of components", yscale=scale)
        if scale == "symlog":
            ax.set_yscale("symlog", linthresh=1e-4)
            ax.set_ylim(bottom=0)
        if scale != "linear":
            logarithmic_axis(ax.yaxis)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        heading(ax, letter, title)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    n_starts = fits["start"].nunique()
    fig.legend(
        handles,
        [f"λ = {label}" for label in labels],
        loc="outside lower center",
        ncols=len(levels),
        title=f"points: {n_starts} starts; lines: the start of least objective (D: the median); "
        f"distances: {metric}",
    )
    fig.suptitle(f"{library}: scan", x=0.01, ha="left", weight="bold")
    return fig
