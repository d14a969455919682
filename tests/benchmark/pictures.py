"""The picture: the gap over time, a panel a problem."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
from gaps import GAPS
from matplotlib.ticker import LogLocator, NullFormatter
from peers import ADAM, OURS, PEERS, PROXIMAL, WEIGHTED_PEERS

# Told apart with any colour vision (Wong 2011, Nature Methods 8, 441), and by markers and dashes.
COLOURS = ["#E69F00", "#009E73", "#CC3311", "#CC79A7", "#56B4E9", "#A0A0A0", "#5B2C83"]
OF_ADAM = "#0072B2"
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
LEAST_GAP, LARGEST_GAP = 1e-8, 10
PER_ROW = 4


def styles():
    """Of a line, by method."""
    found = {
        OURS: {"color": "black", "lw": 2.4, "ls": "-"},
        PROXIMAL: {"color": "black", "lw": 1.6, "ls": (0, (1, 1))},
        ADAM: {"color": OF_ADAM, "lw": 1.3, "ls": (0, (5, 1.5))},
    }
    hollow = {"mfc": "white", "ls": (0, (3, 1, 1, 1))}
    for peers, more in ((PEERS, {}), (WEIGHTED_PEERS, hollow)):  # in panels of their own
        names = [name for name in peers if name not in found]
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            found[name] = {"color": colour, "marker": marker, "ms": 3.5, "lw": 0.9} | more
    return found


def draw_panel(ax, title, table):
    table = table[table["start"] == table["start"].min()]
    handles = {}
    for name, style in styles().items():
        rows = table[table["method"] == name].sort_values("seconds")
        if len(rows):
            seconds = rows["seconds"].to_numpy()
            gap = rows["gap"].cummin().clip(lower=LEAST_GAP).to_numpy()
            shown = slice(0, 1 + (gap > LEAST_GAP).sum())  # up to the edge, once
            (handles[name],) = ax.loglog(seconds[shown], gap[shown], label=name, **style)
            handles[name].set_zorder(3 if name in (OURS, PROXIMAL) else 2)
    for gap in GAPS:
        ax.axhline(gap, color="0.85", lw=0.6, zorder=0)
    ax.set_title(title, size=9)
    ax.set(ylim=(LEAST_GAP, LARGEST_GAP))
    ax.yaxis.set_major_locator(LogLocator(numticks=12))
    ax.yaxis.set_minor_formatter(NullFormatter())
    return handles


def draw(tables, path):
    """Tables of `gaps.measure`, by title: those without weights first, then those with."""
    rows = -(-len(tables) // PER_ROW)
    columns = min(PER_ROW, len(tables))
    size = (1.5 + 3.1 * max(columns, 2), 1.5 + 3.1 * rows)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    handles = {}
    for ax, (title, table) in zip(axes.flat, tables.items(), strict=False):
        handles |= draw_panel(ax, title, table)
    for ax in axes.flat[len(tables) :]:
        ax.set_axis_off()
    fig.supxlabel("Seconds, one thread", size=10)
    fig.supylabel("Objective above the least reached, relative", size=10)
    lines = [handles[name] for name in styles() if name in handles]
    fig.legend(handles=lines, loc="outside upper center", ncols=4 if columns > 2 else 2, fontsize=8)
    fig.set_layout_engine("constrained")
    fig.savefig(path, dpi=150)
    plt.close(fig)
