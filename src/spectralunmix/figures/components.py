"""The components of a fit, one below the other."""

import numpy as np
from matplotlib.figure import Figure

from spectralunmix.figures.style import COLOURS, wavelength_axis

HEIGHT = 1.1  # height of a panel, in inches


def draw(
    wavelength: np.ndarray | None,
    unit: str | None,
    components: np.ndarray,
    captions: list[str],
    title: str,
) -> Figure:
    """Draw a panel for each component.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,) or None
        None numbers the channels from 1.
    unit : str or None
        Of the wavelengths; Angstrom get the logarithmic axis of all figures.
    components : ndarray of shape (k, n_wave)
        Each with maximum 1.
    captions : list of str
        Of the panels.
    title : str
        Of the figure.

    Returns
    -------
    Figure
    """
    k, n_wave = components.shape
    fig = Figure(figsize=(7.1, HEIGHT * k + 0.9), layout="constrained")
    axes = fig.subplots(k, 1, sharex=True, squeeze=False)
    channels = np.arange(1, n_wave + 1) if wavelength is None else wavelength
    for i, ax in enumerate(axes[:, 0]):
        ax.plot(channels, components[i], color=COLOURS[i % len(COLOURS)])
        ax.set_title(captions[i], loc="left")
        ax.set_ylim(0, 1.08)
        ax.margins(x=0)
    last = axes[-1, 0]
    if wavelength is None:
        last.set_xlabel("Channel")
    elif unit == "Angstrom":
        wavelength_axis(last, wavelength.min(), wavelength.max())
    else:
        last.set_xlabel(f"Wavelength ({unit})" if unit else "Wavelength")
    fig.supylabel("Component / maximum", fontsize="medium")
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize="large")
    return fig
