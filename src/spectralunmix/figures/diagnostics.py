"""The picture of residuals, and of the changes of components when spectra are left out."""

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectralunmix.diagnostics import EVERY, Influence
from spectralunmix.diagnostics_report import binned
from spectralunmix.figures.style import (
    COLOURS,
    Pairs,
    class_captions,
    curve_styles,
    heading,
    text_width,
    wavelength_axis,
    wrapped,
)
from spectralunmix.files import component_names

HELD = 0.9  # share of a component's squared change that lies in the range that is drawn
PADDED = 0.15  # of that range, on either side
NAMES = 195  # points of room for the name of a spectrum
LEAST = 28  # points of room that the label of a class needs
SIZE = 6  # size of names, in points


def draw(
    wavelength: np.ndarray,
    by_class: dict[str, tuple[np.ndarray, np.ndarray]],
    table: Table,
    said: dict[str, Any],
    moved: Influence,
    components: np.ndarray,
    pairs: Pairs,
    labels: dict[str, str],
    library: str,
) -> Figure:
    """Residuals over wavelength and by spectrum; changes of components by the spectrum left out.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    by_class : dict of pairs of ndarray of shape (n_wave,)
        See `diagnostics.over_wavelength`.
    table : Table
        A row for each spectrum, see `diagnostics_report.by_spectrum`.
    said : dict
        Which spectra are named, see `diagnostics_report.numbers`.
    moved : Influence
        What leaving spectra out does.
    components : ndarray of shape (k, n_wave)
        Those of the fit.
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
    fig, axes = plt.subplots(2, 2, figsize=(7.1, 6.0), layout="constrained")
    classes = [name for name in by_class if name != EVERY]
    _over_wavelength(axes[0, 0], wavelength, by_class, labels)
    residual = 100 * np.asarray(table["relative_residual"])
    files = np.asarray(table["file"])
    of = np.asarray(table["class"])
    worst = _largest(residual, len(said["worst_explained"]))
    _strip(axes[0, 1], residual, of, classes, labels, worst, files)
    axes[0, 1].set_ylabel("Relative residual (%)")
    heading(axes[0, 1], "B", "Relative residual of each spectrum")
    largest = moved.changes.max(axis=1)
    named = _largest(largest, len(said["most_influential"]))
    captions = class_captions(component_names(len(components)), pairs, labels)
    _strip(axes[1, 0], largest, of, classes, labels, named, files)
    axes[1, 0].set_ylabel("Largest change of a component, rms")
    heading(axes[1, 0], "C", "Components without the spectrum")
    _moved(axes[1, 1], wavelength, components, moved, files, list(captions.values()))
    fig.suptitle(f"{library}: residuals and influence", x=0.01, ha="left", weight="bold")
    return fig


def _largest(values: np.ndarray, n: int) -> list[int]:
    """The numbers of the n largest values, as `diagnostics_report.numbers` names them."""
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
    return order[:n].tolist()


def _over_wavelength(
    ax: Axes,
    wavelength: np.ndarray,
    by_class: dict[str, tuple[np.ndarray, np.ndarray]],
    labels: dict[str, str],
) -> None:
    classes = [name for name in by_class if name != EVERY]
    for name, (colour, dash) in curve_styles(classes).items():
        line = binned(wavelength, by_class[name][0])
        ax.plot(*line, color=colour, ls=dash, lw=0.9, label=labels[name])
    wavelength_axis(ax, wavelength[0], wavelength[-1])
    _, top = ax.get_ylim()
    rows = math.ceil(len(classes) / 2)
    ax.set(ylim=(0, top * (1.05 + 0.08 * rows)), ylabel="Residual, rms")
    ax.legend(loc="upper left", ncols=2, fontsize=SIZE)
    heading(ax, "A", "Residuals by class and wavelength")


def _strip(
    ax: Axes,
    values: np.ndarray,
    members: np.ndarray,
    classes: list[str],
    labels: dict[str, str],
    named: list[int],
    files: np.ndarray,
) -> None:
    """A point a spectrum over its class, the named ones numbered, their names above them all."""
    beside = np.zeros(len(values))
    for i, name in enumerate(classes):
        rows = np.flatnonzero((members == name) & np.isfinite(values))
        beside[rows] = i + 0.3 * (2 * (np.arange(len(rows)) * 0.618 % 1) - 1)
        colour = COLOURS[i % len(COLOURS)]
        ax.plot(beside[rows], values[rows], "o", ms=2.5, mew=0, color=colour, alpha=0.7)
        if len(rows):
            ax.plot([i - 0.38, i + 0.38], 2 * [np.median(values[rows])], color="black", lw=1.2)
    numbers = [str(number) for number in range(1, len(named) + 1)]
    for number, row in zip(numbers, named, strict=True):
        at = beside[row], values[row]
        ax.annotate(number, at, (3, 0), textcoords="offset points", size=SIZE, va="center")
    text = "\n".join(
        f"{number}  {shortened(str(files[row]), SIZE, NAMES)}"
        for number, row in zip(numbers, named, strict=True)
    )
    ax.text(0.035, 0.98, text, transform=ax.transAxes, va="top", size=SIZE, linespacing=1.3)
    largest = np.nanmax(values, initial=0) or 1.0
    ax.set(ylim=(0, largest * (1.12 + 0.1 * len(named))), xlim=(-0.6, len(classes) - 0.4))
    room = NAMES / len(classes)
    if room > LEAST:
        ax.set_xticks(range(len(classes)), [wrapped(labels[c], 7, room) for c in classes])
    else:
        ax.set_xticks(range(len(classes)), [labels[c] for c in classes], rotation=40, ha="right")
    ax.tick_params(axis="x", length=0)


def shortened(name: str, size: float, width: float) -> str:
    """A name, shortened in its middle where it is wider than `width` points."""
    kept = len(name)
    short = name
    while text_width(short, size) > width and kept > 2:
        kept -= 1
        short = f"{name[: (kept + 1) // 2]}…{name[len(name) - kept // 2 :]}"
    return short


def _moved(
    ax: Axes,
    wavelength: np.ndarray,
    components: np.ndarray,
    moved: Influence,
    files: np.ndarray,
    captions: list[str],
) -> None:
    """Draw the component that changes most, with all spectra and without one of them."""
    if moved.spectrum < 0:
        ax.set_axis_off()
        return
    component = components[moved.component]
    full = component / (component.max() or 1)
    first, last = where_it_moves(moved.without - full)
    near = slice(first, last)
    ax.plot(wavelength[near], full[near], color="black", lw=0.9, label="all spectra")
    without = shortened(str(files[moved.spectrum]), SIZE, NAMES - 60)
    ax.plot(
        wavelength[near],
        moved.without[near],
        color=COLOURS[3],
        lw=0.9,
        ls=(0, (4, 1.5)),
        label=f"without {without}",
    )
    wavelength_axis(ax, wavelength[first], wavelength[last - 1])
    lines = np.concatenate([full[near], moved.without[near]])
    low, high = lines.min(), lines.max()
    margin = 0.05 * (high - low or 1)
    ax.set_ylim(max(low - margin, 0) if low > margin else -margin, high + 6 * margin)
    ax.set_ylabel("Component / maximum")
    ax.legend(loc="upper left", fontsize=SIZE)
    heading(ax, "D", wrapped(f"{captions[moved.component]}, which moves most", 8, NAMES + 20))


def where_it_moves(change: np.ndarray) -> tuple[int, int]:
    """The range of channels that holds most of a squared change: its first, and its end.

    Parameters
    ----------
    change : ndarray of shape (n_wave,)

    Returns
    -------
    first, end : int
        At least two channels, where there are two.
    """
    n, total = len(change), np.cumsum(change**2)
    if not total[-1] > 0:
        return 0, n
    outside = (1 - HELD) / 2 * total[-1]
    first, last = np.searchsorted(total, [outside, total[-1] - outside])
    pad = max(1, math.ceil(PADDED * (last - first)))
    return max(0, int(first) - pad), min(n, int(last) + pad + 1)
