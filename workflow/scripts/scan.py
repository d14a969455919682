"""The scan's fits in one table, with how much they depend on the start, and its picture."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Column, vstack
from matplotlib.ticker import MaxNLocator

from figures import COLOURS, STYLE, heading, save
from spectra_files import read_components, read_table, write_table
from spectralunmix import comparison
from step import step

MARKERS = "osD^vPX*"
PANELS = [
    ("objective", "Objective", "log"),
    ("distance", "Mean distance to the prototypes assigned", "linear"),
    ("unexplained", "Share of the sum of squares not explained", "log"),
    ("from_best", "Mean distance to the components of the best start", "symlog"),
]


def from_best(table, components, metric):
    """For each fit, how far its components lie from those of the start that ended lowest.

    Of the same number of components and smoothness; one to one, the mean of the distances.
    """
    found = np.empty(len(table))
    keys = np.array([table["n_components"], table["smoothness"]]).T
    for key in np.unique(keys, axis=0):
        rows = np.flatnonzero((keys == key).all(axis=1))
        best = components[rows[np.argmin(table["objective"][rows])]]
        for row in rows:
            distance, _ = comparison.distances(components[row], best, metric)
            found[row] = distance[comparison.assign(distance)].mean()
    return found


def draw(table, library, metric):
    """Over the number of components: a point a fit, a line through the best start of each."""
    fig, axes = plt.subplots(2, 2, figsize=(7.1, 5.6), layout="constrained")
    values = {name: np.array(table[name]) for name in table.colnames}
    values["unexplained"] = 1 - values["explained"]
    levels = list(dict.fromkeys(values["smoothness"]))
    for ax, letter, (name, title, scale) in zip(axes.flat, "ABCD", PANELS, strict=True):
        for i, level in enumerate(levels):
            of = values["smoothness"] == level
            style = {"color": COLOURS[i % 7], "marker": MARKERS[i % 8]}
            beside = 0.14 * (i - (len(levels) - 1) / 2)
            ranks = values["n_components"][of]
            ax.plot(ranks + beside, values[name][of], ls="", ms=2.5, mew=0, alpha=0.6, **style)
            line = []
            for rank in np.unique(ranks):
                rows = np.flatnonzero(of & (values["n_components"] == rank))
                best = rows[np.argmin(values["objective"][rows])]
                if name == "from_best":
                    line.append((rank, np.median(values[name][rows])))
                else:
                    line.append((rank, values[name][best]))
            x, y = np.transpose(line)
            ax.plot(x + beside, y, lw=0.8, ms=4, mfc="none", label=f"{level:g}", **style)
        ax.set(xlabel="Number of components", yscale=scale)
        if scale == "symlog":
            ax.set_yscale("symlog", linthresh=1e-4)
            ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        heading(ax, letter, title)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    n_starts = len(np.unique(values["start"]))
    fig.legend(
        handles,
        [f"$\\lambda$ = {label}" for label in labels],
        loc="outside lower center",
        ncols=len(levels),
        title=f"points: {n_starts} starts; lines: the start of least objective (D: the median); "
        f"distances: {metric}",
    )
    fig.suptitle(f"{library}: scan", x=0.01, ha="left", weight="bold")
    return fig


def main(snakemake, log):
    options, output = snakemake.params, snakemake.output
    parts = [read_table(path) for path in snakemake.input.tables]
    components = [each for path in snakemake.input.components for each in read_components(path)]
    table = vstack(parts)
    table["from_best"] = Column(from_best(table, components, options.metric))
    table.sort(["n_components", "smoothness", "start"])
    table.meta = {"metric": options.metric}
    write_table(output.table, table)
    with mpl.rc_context(STYLE):
        save(draw(table, options.library, options.metric), output.pdf, output.png, output.svg)
    log.info("%d fits, %d converged", len(table), table["converged"].sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
