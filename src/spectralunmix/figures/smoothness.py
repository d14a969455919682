"""The picture of smoothness: components at several lambda, and where they differ most."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from spectralunmix.figures.style import Pairs, class_captions, heading, wavelength_axis
from spectralunmix.files import component_names

WINDOW = 60  # channels on either side of the centre of the close-up


def close_up(curves: np.ndarray) -> slice:
    """Channels around the place where curves (n_lambda, n_wave) differ most."""
    steps = np.abs(np.diff(curves[0] - curves[-1]))
    centre = int(steps.argmax())
    return slice(max(0, centre - WINDOW), min(curves.shape[1], centre + WINDOW))


def draw(
    wavelength: np.ndarray,
    curves: np.ndarray,
    smoothness: Sequence[float],
    pairs: Pairs,
    labels: dict[str, str],
    library: str,
) -> Figure:
    """Draw a row for each component: its curves at several lambda, whole and in a close-up.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    curves : ndarray of shape (n_lambda, k, n_wave)
        The components, the same one in the same place.
    smoothness : sequence of float
        The n_lambda values.
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
    n, k = curves.shape[:2]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, n))
    fig, axes = plt.subplots(
        k,
        2,
        figsize=(7.1, 1.35 * k + 0.9),
        layout="constrained",
        width_ratios=[2, 1],
        squeeze=False,
    )
    titles = class_captions(component_names(k), pairs, labels).values()
    for j, (title, (left, right)) in enumerate(zip(titles, axes, strict=True)):
        near = close_up(curves[:, j])
        for curve, colour, value in zip(curves[:, j], colours, smoothness, strict=True):
            left.plot(wavelength, curve, color=colour, lw=0.6, label=f"λ = {value:g}")
            right.plot(wavelength[near], curve[near], color=colour, lw=0.9)
        heading(left, chr(ord("A") + j), title)
        left.set(ylim=(0, 1.05))
        left.axvspan(*wavelength[near][[0, -1]], color="black", alpha=0.08, lw=0)
        wavelength_axis(left, wavelength[0], wavelength[-1])
        right.set_title("the shaded range", loc="left")
        right.set(xlabel="Wavelength (Å)", xlim=wavelength[near][[0, -1]])
        right.locator_params(axis="x", nbins=4)
        if j < k - 1:
            left.set_xlabel("")
            right.set_xlabel("")
    fig.supylabel("Component / maximum", fontsize=7)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=n)
    fig.suptitle(f"{library}: components by smoothness", x=0.01, ha="left", weight="bold")
    return fig
