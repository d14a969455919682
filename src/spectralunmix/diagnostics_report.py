"""The diagnostics of a fit for readers: tables, spectra that stand out, and a statement."""

from typing import Any

import numpy as np
from astropy import units
from astropy.table import Table

from spectralunmix.diagnostics import EVERY, Residuals
from spectralunmix.files import component_names

NAMED = 5  # number of spectra that the picture and the page of methods name
MOVED = 0.01  # change of a component with maximum 1 from which on it is mentioned


def by_spectrum(selection: Table, left: Residuals, changes: np.ndarray) -> Table:
    """A row for each spectrum, in the order of the selection."""
    table = Table({name: list(selection[name]) for name in ("file", "class")})
    table["relative_residual"] = left.relative
    if left.chi2 is not None:
        table["chi2_per_pixel"] = left.chi2
    table["leverage"], table["cook_distance"] = left.leverage, left.cook
    for name, column in zip(component_names(changes.shape[1]), changes.T, strict=True):
        table[f"change_of_{name}"] = column
    table["relative_residual"].description = "root of the squares left over that of the flux's"
    return table


def by_channel(wavelength: np.ndarray, by_class: dict[str, tuple[np.ndarray, np.ndarray]]) -> Table:
    """A row for each channel: the root mean square and the mean residual of each class."""
    table = Table({"wavelength": wavelength * units.Angstrom})
    for name, (rms, mean) in by_class.items():
        of = f"_{name}" if name else ""
        table[f"rms{of}"], table[f"mean{of}"] = rms, mean
    return table


def numbers(
    table: Table,
    by_class: dict[str, tuple[np.ndarray, np.ndarray]],
    wavelength: np.ndarray,
    labels: dict[str, str],
) -> dict[str, Any]:
    """The spectra that are explained worst or change a component most, and a statement.

    Parameters
    ----------
    table : Table
        See `by_spectrum`.
    by_class : dict of pairs of ndarray
        See `over_wavelength`.
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    labels : dict of str
        What a class is called, by its name.

    Returns
    -------
    dict
    """
    residual = np.asarray(table["relative_residual"])
    names = [name for name in table.colnames if name.startswith("change_of_")]
    changes = np.transpose([np.asarray(table[name]) for name in names])
    left_out = np.isfinite(changes).all(axis=1)
    largest = np.where(left_out, changes.max(axis=1), -np.inf)
    swaying = np.argsort(-largest, kind="stable")[: min(NAMED, int(left_out.sum()))]
    rms = {name: _overall(squares) for name, (squares, _) in by_class.items() if name != EVERY}
    worst_class = max(rms, key=lambda name: rms[name])
    said = {
        "n_spectra": len(table),
        "n_left_out": int(left_out.sum()),
        "n_moving": int((largest > MOVED).sum()),
        "median_relative_residual": float(np.median(residual)),
        "median_change": float(np.median(largest[left_out])) if left_out.any() else None,
        "rms_residual_by_class": rms,
        "worst_class": labels[worst_class],
        "worst_wavelength": _where_largest(by_class[worst_class][0], wavelength),
        "worst_explained": [
            _spectrum(table, i, labels) | {"relative_residual": float(residual[i])}
            for i in np.argsort(-residual, kind="stable")[:NAMED]
        ],
        "most_influential": [
            _spectrum(table, i, labels)
            | {"component": int(changes[i].argmax()) + 1, "change": float(largest[i])}
            | {"leverage": float(table["leverage"][i])}
            for i in swaying
        ],
    }
    return said | {"statement": statement(said)}


def _spectrum(table: Table, i: int, labels: dict[str, str]) -> dict[str, Any]:
    return {"file": str(table["file"][i]), "class": labels[table["class"][i]]}


def _overall(rms: np.ndarray) -> float:
    """The root mean square over the channels that count."""
    squares = rms[np.isfinite(rms)] ** 2
    return float(np.sqrt(squares.mean())) if len(squares) else 0.0


def _where_largest(rms: np.ndarray, wavelength: np.ndarray) -> list[float]:
    """The wavelengths around the largest residual: middles of the bins before and after it."""
    mids, values = binned(wavelength, rms)
    at = int(np.nanargmax(values))
    return [float(f"{mids[i]:.4g}") for i in (max(at - 1, 0), min(at + 1, len(mids) - 1))]


def binned(
    wavelength: np.ndarray, rms: np.ndarray, n_bins: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Root mean squares in bins of equal width in log wavelength, where there are many channels.

    Parameters
    ----------
    wavelength, rms : ndarray of shape (n_wave,)
        NaN where there is none.
    n_bins : int, default 100

    Returns
    -------
    middles, values : ndarray of shape (n,)
        Of the bins that any channel lies in; NaN in those whose channels have none.
    """
    if len(wavelength) <= n_bins:
        return wavelength, rms
    edges = np.geomspace(wavelength[0], wavelength[-1], n_bins + 1)
    of = np.clip(np.searchsorted(edges, wavelength, side="right") - 1, 0, n_bins - 1)
    there = np.isfinite(rms)
    count = np.bincount(of[there], minlength=n_bins)
    total = np.bincount(of[there], rms[there] ** 2, minlength=n_bins)
    value = np.sqrt(total / np.where(count > 0, count, np.nan))
    filled = np.bincount(of, minlength=n_bins) > 0
    return np.sqrt(edges[1:] * edges[:-1])[filled], value[filled]


def statement(said: dict[str, Any]) -> str:
    """The numbers of `numbers` in words."""
    worst, (first, last) = said["worst_explained"][0], said["worst_wavelength"]
    words = (
        f"The relative residual of a spectrum is {said['median_relative_residual']:.1%} in the "
        f"median of {said['n_spectra']}, and {worst['relative_residual']:.1%} at most, of "
        f"{worst['file']} ({worst['class']}). The class explained worst is {said['worst_class']}, "
        f"most of all from {first:.0f} to {last:.0f} Å. "
    )
    if not said["n_left_out"]:
        return words + "A fit without the only spectrum there is cannot be made."
    most = said["most_influential"][0]
    all_or_some = (
        f"each of the {said['n_spectra']} spectra"
        if said["n_left_out"] == said["n_spectra"]
        else f"each of the {said['n_left_out']} spectra of the largest Cook distance"
    )
    return words + (
        f"Leaving out {all_or_some} in turn moves component {most['component']} most, by "
        f"{most['change']:.2g} (root mean square over wavelength, maxima being 1), without "
        f"{most['file']} ({most['class']}); {said['n_moving']} of them move a component by more "
        f"than {MOVED:g}, and the change is {said['median_change']:.2g} in the median."
    )


def line_of_log(said: dict[str, Any]) -> str:
    """The statement in a line."""
    worst = said["worst_explained"][0]
    line = f"explained worst: {worst['file']}, {worst['relative_residual']:.1%}"
    for most in said["most_influential"][:1]:
        line += f"; most influential: {most['file']}, component {most['component']} moves by "
        line += f"{most['change']:.2g}"
    return line
