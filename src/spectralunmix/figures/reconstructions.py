"""One spectrum of each class, its reconstruction from the components, and what is left."""

import matplotlib.pyplot as plt
import numpy as np

from spectralunmix.figures.style import COLOURS, heading, wavelength_axis


def typical(flux, reconstruction, labels):
    """By class, the spectrum (row number) whose relative residual is its class's median.

    flux : (n_spectra, n_wave), NaN where a value does not count
    """
    left = np.nansum((flux - reconstruction) ** 2, axis=1)
    residual = np.sqrt(left / np.nansum(flux**2, axis=1))
    rows = {}
    for name in dict.fromkeys(labels):
        members = np.flatnonzero(np.asarray(labels) == name)
        ranked = members[np.argsort(residual[members], kind="stable")]
        rows[name] = int(ranked[(len(ranked) - 1) // 2])
    return rows, residual


def draw(wavelength, flux, reconstruction, selection, labels, library):
    rows, residual = typical(flux, reconstruction, list(selection["class"]))
    fig = plt.figure(figsize=(7.1, 1.75 * len(rows) + 0.5), layout="constrained")
    panels = fig.add_gridspec(len(rows), 1)
    for i, (name, row) in enumerate(rows.items()):
        cell = panels[i].subgridspec(2, 1, height_ratios=[2.2, 1], hspace=0)
        above, below = cell.subplots(sharex=True)
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
