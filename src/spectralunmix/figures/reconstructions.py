"""A spectrum of each class, its reconstruction from components, and the residual."""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure

from spectralunmix.comparison import typical
from spectralunmix.figures.style import COLOURS, heading, wavelength_axis


def draw(
    wavelength: np.ndarray,
    flux: np.ndarray,
    reconstruction: np.ndarray,
    selection: Table,
    labels: dict[str, str],
    library: str,
) -> Figure:
    """Draw two panels for each class: the spectrum with median residual, and its residual.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra, NaN where a value does not count.
    reconstruction : ndarray of shape (n_spectra, n_wave)
        What the components make of them.
    selection : Table
        A row for each spectrum: file and class.
    labels : dict of str
        What a class is called, by its name.
    library : str
        The library's name.

    Returns
    -------
    Figure
    """
    rows, residual = typical(flux, reconstruction, list(selection["class"]))
    fig = plt.figure(figsize=(7.1, 1.75 * len(rows) + 0.5), layout="constrained")
    panels = fig.add_gridspec(len(rows), 1)
    for i, (name, row) in enumerate(rows.items()):
        cell = panels[i].subgridspec(2, 1, height_ratios=[2.2, 1], hspace=0)
        above, below = cell.subplots(sharex=True, squeeze=False)[:, 0]
        colour = COLOURS[i % len(COLOURS)]
        above.plot(wavelength, flux[row], color="black", lw=0.5, label="spectrum")
        above.plot(wavelength, reconstruction[row], color=colour, lw=0.8, label="reconstruction")
        left = flux[row] - reconstruction[row]
        below.plot(wavelength, left, color=colour, lw=0.5)
        below.axhline(0, color="black", lw=0.4)
        limit = 1.1 * np.nanmax(np.abs(left)) or 1.0
        below.set(ylim=(-limit, limit), ylabel="residual")
        above.set(ylabel="flux", ylim=(min(0, np.nanmin(flux[row])), None))
        title = f"{labels[name]}: {selection['file'][row]}, residual {residual[row]:.1%}"
        heading(above, chr(ord("A") + i), title)
        above.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
        wavelength_axis(below, wavelength[0], wavelength[-1])
        if i < len(rows) - 1:
            below.set_xlabel("")
    fig.suptitle(f"{library}: the median residual of each class", x=0.01, ha="left", weight="bold")
    return fig
