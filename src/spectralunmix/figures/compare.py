"""The picture of several libraries: components by class, distances, and explained shares."""

import itertools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectralunmix.across_libraries import LibraryResult, Match
from spectralunmix.figures.style import COLOURS, DASHES, wavelength_axis

METRICS = {"rms": "RMS distance", "angle": "Spectral angle (rad)"}


def heat(
    ax: Axes,
    grid: np.ndarray,
    names: list[str],
    title: str,
    form: str,
    cmap: str,
    limits: tuple[float, float],
) -> None:
    """A coloured table of numbers, with a row and a column for each name.

    form : of the numbers; cmap, limits : of the colours
    """
    ax.imshow(grid, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto")
    for (i, j), value in np.ndenumerate(grid):
        ax.text(j, i, "-" if np.isnan(value) else form.format(value), ha="center", va="center")
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.tick_params(length=0)
    ax.set_title(title, loc="left", fontsize=8)


def class_panel(
    ax: Axes, name: str, label: str, libraries: dict[str, LibraryResult], common: np.ndarray
) -> None:
    """The components of all libraries that are assigned to a class, over their common range."""
    for i, (key, library) in enumerate(libraries.items()):
        for row, class_name in zip(library.components, library.classes, strict=True):
            if class_name == name:
                inside = np.interp(common, library.wavelength, row).max()
                style: dict[str, Any] = {"color": COLOURS[i % 7], "ls": DASHES[i % 4], "lw": 0.9}
                caption = f"{key}: {library.title}"
                ax.plot(library.wavelength, row / inside, label=caption, **style)
    doubtful = [key for key, library in libraries.items() if name in library.doubtful]
    if doubtful:
        said = f"doubtful assignment: {', '.join(doubtful)}"
        ax.text(0.99, 0.95, said, ha="right", va="top", size=8, transform=ax.transAxes)
    ax.set(ylim=(0, 1.15), ylabel=label)
    wavelength_axis(ax, common[0], common[-1])
    ax.label_outer()


def legend(fig: Figure, axes: np.ndarray) -> None:
    """The legend of the libraries, below the figure."""
    handles: dict[str, Artist] = {}
    for ax in axes:
        handles |= {label: h for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8,
    )


def mean_distances(matches: list[Match], names: list[str]) -> np.ndarray:
    """Mean distances of matched components of two libraries, (n, n); NaN on the diagonal."""
    grid = np.full((len(names), len(names)), np.nan)
    for i, j in itertools.permutations(range(len(names)), 2):
        between = [m.distance for m in matches if (m.library, m.other) == (names[i], names[j])]
        grid[i, j] = np.mean(between)
    return grid


def draw(
    libraries: dict[str, LibraryResult],
    matches: list[Match],
    shares: np.ndarray,
    labels: dict[str, str],
    common: np.ndarray,
    metric: str,
) -> Figure:
    """The picture.

    Parameters
    ----------
    libraries : dict of LibraryResult
        By name.
    matches : list of Match
        The matched components.
    shares : ndarray of shape (n_libraries, n_libraries)
        The share of the spectra of a row that the components of a column explain.
    labels : dict of str
        Label of each class, by its name.
    common : ndarray of shape (n_wave,)
        The channels in which the libraries are compared, in Angstrom.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    Figure
    """
    names = list(libraries)
    classes = [c for c in labels if any(c in lib.classes for lib in libraries.values())]
    size = max(4.2, 1.5 * len(classes))
    fig = plt.figure(figsize=(9.5, size), layout="constrained")
    slots = fig.add_gridspec(1, 2, width_ratios=[1.6, 1])
    axes = slots[0].subgridspec(len(classes), 1).subplots(sharex=True, squeeze=False)[:, 0]
    for ax, name in zip(axes, classes, strict=True):
        class_panel(ax, name, labels[name], libraries, common)
    legend(fig, axes)
    below = slots[1].subgridspec(2, 1).subplots(squeeze=False)[:, 0]
    grid = mean_distances(matches, names)
    title = f"{METRICS[metric]}, mean of matched components"
    heat(below[0], grid, names, title, "{:.3f}", "Blues", (0, 1.6 * np.nanmax(grid)))
    title = "Share of a row's spectra (squares)\nexplained by a column's components"
    limits = 2 * shares.min() - 1, 1 + (1 - shares.min())
    heat(below[1], shares, names, title, "{:.2%}", "Oranges", limits)
    known = all(library.medium != "unknown" for library in libraries.values())
    title = f"Components of {len(names)} libraries, {common[0]:.0f} to {common[-1]:.0f} Å"
    title += " in vacuum" if known else ", in vacuum where the medium is known"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    return fig
