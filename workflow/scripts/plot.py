"""The four-panel figure: prototypes, eigenspectra, components, and their distances."""

import json
import math
from pathlib import Path
from textwrap import wrap

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from figures import STYLE, component_styles, curve_styles, heading, save, wavelength_axis
from spectra_files import read_curves, read_table
from step import step

GREYS = [
    ("#000000", "-"),
    ("#555555", (0, (4, 1))),
    ("#777777", (0, (4, 1, 1, 1))),
    ("#999999", "-"),
    ("#000000", (0, (1, 1))),
    ("#555555", "-"),
    ("#777777", (0, (4, 1))),
    ("#999999", (0, (1, 1))),
]
CAPTION_HEIGHT = 10  # points, of a row of captions
ONE_ROW = 17  # points from a panel to its heading, over one row of captions
METRICS = {
    "rms": "RMS distance, components to prototypes",
    "angle": "Spectral angle (rad), components to prototypes",
}


def captions_in_a_row(n):
    return 4 if n <= 4 else 3


def room(*numbers):
    """Points from panels of so many curves to their headings."""
    rows = max(math.ceil(n / captions_in_a_row(n)) for n in numbers)
    return ONE_ROW + CAPTION_HEIGHT * (rows - 1)


def spectra_panel(ax, wavelength, spectra, styles, captions):
    """Curves (n, n_wave) over log wavelength, their captions in a row above the axes."""
    for flux, (colour, dashes), caption in zip(spectra, styles, captions, strict=True):
        ax.plot(wavelength, flux, color=colour, ls=dashes, label=caption)
    wavelength_axis(ax, wavelength[0], wavelength[-1])
    ax.tick_params(which="both", top=True, right=True)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.98),
        ncols=captions_in_a_row(len(spectra)),
        fontsize=6.5,
        handlelength=0.9,
        handletextpad=0.35,
        columnspacing=0.55,
    )


def prototypes_panel(ax, prototypes, labels, pad):
    wavelength, classes, flux = prototypes
    styles = curve_styles(classes).values()
    spectra_panel(ax, wavelength, flux, styles, [labels[name] for name in classes])
    ax.set(ylabel="Flux / maximum", ylim=(0, 1.05))
    heading(ax, "A", "Class prototypes (median spectra)", pad=pad)


def eigenspectra_panel(ax, pca, explained, pad):
    wavelength, _, components = pca
    scaled = components / np.abs(components).max(axis=1, keepdims=True)
    captions = [f"{i}: {share:.1%}" for i, share in enumerate(explained, 1)]
    styles = [GREYS[i % len(GREYS)] for i in range(len(scaled))]
    spectra_panel(ax, wavelength, scaled, styles, captions)
    ax.axhline(0, color="black", lw=0.4)
    ax.set(ylabel="Eigenspectrum / largest absolute", ylim=(-1.1, 1.1))
    heading(ax, "B", "PCA eigenspectra, share of variance", pad=pad)


def components_panel(ax, nmf, class_of, classes, labels, smoothness, pad):
    """Components, in the order of the classes they are assigned to."""
    wavelength, names, components = nmf
    order = sorted(names, key=lambda name: [*classes, None].index(class_of.get(name)))
    rows = [components[names.index(name)] for name in order]
    styles = component_styles(order, class_of, classes)
    captions = [
        f"{names.index(name) + 1}: {labels.get(class_of.get(name), 'no class')}" for name in order
    ]
    spectra_panel(
        ax, wavelength, [row / (row.max() or 1) for row in rows], styles.values(), captions
    )
    ax.set(ylabel="Component / maximum", ylim=(0, 1.05))
    heading(ax, "C", f"Smooth NMF components ($\\lambda$ = {smoothness:g})", pad=pad)


def distance_map(ax, table, pairs, classes, largest):
    """Classes down, components across, the assigned pairs framed."""
    components = list(dict.fromkeys(table["component"]))
    value = {(row["class"], row["component"]): row["distance"] for row in table}
    assigned = {(row["class"], row["component"]) for row in pairs}
    grid = np.array([[value[c, k] for k in components] for c in classes])
    size = min(7, 36 / len(components))
    ax.imshow(grid, cmap="Blues", vmin=0, vmax=1.6 * largest, aspect="auto")
    for (i, j), distance in np.ndenumerate(grid):
        framed = (classes[i], components[j]) in assigned
        weight = "bold" if framed else "normal"
        ax.text(j, i, f"{distance:.2f}", ha="center", va="center", weight=weight, size=size)
        if framed:
            frame = Rectangle((j - 0.45, i - 0.45), 0.9, 0.9, fill=False, ec="black", lw=1.4)
            ax.add_patch(frame)
    ax.set_xticks(range(len(components)), range(1, len(components) + 1))
    ax.tick_params(length=0)


def distances_panel(axes, distances, assignments, classes, labels, metric, pad):
    largest = distances["distance"].max()
    for ax, method in zip(axes, ("nmf", "pca"), strict=True):
        table, pairs = (t[t["method"] == method] for t in (distances, assignments))
        distance_map(ax, table, pairs, classes, largest)
        total = pairs["distance"].sum()
        ax.set_xlabel(f"{method.upper()} component\nframed: total {total:.2f}")
        ax.set_yticks([])
    captions = [wrap(labels[c], 8, break_long_words=False, break_on_hyphens=False) for c in classes]
    size = min(7, 90 / max(map(len, captions)) / len(classes))
    axes[0].set_yticks(range(len(classes)), map("\n".join, captions), size=size)
    heading(axes[0], "D", METRICS[metric], pad=pad)
    axes[0].text(
        0, 1.03, "framed: the one-to-one assignment", transform=axes[0].transAxes, size=6.5
    )


def draw(prototypes, pca, nmf, distances, assignments, labels, summary, width):
    classes = prototypes[1]
    class_of = {row["component"]: row["class"] for row in assignments if row["method"] == "nmf"}
    above, below = room(len(classes), len(pca[1])), room(len(nmf[1]))
    fig, slots = page(width, above, below)
    prototypes_panel(fig.add_subplot(slots[0, 0]), prototypes, labels, above)
    explained = summary["pca"]["explained_variance_ratio"]
    eigenspectra_panel(fig.add_subplot(slots[0, 1]), pca, explained, above)
    smoothness = summary["nmf"]["smoothness"]
    components_panel(
        fig.add_subplot(slots[1, 0]), nmf, class_of, classes, labels, smoothness, below
    )
    maps = slots[1, 1].subgridspec(1, 2, wspace=0.08).subplots()
    distances_panel(maps, distances, assignments, classes, labels, summary["metric"], below)
    title = f"{summary['library']}: {summary['n_spectra']} spectra"
    fig.suptitle(title, x=0.065, y=0.985, ha="left", fontsize=9, weight="bold")
    return fig


def page(width, above, below):
    """A figure and its two by two slots, each of the size that it has with ONE_ROW above it."""
    height, above, below = 0.78 * width, (above - ONE_ROW) / 72, (below - ONE_ROW) / 72  # inches
    whole, slot = height + above + below, 0.775 * height / 2.47
    fig = plt.figure(figsize=(width, whole))
    bottom, top = 0.1 * height / whole, 1 - (0.125 * height + above) / whole
    margins = {"left": 0.065, "right": 0.985, "bottom": bottom, "top": top}
    return fig, fig.add_gridspec(2, 2, **margins, wspace=0.22, hspace=0.47 + below / slot)


def main(snakemake, log):
    inputs = snakemake.input
    with mpl.rc_context(STYLE):
        fig = draw(
            *(
                read_curves(p)
                for p in (inputs.prototypes, inputs.pca_components, inputs.nmf_components)
            ),
            read_table(inputs.distances),
            read_table(inputs.assignments),
            snakemake.params.labels,
            json.loads(Path(inputs.summary).read_text()),
            snakemake.params.width,
        )
        save(fig, snakemake.output.pdf, snakemake.output.png, snakemake.output.svg)
    log.info("figure drawn: %s", snakemake.output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
