"""How much each component contributes to the spectra of each class."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from spectralunmix.figures.style import (
    COLOURS,
    Pairs,
    by_class,
    class_captions,
    heading,
    wrapped,
)

COLUMNS = 5
TITLE = 85  # points that a panel has for its title


def draw(
    share: np.ndarray,
    names: list[str],
    members: np.ndarray,
    classes: list[str],
    labels: dict[str, str],
    pairs: Pairs,
    library: str,
) -> Figure:
    """A panel a component, in the order of classes; a point a spectrum, over its class.

    Parameters
    ----------
    share : ndarray of shape (n_spectra, k)
        What the components contribute to the spectra.
    names : list of str
        The components.
    members : ndarray of str, shape (n_spectra,)
        The class of each spectrum.
    classes : list of str
        The classes in their order.
    labels : dict of str
        What a class is called, by its name.
    pairs : dict
        Which component is assigned to which class, see `style.assigned`.
    library : str
        The library's name.

    Returns
    -------
    Figure
    """
    order, captions = by_class(names, pairs, classes), class_captions(names, pairs, labels)
    columns = min(len(order), COLUMNS)
    rows = math.ceil(len(order) / columns)
    size = (max(4, 1.75 * columns), 2.9 * rows)
    fig, axes = plt.subplots(
        rows, columns, figsize=size, sharey=True, layout="constrained", squeeze=False
    )
    for ax in axes.flat[len(order) :]:
        ax.remove()
    for ax, name in zip(axes.flat[: len(order)], order, strict=True):
        for i, of in enumerate(classes):
            values = share[members == of, names.index(name)]
            if not len(values):
                continue
            # side by side by rank, so that no point hides another and the picture is repeatable
            beside = i + 0.3 * (2 * (np.arange(len(values)) * 0.618 % 1) - 1)
            ax.plot(beside, values, "o", ms=2.5, mew=0, color=COLOURS[i % 7], alpha=0.7)
            ax.plot([i - 0.38, i + 0.38], 2 * [np.median(values)], color="black", lw=1.2)
        ax.set_xticks(range(len(classes)), [labels[c] for c in classes], rotation=40, ha="right")
        ax.set(ylim=(-0.03, 1.03), xlim=(-0.6, len(classes) - 0.4))
        heading(ax, chr(ord("A") + order.index(name)), wrapped(captions[name], 8, TITLE))
    for ax in axes[:, 0]:
        ax.set_ylabel("Share of the component in a spectrum")
    fig.suptitle(f"{library}: weights by class (bar: median)", x=0.01, ha="left", weight="bold")
    return fig
