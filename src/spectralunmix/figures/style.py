"""What all figures share: a backend, colours, captions, axes, and files without dates."""

import functools
import re
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import matplotlib as mpl

mpl.use("agg")
mpl.rcdefaults()  # a user's matplotlibrc would change the figures
mpl.rcParams["text.parse_math"] = False  # a $ in names and labels is plain text

from astropy.table import Row, Table
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import LogFormatterSciNotation, MaxNLocator, NullFormatter

from spectralunmix.files import replacing

Dash = str | tuple[int, tuple[float, ...]]  # style of a line for matplotlib or plotly
Pairs = dict[str, Row]  # rows of the table of assignments, by component

# These can be distinguished with any colour vision (Wong 2011, Nature Methods 8, 441).
COLOURS = ["#0072B2", "#009E73", "#E69F00", "#CC3311", "#CC79A7", "#56B4E9", "#000000"]
GREYS = ["#B8B8B8", "#4D4D4D"]  # of components without a class
DASHES: list[Dash] = ["-", (0, (7, 2.5)), (0, (1, 1.5)), (0, (9, 2, 1, 2))]
STYLE: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "lines.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.frameon": False,
    "pdf.fonttype": 42,
}
TICKS = [2000, 5000, 10000, 20000, 50000]
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def curve_styles(
    names: Sequence[str], dashes: Sequence[Dash] = DASHES
) -> dict[str, tuple[str, Dash]]:
    """A colour and dashes for each name: solid lines of all colours come first."""
    n = len(COLOURS)
    return {name: (COLOURS[i % n], dashes[i // n % len(dashes)]) for i, name in enumerate(names)}


def assigned(assignments: Table, method: str) -> Pairs:
    """Rows of the table of assignments, by component of the method."""
    rows = assignments[assignments["method"] == method]
    return {row["component"]: row for row in rows}


def component_styles(
    names: Sequence[str],
    pairs: Pairs,
    classes: Sequence[str],
    dashes: Sequence[Dash] = DASHES,
) -> dict[str, tuple[str, Dash]]:
    """The colour and dashes of each component's class, or greys for components without class."""
    styles = curve_styles(classes, dashes)
    without = [name for name in names if name not in pairs]
    greys = {
        name: (GREYS[i % 2], dashes[(1 + i // 2 + i % 2) % len(dashes)])
        for i, name in enumerate(without)
    }
    return {name: greys.get(name) or styles[pairs[name]["class"]] for name in names}


def class_captions(names: Sequence[str], pairs: Pairs, labels: dict[str, str]) -> dict[str, str]:
    """The label of each component: number and class, with a ? where that is doubtful."""
    said = {name: labels[row["class"]] + "?" * bool(row["doubtful"]) for name, row in pairs.items()}
    return {name: f"{i}: {said.get(name, 'no class')}" for i, name in enumerate(names, 1)}


def by_class(names: Sequence[str], pairs: Pairs, classes: Sequence[str]) -> list[str]:
    """Components in the order of their classes; those without a class come last."""
    place = {name: list(classes).index(row["class"]) for name, row in pairs.items()}
    return sorted(names, key=lambda name: place.get(name, len(classes)))


@functools.cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of the longest line, in points, with a small margin for pixels of a screen."""
    font = FontProperties(size=size, weight=weight)
    return 1.04 * max(
        text_to_path.get_text_width_height_descent(line, font, ismath=False)[0]
        for line in text.split("\n")
    )


def wrapped(text: str, size: float, width: float) -> str:
    """The text in lines of at most `width` points."""
    n = len(text)
    if (whole := text_width(text, size)) > width:
        n = int(1.3 * n * width / whole)  # a line of narrow letters holds more than others
    while n > 1 and text_width("\n".join(wrap(text, n)), size) > width:
        n -= 1
    return "\n".join(wrap(text, max(n, 1)))


def wavelength_axis(ax: Axes, first: float, last: float) -> None:
    """A logarithmic axis from first to last, in Angstrom."""
    ax.set(xscale="log", xlim=(first, last), xlabel="Wavelength (Å)")
    ticks: Sequence[float] = [tick for tick in TICKS if first < tick < last]
    if len(ticks) < 3:  # a narrow range
        ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(first, last)
        ticks = [tick for tick in ticks if first < tick < last]
    ax.set_xticks(ticks, [f"{tick:,.0f}".replace(",", "\u2009") for tick in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())


class PowersOfTen(LogFormatterSciNotation):
    """Ticks such as 2×10⁻⁸ as text, where matplotlib has its mathematical notation."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = re.sub(r"\$\\mathdefault{(.*)}\$", r"\1", super().__call__(x, pos))
        text = re.sub(r"\^{(-?\d+)}", lambda power: power[1].translate(SUPERSCRIPTS), text)
        return text.replace(r"\times", "\u00d7").replace("-", "\u2212")


def logarithmic_axis(axis: Axis) -> None:
    """Ticks of an axis whose scale is log or symlog."""
    axis.set_major_formatter(PowersOfTen())
    if axis.get_scale() == "log":
        axis.set_minor_formatter(PowersOfTen())


def heading(ax: Axes, letter: str, title: str, pad: float | None = None) -> None:
    """The panel's letter in bold and its title.  Only the letter is mathematical notation."""
    title = title.replace("$", r"\$")
    ax.set_title(f"$\\bf{{{letter}}}$  {title}", loc="left", pad=pad, parse_math=True)


def save(fig: Figure, pdf: str, png: str, svg: str) -> None:
    """Without dates, versions and random names, equal figures are equal files."""
    with replacing(pdf) as part:
        fig.savefig(part, metadata={"CreationDate": None, "Producer": None})
    with replacing(png) as part:
        fig.savefig(part, dpi=300, metadata={"Software": None})
    with replacing(svg) as part, mpl.rc_context({"svg.hashsalt": "spectralunmix"}):
        fig.savefig(part, metadata={"Date": None, "Creator": None})
