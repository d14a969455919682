"""The report on a library: library.txt and library.png."""

from collections import Counter
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from spectralunmix.errors import LibraryError
from spectralunmix.figures.methods import MEDIUM
from spectralunmix.figures.style import COLOURS, wavelength_axis
from spectralunmix.libraries import grids
from spectralunmix.libraries.quality import usable
from spectralunmix.libraries.readers import Spectrum, has_uncertainties
from spectralunmix.libraries.survey import SHOWN, Survey

RUN_ON = {
    "original": "the library's own files",
    "layout": "files that tests wrote in its layout, never the library's own",
}


def report(found: Survey, source: dict[str, Any], options: Any) -> str:
    """The library in lines of text.

    Parameters
    ----------
    found : Survey
        What the library holds.
    source : dict
        The source that it was fetched from.
    options : object
        The parts of the entry as attributes: name, run_on, medium, classes, selection,
        grid.

    Returns
    -------
    str
    """
    table, labels = found.table, found.table["class"]
    lines = [f"{options.name}: {len(table)} spectra", f"source: {source['description']}"]
    if options.run_on:  # without it, nothing is claimed
        lines.append(f"this entry was run on {RUN_ON[options.run_on]}")
    lines += [f"wavelengths {MEDIUM[options.medium]}", ""]
    for name in options.classes:
        chosen = "" if name in options.selection["classes"] else " (not selected)"
        lines.append(f"class {name}: {(labels == name).sum()}{chosen}")
    lines += [f"no class: {labels.isna().sum()}", f"selected: {len(found.chosen)} spectra", ""]
    for name in table.columns.drop(["file", "class"]):
        values = table[name].dropna()
        known = f"{len(values)} known"
        if len(values) == 0 or values.dtype.kind != "f":
            lines.append(f"{name}: {known}, {values.nunique()} different")
        else:
            lines.append(f"{name}: {values.min():g} to {values.max():g}, {known}")
    first, last = ([s.wavelength[i] for s in found.spectra] for i in (0, -1))
    n_wave = [len(s.wavelength) for s in found.spectra]
    lines += ["", f"wavelengths: from {min(first):.6g} to {max(last):.6g} Angstrom"]
    lines += [f"all cover: {max(first):.6g} to {min(last):.6g} Angstrom"]
    lines += [f"channels: {min(n_wave)} to {max(n_wave)}", *_unlike_the_others(found.spectra)]
    lines += [_of_the_fit(found, options.grid)] if len(found.chosen) else []
    if any(s.unit_assumed for s in found.spectra):
        why = "as neither the entry nor the files say one"
        lines.append(f"wavelength unit: Angstrom assumed, {why}")
    lines.append(f"uncertainties: {'of all spectra' if has_uncertainties(source) else 'none'}")
    lines += ["", *found.remarks] if found.remarks else []
    lines += [f"left out: {file}: {why}" for file, why in found.left_out.items()]
    return "\n".join(lines) + "\n"


def _of_the_fit(found: Survey, grid: dict[str, Any]) -> str:
    """A line on the channels to which the selected spectra are rebinned."""
    wavelength = grids.stated(grid)
    if wavelength is not None:
        how = f"{wavelength[0]:.6g} to {wavelength[-1]:.6g} Angstrom, as the entry says"
    else:
        of_chosen = [found.spectra[i].wavelength for i in found.chosen.index]
        try:
            wavelength, how = grids.decided(of_chosen, grid)
        except LibraryError as error:  # which ends a run that selects them
            return f"WARNING: {error}"
    return f"the fit has {len(wavelength)} channels: {how}"


def _unlike_the_others(spectra: list[Spectrum]) -> list[str]:
    """Lines on spectra with other wavelengths than most, and on those with missing values."""
    channels = [s.wavelength.tobytes() for s in spectra]
    ((most, n_alike),) = Counter(channels).most_common(1)
    other = {
        s.file: f"{len(s.wavelength)} from {s.wavelength[0]:.10g} to {s.wavelength[-1]:.10g}"
        for s, its in zip(spectra, channels, strict=True)
        if its != most
    }
    shares = {s.file: 1 - usable(s).mean() for s in spectra}
    missing = {file: f"{share:.2%}" for file, share in shares.items() if share}
    lines = []
    if other and n_alike == 1:
        lines.append("each spectrum has wavelengths of its own")
    elif other:
        lines.append(f"not on the wavelengths that {n_alike} spectra share: {_listed(other)}")
    if missing:
        lines.append(
            f"missing values: {len(missing)} of {len(spectra)} spectra, {_listed(missing)}"
        )
    return lines


def _listed(said: dict[str, str]) -> str:
    """What is said of the first files."""
    shown = [f"{file} ({its})" for file, its in list(said.items())[:SHOWN]]
    return ", ".join(shown) + (f" and {n} more" if (n := len(said) - SHOWN) > 0 else "")


def draw(found: Survey, options: Any) -> Figure:
    """Draw coverage, sizes of classes and a spectrum of each; parameters as in `report`."""
    table, spectra = found.table, found.spectra
    fig, (cover, sizes, shown) = plt.subplots(
        1, 3, figsize=(12, 4), width_ratios=[1, 0.8, 1.8], layout="constrained"
    )
    ends = np.array([[s.wavelength[0], s.wavelength[-1]] for s in spectra])
    whole = ends.min(), ends.max()
    cover.hlines(range(len(ends)), *ends[np.lexsort(ends.T)].T, color=COLOURS[0], lw=0.5)
    cover.set(ylabel="Spectra", title="Wavelengths that each covers")
    wavelength_axis(cover, 0.9 * whole[0], 1.1 * whole[1])
    classes = [name for name in options.classes if (table["class"] == name).any()]
    counts = [(table["class"] == name).sum() for name in classes]
    bars = sizes.barh(range(len(classes)), counts, color=COLOURS[5])
    sizes.bar_label(bars, padding=2)
    sizes.set_yticks(range(len(classes)), [options.classes[name]["label"] for name in classes])
    sizes.set(xlabel="Spectra", title="Classes", xlim=(0, 1.25 * max(counts, default=1)))
    sizes.invert_yaxis()
    for row, name in enumerate(classes):
        members = table.index[table["class"] == name]
        s = spectra[members[len(members) // 2]]
        flux = np.where(usable(s), s.flux, np.nan)
        shown.plot(s.wavelength, flux / np.nanmax(flux) - 1.3 * row, lw=0.7, color="black")
        title = f"{options.classes[name]['label']}: {s.file}"
        shown.annotate(title, (whole[1], 1.03 - 1.3 * row), fontsize=7, ha="right")
    shown.set(yticks=[], title="One spectrum of each class, over its maximum")
    wavelength_axis(shown, *whole)
    fig.suptitle(f"{options.name}: {len(table)} spectra", x=0.01, ha="left", weight="bold")
    return fig
