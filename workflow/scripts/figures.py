"""What all figures share: a backend, colours, sizes, wavelength axes, and files without dates."""

import itertools

import matplotlib as mpl

mpl.use("agg")
mpl.rcdefaults()  # a user's matplotlibrc would change the figures

from matplotlib.ticker import MaxNLocator, NullFormatter

from spectra_files import replacing

# Told apart with any colour vision (Wong 2011, Nature Methods 8, 441); hot to cool.
COLOURS = ["#0072B2", "#009E73", "#E69F00", "#CC3311", "#CC79A7", "#56B4E9", "#000000"]
DASHES = ["-", (0, (4, 1)), (0, (1, 1)), (0, (4, 1, 1, 1))]
STYLE = {
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


def curve_styles(names, dashes=DASHES) -> dict:
    """A colour and dashes for each name: solid lines of all colours come first."""
    n = len(COLOURS)
    return {name: (COLOURS[i % n], dashes[i // n % len(dashes)]) for i, name in enumerate(names)}


def component_styles(names, class_of, classes, dashes=DASHES) -> dict:
    """That of its class for each component, greys for those without one."""
    styles, without = curve_styles(classes, dashes), itertools.cycle(dashes)
    return {
        name: styles[class_of[name]] if name in class_of else ("#999999", next(without))
        for name in names
    }


def wavelength_axis(ax, first: float, last: float) -> None:
    """A logarithmic axis from first to last, in Angstrom."""
    ax.set(xscale="log", xlim=(first, last), xlabel="Wavelength (Å)")
    ticks = [tick for tick in TICKS if first < tick < last]
    if len(ticks) < 3:  # a narrow range
        ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(first, last)
        ticks = [tick for tick in ticks if first < tick < last]
    ax.set_xticks(ticks, [f"{tick:,.0f}".replace(",", "\u2009") for tick in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())


def heading(ax, letter: str, title: str, pad=None) -> None:
    ax.set_title(f"$\\bf{{{letter}}}$  {title}", loc="left", pad=pad)


def save(fig, pdf: str, png: str, svg: str) -> None:
    """Without dates, versions and random names, equal figures are equal files."""
    with replacing(pdf) as part:
        fig.savefig(part, metadata={"CreationDate": None, "Producer": None})
    with replacing(png) as part:
        fig.savefig(part, dpi=300, metadata={"Software": None})
    with replacing(svg) as part, mpl.rc_context({"svg.hashsalt": "spectralunmix"}):
        fig.savefig(part, metadata={"Date": None, "Creator": None})
