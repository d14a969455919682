"""The four-panel figure: prototypes, eigenspectra, components, and their distances."""

import json
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from figures import COLOURS, STYLE, heading, save, wavelength_axis
from spectra_files import read_curves, read_table
from step import step

GREYS = [
    ("#000000", "-"),
    ("#555555", (0, (4, 1))),
    ("#777777", (0, (4, 1, 1, 1))),
    ("#999999", "-"),
]
METRICS = {
    "rms": "RMS distance, components to prototypes",
    "angle": "Spectral angle (rad), components to prototypes",
}


def spectra_panel(ax, wavelength, spectra, styles, captions):
    """Curves (n, n_wave) over log wavelength, their captions in a row above the axes."""
    for flux, (colour, dashes), caption in zip(spectra, styles, captions, strict=True):
        ax.plot(wavelength, flux, color=colour, ls=dashes, label=caption)
    wavelength_axis(ax, wavelength[0], wavelength[-1])
    ax.tick_params(which="both", top=True, right=True)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.98),
        ncols=4,
        fontsize=6.5,
        handlelength=0.9,
        handletextpad=0.35,
        columnspacing=0.55,
    )


def prototypes_panel(ax, prototypes, labels, colour):
    wavelength, classes, flux = prototypes
    styles = [(colour[name], "-") for name in classes]
    spectra_panel(ax, wavelength, flux, styles, [labels[name] for name in classes])
    ax.set(ylabel="Flux / maximum", ylim=(0, 1.05))
    heading(ax, "A", "Class prototypes (median spectra)", pad=17)


def eigenspectra_panel(ax, pca, explained):
    wavelength, _, components = pca
    scaled = components / np.abs(components).max(axis=1, keepdims=True)
    captions = [f"{i}: {share:.1%}" for i, share in enumerate(explained, 1)]
    spectra_panel(ax, wavelength, scaled, [GREYS[i % 4] for i in range(len(scaled))], captions)
    ax.axhline(0, color="black", lw=0.4)
    ax.set(ylabel="Eigenspectrum / largest absolute", ylim=(-1.1, 1.1))
    heading(ax, "B", "PCA eigenspectra, share of variance", pad=17)


def components_panel(ax, nmf, class_of, classes, labels, colour, smoothness):
    """Components, in the order of the classes they are assigned to."""
    wavelength, names, components = nmf
    order = sorted(names, key=lambda name: [*classes, None].index(class_of.get(name)))
    rows = [components[names.index(name)] for name in order]
    styles = [(colour.get(class_of.get(name), "#999999"), "-") for name in order]
    captions = [
        f"{names.index(name) + 1}: {labels.get(class_of.get(name), 'no class')}" for name in order
    ]
    spectra_panel(ax, wavelength, [row / row.max() for row in rows], styles, captions)
    ax.set(ylabel="Component / maximum", ylim=(0, 1.05))
    heading(ax, "C", f"Smooth NMF components ($\\lambda$ = {smoothness:g})", pad=17)


def distance_map(ax, table, pairs, classes, largest):
    """Classes down, components across, the assigned pairs framed."""
    components = list(dict.fromkeys(table["component"]))
    value = {(row["class"], row["component"]): row["distance"] for row in table}
    assigned = {(row["class"], row["component"]) for row in pairs}
    grid = np.array([[value[c, k] for k in components] for c in classes])
    ax.imshow(grid, cmap="Blues", vmin=0, vmax=1.6 * largest, aspect="auto")
    for (i, j), distance in np.ndenumerate(grid):
        framed = (classes[i], components[j]) in assigned
        weight = "bold" if framed else "normal"
        ax.text(j, i, f"{distance:.2f}", ha="center", va="center", weight=weight)
        if framed:
            frame = Rectangle((j - 0.45, i - 0.45), 0.9, 0.9, fill=False, ec="black", lw=1.4)
            ax.add_patch(frame)
    ax.set_xticks(range(len(components)), range(1, len(components) + 1))
    ax.tick_params(length=0)


def distances_panel(axes, distances, assignments, classes, labels, metric):
    largest = distances["distance"].max()
    for ax, method in zip(axes, ("nmf", "pca"), strict=True):
        table, pairs = (t[t["method"] == method] for t in (distances, assignments))
        distance_map(ax, table, pairs, classes, largest)
        total = pairs["distance"].sum()
        ax.set_xlabel(f"{method.upper()} component\nframed: total {total:.2f}")
        ax.set_yticks([])
    axes[0].set_yticks(range(len(classes)), [labels[c].replace(" ", "\n") for c in classes])
    heading(axes[0], "D", METRICS[metric], pad=17)
    axes[0].text(
        0, 1.03, "framed: the one-to-one assignment", transform=axes[0].transAxes, size=6.5
    )


def draw(prototypes, pca, nmf, distances, assignments, labels, summary, width):
    classes = prototypes[1]
    colour = dict(zip(classes, COLOURS, strict=False))
    class_of = {row["component"]: row["class"] for row in assignments if row["method"] == "nmf"}
    fig = plt.figure(figsize=(width, 0.78 * width))
    margins = {"left": 0.065, "right": 0.985, "bottom": 0.1, "top": 0.875}
    slots = fig.add_gridspec(2, 2, **margins, wspace=0.22, hspace=0.47)
    prototypes_panel(fig.add_subplot(slots[0, 0]), prototypes, labels, colour)
    explained = summary["pca"]["explained_variance_ratio"]
    eigenspectra_panel(fig.add_subplot(slots[0, 1]), pca, explained)
    smoothness = summary["nmf"]["smoothness"]
    components_panel(
        fig.add_subplot(slots[1, 0]), nmf, class_of, classes, labels, colour, smoothness
    )
    maps = slots[1, 1].subgridspec(1, 2, wspace=0.08).subplots()
    distances_panel(maps, distances, assignments, classes, labels, summary["metric"])
    title = f"{summary['library']}: {summary['n_spectra']} spectra"
    fig.suptitle(title, x=0.065, y=0.985, ha="left", fontsize=9, weight="bold")
    return fig


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
            {name: rule["label"] for name, rule in snakemake.params.classes.items()},
            json.loads(Path(inputs.summary).read_text()),
            snakemake.params.width,
        )
        save(fig, snakemake.output.pdf, snakemake.output.png, snakemake.output.svg)
    log.info("figure drawn: %s", snakemake.output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
