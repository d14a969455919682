"""Components of several libraries side by side, and each one's applied to the others' spectra."""

import itertools
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from spectralunmix import SmoothNMF, comparison
from spectralunmix.figures.style import COLOURS, DASHES, assigned, wavelength_axis
from spectralunmix.files import (
    read_curves,
    read_inverse_variance,
    read_medium,
    read_spectra,
    read_table,
)
from spectralunmix.libraries import grids
from spectralunmix.libraries.readers import Spectrum


def in_vacuum(wavelength, medium, name, log):
    """Vacuum wavelengths of a library; as they are where the entry does not know."""
    if medium == "unknown":
        log.warning(
            "%s: in air or vacuum is unknown; taken as they are, wrong by 0.03 %% at most", name
        )
    return grids.in_vacuum(wavelength) if medium == "air" else wavelength


def rebinned(wavelength, rows, common, weights=None):
    """The rows on other channels, and their weights where they have some."""
    weights = [None] * len(rows) if weights is None else weights
    spectra = [
        grids.on_grid(Spectrum("", wavelength, row, {}, weight), common)
        for row, weight in zip(rows, weights, strict=True)
    ]
    if weights[0] is None:
        return np.array([s.flux for s in spectra]), None
    return tuple(np.transpose([(s.flux, s.inverse_variance) for s in spectra], (1, 0, 2)))


def explained(components, flux, counts=None):
    """Share of the sum of squares of flux (n_spectra, n_wave) that its best weights explain.

    counts : (n_spectra, n_wave), 1 where a value does and 0 where not; default all
    """
    model = SmoothNMF(len(components), smoothness=0)
    model.components_, model.n_features_in_ = components, components.shape[1]
    residual = flux - model.inverse_transform(model.transform(flux, inverse_variance=counts))
    counts = 1.0 if counts is None else counts
    return float(1 - (counts * residual**2).sum() / (counts * flux**2).sum())


def load(name, spectra, components, assignments, summary, log):
    """A library's components with the classes they are assigned to, and its spectra, in vacuum."""
    wavelength, names, components = read_curves(components)
    pairs = assigned(read_table(assignments), "nmf")
    return {
        "title": json.loads(Path(summary).read_text())["library"],
        "medium": (medium := read_medium(spectra)),
        "wavelength": in_vacuum(wavelength, medium, name, log),
        "components": components,
        "classes": [pairs[each]["class"] if each in pairs else None for each in names],
        "doubtful": {row["class"] for row in pairs.values() if row["doubtful"]},
        "flux": read_spectra(spectra)[1],
        "weight": read_inverse_variance(spectra),
    }


def on_common_range(libraries, common):
    for library in libraries.values():
        wavelength = library["wavelength"]
        library["common_components"], _ = rebinned(wavelength, library["components"], common)
        flux, weight = rebinned(wavelength, library["flux"], common, library["weight"])
        library["common_flux"] = flux
        library["counts"] = None if weight is None else (weight > 0).astype(float)


def pairs(libraries, metric):
    """Rows library, other, component, class, component and class there, distance; matched."""
    rows = []
    for a, b in itertools.permutations(libraries, 2):
        distance, _ = comparison.distances(
            libraries[a]["common_components"], libraries[b]["common_components"], metric
        )
        for i, j in zip(*comparison.assign(distance), strict=True):
            classes = libraries[a]["classes"][i] or "", libraries[b]["classes"][j] or ""
            rows.append((a, b, int(i + 1), classes[0], int(j + 1), classes[1], distance[i, j]))
    return rows


def heat(ax, grid, names, title, form, cmap, limits):
    ax.imshow(grid, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto")
    for (i, j), value in np.ndenumerate(grid):
        ax.text(j, i, "-" if np.isnan(value) else form.format(value), ha="center", va="center")
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.tick_params(length=0)
    ax.set_title(title, loc="left", fontsize=8)


def draw(libraries, matched, shares, labels, common, metric):
    names = list(libraries)
    classes = [c for c in labels if any(c in lib["classes"] for lib in libraries.values())]
    size = max(4.2, 1.5 * len(classes))
    fig = plt.figure(figsize=(9.5, size), layout="constrained")
    left, right = fig.add_gridspec(1, 2, width_ratios=[1.6, 1])
    axes = left.subgridspec(len(classes), 1).subplots(sharex=True, squeeze=False)[:, 0]
    for ax, name in zip(axes, classes, strict=True):
        for i, (key, library) in enumerate(libraries.items()):
            for row, label in zip(library["components"], library["classes"], strict=True):
                if label == name:
                    inside = np.interp(common, library["wavelength"], row).max()
                    style = {"color": COLOURS[i % 7], "ls": DASHES[i % 4], "lw": 0.9}
                    caption = f"{key}: {library['title']}"
                    ax.plot(library["wavelength"], row / inside, label=caption, **style)
        doubtful = [key for key, library in libraries.items() if name in library["doubtful"]]
        if doubtful:
            said = f"doubtful assignment: {', '.join(doubtful)}"
            ax.text(0.99, 0.95, said, ha="right", va="top", size=8, transform=ax.transAxes)
        ax.set(ylim=(0, 1.15), ylabel=labels[name])
        wavelength_axis(ax, common[0], common[-1])
        ax.label_outer()
    handles = {}
    for ax in axes:
        handles |= {label: h for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8,
    )
    below = right.subgridspec(2, 1).subplots()
    grid = np.full((len(names), len(names)), np.nan)
    for i, j in itertools.permutations(range(len(names)), 2):
        of = [row[-1] for row in matched if row[:2] == (names[i], names[j])]
        grid[i, j] = np.mean(of)
    title = {"rms": "RMS distance", "angle": "Spectral angle (rad)"}[metric]
    heat(
        below[0],
        grid,
        names,
        f"{title}, mean of matched components",
        "{:.3f}",
        "Blues",
        (0, 1.6 * np.nanmax(grid)),
    )
    heat(
        below[1],
        shares,
        names,
        "Share of a row's spectra (squares)\nexplained by a column's components",
        "{:.2%}",
        "Oranges",
        (2 * shares.min() - 1, 1 + (1 - shares.min())),
    )
    known = all(library["medium"] != "unknown" for library in libraries.values())
    title = f"Components of {len(names)} libraries, {common[0]:.0f} to {common[-1]:.0f} Å"
    title += " in vacuum" if known else ", in vacuum where the medium is known"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    return fig
