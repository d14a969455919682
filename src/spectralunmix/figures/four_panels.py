"""The four-panel figure: prototypes, eigenspectra, components, and their distances."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.patches import Rectangle

from spectralunmix.figures.style import (
    GREYS,
    Dash,
    Pairs,
    assigned,
    by_class,
    class_captions,
    component_styles,
    curve_styles,
    heading,
    text_width,
    wavelength_axis,
    wrapped,
)

Curve = tuple[np.ndarray, str, Dash]  # flux (n_wave,), colour, dashes
Curves = tuple[np.ndarray, list[str], np.ndarray]  # wavelength (n_wave,), names, fluxes (n, n_wave)
CAPTION_SIZE = 6.5  # points, as all below
LINE = 9.5  # from a line of captions to the next
TO_HEADING = 5  # from the captions to the heading
SOLID, DASHED = 6, 21  # samples of a curve in its caption
GAP = 7  # between columns of captions
MARGINS = {"left": 0.065, "right": 0.985}
BETWEEN = 0.22  # the columns of panels, relative to their width
HEIGHT = 0.59  # of a panel, relative to its width
METRICS = {
    "rms": "RMS distance, components to prototypes",
    "angle": "Spectral angle (rad), components to prototypes",
}
FRAMED = "framed: the one-to-one assignment"
DOUBTFUL = (
    "dashed, and ? in B and C: doubtful, as nearer to another class, too far from its own, or "
    "not the same in 95 % of resamples"
)


class Captions(NamedTuple):
    """Captions of curves as they fit over a panel."""

    texts: list[str]
    columns: int
    lines: int
    sample: float


def arranged(captions: Sequence[str], dashes: Sequence[Dash], width: float) -> Captions:
    """Captions in as few lines as `width` points have room for; one that is wider is wrapped."""
    sample = SOLID if all(dash == "-" for dash in dashes) else DASHED
    beside = sample + 0.4 * CAPTION_SIZE
    texts = [wrapped(caption, CAPTION_SIZE, width - beside) for caption in captions]
    widths = [text_width(text, CAPTION_SIZE) + beside + GAP for text in texts]
    heights = [text.count("\n") + 1 for text in texts]
    lines = {}
    for columns in range(1, len(texts) + 1):
        if columns == 1 or sum(map(max, np.array_split(widths, columns))) - GAP <= width:
            lines[columns] = int(max(map(sum, np.array_split(heights, columns))))
    columns = min(lines, key=lines.__getitem__)  # the first: columns of about one length
    return Captions(texts, columns, lines[columns], sample)


def spectra_panel(
    ax: Axes, wavelength: np.ndarray, curves: Sequence[Curve], captions: Captions
) -> None:
    """Curves (flux, colour, dashes) over log wavelength, their captions above the axes."""
    for (flux, colour, dashes), caption in zip(curves, captions.texts, strict=True):
        order = 1.5 if colour in GREYS else 2  # those without a class behind the others
        ax.plot(wavelength, flux, color=colour, ls=dashes, label=caption, zorder=order)
    wavelength_axis(ax, wavelength[0], wavelength[-1])
    ax.tick_params(which="both", top=True, right=True)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.016, 1),
        ncols=captions.columns,
        fontsize=CAPTION_SIZE,
        handlelength=captions.sample / CAPTION_SIZE,
        handletextpad=0.4,
        columnspacing=GAP / CAPTION_SIZE,
        labelspacing=(LINE - 7.6) / CAPTION_SIZE,
        borderpad=0,
        borderaxespad=0.5,
    )


def component_curves(
    factors: Curves,
    pairs: Pairs,
    classes: list[str],
    labels: dict[str, str],
    shares: Sequence[float] | None = None,
) -> tuple[list[Curve], list[str]]:
    """Curves and captions in the order of the classes they are assigned to.

    shares : of the variance, by component, for the captions
    """
    _, names, components = factors
    order = by_class(names, pairs, classes)
    styles, said = component_styles(order, pairs, classes), class_captions(names, pairs, labels)
    curves, captions = [], []
    for name in order:
        i = names.index(name)
        sign = pairs[name]["sign"] if name in pairs else 1  # at which it was assigned
        flux = sign * components[i] / (np.abs(components[i]).max() or 1)
        curves.append((flux, *styles[name]))
        captions.append(said[name] if shares is None else f"{said[name]} ({shares[i]:.1%})")
    return curves, captions


def cell_text(cell: float, distances: Sequence[float]) -> tuple[float, bool]:
    """Size of the numbers in cells `cell` points wide, and whether they go without a leading 0."""
    for short in (False, True):
        widest = max(text_width(shown(value, short), 7, "bold") for value in distances)
        size = min(7, 7 * 0.7 * cell / widest)
        if size > 5.5:
            break
    return size, short


def shown(distance: float, short: bool) -> str:
    return f"{distance:.2f}".removeprefix("0" if short else "")


def distance_map(
    ax: Axes,
    table: Table,
    pairs: Pairs,
    classes: list[str],
    largest: float,
    size: float,
    short: bool,
) -> None:
    """Classes down, components across, the assigned pairs framed.

    largest : the distance of the darkest colour; size, short : of the numbers, see `cell_text`
    """
    components = list(dict.fromkeys(table["component"]))
    value = {(row["class"], row["component"]): row["distance"] for row in table}
    grid = np.array([[value[c, k] for k in components] for c in classes])
    ax.imshow(grid, cmap="Blues", vmin=0, vmax=1.6 * largest, aspect="auto")
    for (i, j), distance in np.ndenumerate(grid):
        pair = pairs.get(components[j])
        assigned_here = pair is not None and pair["class"] == classes[i]
        weight = "bold" if assigned_here else "normal"
        said = shown(distance, short)
        ax.text(j, i, said, ha="center", va="center", weight=weight, size=size)
        if pair is not None and assigned_here:
            dashes = (0, (2.2, 1.4)) if pair["doubtful"] else "-"
            style: dict[str, Any] = {"fill": False, "ec": "black", "lw": size / 5.5, "ls": dashes}
            ax.add_patch(Rectangle((j - 0.45, i - 0.45), 0.9, 0.9, **style))
    ax.set_xticks(range(len(components)), [str(i + 1) for i in range(len(components))])
    ax.tick_params(length=0)


def row_labels(labels: list[str], width: float, height: float) -> tuple[list[str], float]:
    """Labels as large as they fit beside rows that are `height` points high together, cut at 5."""
    for size in (7, 6, 5):
        texts = [wrapped(label, size, width).split("\n") for label in labels]
        lines = max(1, int(height / len(labels) / (1.25 * size)))
        whole = max(text_width(word, size) for label in labels for word in label.split()) <= width
        if whole and max(map(len, texts)) <= lines:
            break
    cut = [
        text if len(text) <= lines else [*text[: lines - 1], text[lines - 1][:-1] + "…"]
        for text in texts
    ]
    return ["\n".join(text) for text in cut], size


def distances_panel(
    slot: SubplotSpec,
    distances: Table,
    paired: dict[str, Pairs],
    classes: list[str],
    labels: dict[str, str],
    summary: dict[str, Any],
    width: float,
    pad: float,
) -> None:
    """A map a method.  width : points that both have; pad : points to the heading."""
    tables = [distances[distances["method"] == method] for method in paired]
    n = np.array([len(set(table["component"])) for table in tables])
    share = np.clip(n[0] / n.sum(), 0.36, 0.64)  # both have room for what is written below
    shares = np.array([share, 1 - share])
    axes = slot.subgridspec(1, 2, wspace=0.08, width_ratios=shares).subplots(squeeze=False)[0]
    cell = 0.96 * width * (shares / n).min()
    numbers = cell_text(cell, distances["distance"])
    for ax, table, (method, pairs) in zip(axes, tables, paired.items(), strict=True):
        distance_map(ax, table, pairs, classes, distances["distance"].max(), *numbers)
        total = f"{sum(row['distance'] for row in pairs.values()):.2f}"
        if (error := summary[method]["total_distance_standard_error"]) is not None:
            total += f" ± {error:.2f}"
        ax.set_xlabel(f"{method.upper()} component\nframed: total {total}")
        ax.set_yticks([])
    rows, size = row_labels([labels[c] for c in classes], 0.85 * BETWEEN * width, HEIGHT * width)
    axes[0].set_yticks(range(len(classes)), rows, size=size, linespacing=1)
    heading(axes[0], "D", METRICS[summary["metric"]], pad=pad)
    above = {"xytext": (0, 4), "textcoords": "offset points", "va": "bottom"}
    said = framed(paired, width)
    axes[0].annotate(said, (0, 1), xycoords="axes fraction", size=CAPTION_SIZE, **above)


def framed(paired: dict[str, Pairs], width: float) -> str:
    """What the frames of D mean, in lines of `width` points."""
    rows = [row for pairs in paired.values() for row in pairs.values()]
    said = [FRAMED, DOUBTFUL] if any(row["doubtful"] for row in rows) else [FRAMED]
    return "\n".join(wrapped(each, CAPTION_SIZE, width) for each in said)


def prototypes_panel(
    ax: Axes,
    wavelength: np.ndarray,
    curves: list[Curve],
    captions: Captions,
    bands: list[np.ndarray],
    pad: float,
) -> None:
    """Panel A.  bands : (2, n_wave) about each curve; pad : points to the heading."""
    top = 1.05
    for (_, colour, _), band in zip(curves, bands, strict=True):
        ax.fill_between(wavelength, *band, color=colour, alpha=0.16, lw=0)
        top = max(top, min(1.5, 1.02 * np.nanmax(band)))
    spectra_panel(ax, wavelength, curves, captions)
    ax.set(ylabel="Flux / maximum", ylim=(0, top))
    heading(ax, "A", "Class prototypes (medians; bands: 16 to 84 %)", pad=pad)


def eigenspectra_panel(
    ax: Axes, wavelength: np.ndarray, curves: list[Curve], captions: Captions, pad: float
) -> None:
    """Panel B."""
    spectra_panel(ax, wavelength, curves, captions)
    ax.axhline(0, color="black", lw=0.4)
    ax.set(ylabel="Eigenspectrum / largest absolute", ylim=(-1.1, 1.1))
    heading(ax, "B", "PCA eigenspectra (share of variance)", pad=pad)


def components_panel(
    ax: Axes,
    wavelength: np.ndarray,
    curves: list[Curve],
    captions: Captions,
    errors: list[np.ndarray],
    smoothness: float,
    pad: float,
) -> None:
    """Panel C.  errors : (n_wave,) of each curve, NaN where there are none"""
    said = f"λ = {smoothness:g}"
    for (flux, colour, _), error in zip(curves, errors, strict=True):
        if np.isfinite(error).all():
            band = np.maximum(flux - error, 0), flux + error
            ax.fill_between(wavelength, *band, color=colour, alpha=0.22, lw=0)
            said = f"λ = {smoothness:g}; bands: ± 1σ"
    spectra_panel(ax, wavelength, curves, captions)
    ax.set(ylabel="Component / maximum", ylim=(0, 1.05))
    heading(ax, "C", f"Smooth NMF components ({said})", pad=pad)


def draw(
    prototypes: Curves,
    spread: dict[str, np.ndarray],
    pca: Curves,
    nmf: Curves,
    nmf_errors: Table,
    distances: Table,
    assignments: Table,
    labels: dict[str, str],
    summary: dict[str, Any],
    width: float,
) -> Figure:
    """The figure.

    Parameters
    ----------
    prototypes, pca, nmf : tuple of ndarray of shape (n_wave,), list of str, ndarray (n, n_wave)
        Wavelength in Angstrom, names and curves of prototypes, eigenspectra and components.
    spread : dict of ndarray of shape (2, n_wave)
        The band about the prototype of each class.
    nmf_errors : Table
        Standard errors of the components over wavelength, by name; NaN where there are none.
    distances, assignments : Table
        Distances to the prototypes, and which are assigned to which class.
    labels : dict of str
        What a class is called, by its name.
    summary : dict
        The run's summary.
    width : float
        In inches.

    Returns
    -------
    Figure
    """
    wavelength, classes, medians = prototypes
    paired = {method: assigned(assignments, method) for method in ("nmf", "pca")}
    styles = curve_styles(classes)
    of_a = [(flux, *styles[name]) for name, flux in zip(classes, medians, strict=True)]
    shares = summary["pca"]["explained_variance_ratio"]
    of_b, said_b = component_curves(pca, paired["pca"], classes, labels, shares)
    of_c, said_c = component_curves(nmf, paired["nmf"], classes, labels)
    panel = 72 * width * (MARGINS["right"] - MARGINS["left"]) / (2 + BETWEEN)
    a = arranged([labels[name] for name in classes], [dash for *_, dash in of_a], panel)
    b = arranged(said_b, [dash for *_, dash in of_b], panel)
    c = arranged(said_c, [dash for *_, dash in of_c], panel)
    above = TO_HEADING + LINE * max(a.lines, b.lines)
    below = TO_HEADING + LINE * max(c.lines, framed(paired, panel).count("\n") + 1)
    fig, slots = page(width, above, below)
    bands = [spread[name] for name in classes]
    prototypes_panel(fig.add_subplot(slots[0, 0]), wavelength, of_a, a, bands, above)
    eigenspectra_panel(fig.add_subplot(slots[0, 1]), wavelength, of_b, b, above)
    smoothness, order = summary["nmf"]["smoothness"], by_class(nmf[1], paired["nmf"], classes)
    errors = [np.asarray(nmf_errors[name]) for name in order]
    slot = fig.add_subplot(slots[1, 0])
    components_panel(slot, wavelength, of_c, c, errors, smoothness, below)
    distances_panel(slots[1, 1], distances, paired, classes, labels, summary, panel, below)
    write_title(fig, f"{summary['library']}: {summary['n_spectra']} spectra", width)
    return fig


def write_title(fig: Figure, title: str, width: float) -> None:
    """The title over the figure, as large as its `width` inches have room for."""
    room = 72 * width * (MARGINS["right"] - MARGINS["left"])
    size = min(9, 9 * room / text_width(title, 9, "bold"))
    fig.suptitle(title, x=MARGINS["left"], y=0.985, ha="left", fontsize=size, weight="bold")


def page(width: float, above: float, below: float) -> tuple[Figure, GridSpec]:
    """A figure and its two by two slots, each of the size that it has with 17 points above it."""
    height, above, below = 0.78 * width, (above - 17) / 72, (below - 17) / 72  # inches
    whole, slot = height + above + below, 0.775 * height / 2.47
    fig = plt.figure(figsize=(width, whole))
    bottom, top = 0.1 * height / whole, 1 - (0.125 * height + above) / whole
    hspace = 0.47 + below / slot
    return fig, fig.add_gridspec(
        2, 2, **MARGINS, bottom=bottom, top=top, wspace=BETWEEN, hspace=hspace
    )
