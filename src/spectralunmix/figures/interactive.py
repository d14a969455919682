"""A page, in a single file, on which spectra, components and weights can be zoomed."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.table import Table

from spectralunmix import comparison
from spectralunmix.figures.pages import BOOKKEEPING
from spectralunmix.figures.style import (
    Dash,
    Pairs,
    assigned,
    class_captions,
    component_styles,
    curve_styles,
)

Factors = tuple[list[str], np.ndarray]  # n names, and their curves (n, n_wave)
LARGEST = 400  # number of spectra on a page, so that a phone can open it
DASHES: list[Dash] = ["solid", "dash", "dashdot", "dot"]


def evenly_taken(n_spectra: int) -> tuple[np.ndarray, str]:
    """The rows of the spectra that are put on a page, and a description of them."""
    if n_spectra <= LARGEST:
        return np.arange(n_spectra), f"All {n_spectra} spectra."
    rows = np.linspace(0, n_spectra - 1, LARGEST).round().astype(int)
    return rows, f"{LARGEST} of the {n_spectra} spectra, evenly taken."


def encoded(rows: np.ndarray) -> str:
    """Rows of little-endian float32 in base64."""
    return base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode()


def rounded(values: Iterable[float], digits: int = 5) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values]


def curve(label: str, flux: np.ndarray, colour: str, dash: Dash) -> dict[str, Any]:
    scaled = flux / (np.abs(flux).max() or 1)
    return {"label": label, "colour": colour, "dash": dash, "flux": rounded(scaled)}


def component_curves(
    factors: Factors, pairs: Pairs, classes: list[str], labels: dict[str, str]
) -> list[dict[str, Any]]:
    """Components in the colours of their classes, with the sign of their assignment."""
    names, components = factors
    styles = component_styles(names, pairs, classes, DASHES)
    captions = class_captions(names, pairs, labels)
    signs = [pairs[name]["sign"] if name in pairs else 1 for name in names]
    return [
        curve(captions[name], sign * flux, *styles[name])
        for name, sign, flux in zip(names, signs, components, strict=True)
    ]


def curves(
    prototypes: Factors,
    eigenspectra: Factors,
    components: Factors,
    assignments: Table,
    labels: dict[str, str],
) -> dict[str, list[dict[str, Any]]]:
    """The curves of the first picture, by kind.

    Parameters
    ----------
    prototypes, eigenspectra, components : tuple of list of str and ndarray of shape (n, n_wave)
        Names and curves.
    assignments : Table
        Which of them are assigned to which class.
    labels : dict of str
        What a class is called, by its name.

    Returns
    -------
    dict of list of dict
    """
    classes, prototype_curves = prototypes
    styles = curve_styles(classes, DASHES)
    paired = {method: assigned(assignments, method) for method in ("pca", "nmf")}
    return {
        "Prototypes": [
            curve(labels[name], flux, *styles[name])
            for name, flux in zip(classes, prototype_curves, strict=True)
        ],
        "Eigenspectra": component_curves(eigenspectra, paired["pca"], classes, labels),
        "Components": component_curves(components, paired["nmf"], classes, labels),
    }


def parameters(selection: Table) -> dict[str, list]:
    """The parameters of the stars and their class, by the caption of the axis."""
    found: dict[str, list] = {}
    for name in selection.colnames:
        if name in BOOKKEEPING:
            continue
        column = selection[name]
        unit = f" ({column.unit})" if column.unit else ""
        if column.dtype.kind in "fiu":
            known = np.ma.filled(column.astype(float), np.nan)
            if not np.isfinite(known).any():
                continue
            found[f"{name}{unit}"] = [float(v) if np.isfinite(v) else None for v in known]
        else:
            found[f"{name}{unit}"] = [str(value) for value in column]
    return found | {"class": [str(name) for name in selection["class"]]}


def spectra(
    flux: np.ndarray,
    weights: np.ndarray,
    components: np.ndarray,
    selection: Table,
    labels: dict[str, str],
) -> dict[str, Any]:
    """The spectra and their values for the page.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    weights : ndarray of shape (n_spectra, k)
        Their weights.
    components : ndarray of shape (k, n_wave)
        The components.
    selection : Table
        A row for each spectrum: file, class, parameters.
    labels : dict of str
        What a class is called, by its name.

    Returns
    -------
    dict
    """
    return {
        "label": [f"{row['file']} ({labels[row['class']]})" for row in selection],
        "flux": encoded(flux),
        "weights": [rounded(row, 8) for row in weights],
        "shares": [rounded(row) for row in comparison.shares(weights, components)],
        "parameters": parameters(selection),
    }


def page_data(
    wavelength: np.ndarray,
    components: np.ndarray,
    shown: dict[str, list[dict[str, Any]]],
    of_spectra: dict[str, Any],
) -> str:
    """The page's data as JSON that can stand in a page.

    Parameters
    ----------
    wavelength : ndarray of shape (n_wave,)
        In Angstrom.
    components : ndarray of shape (k, n_wave)
        The components.
    shown : dict
        As `curves` gives it.
    of_spectra : dict
        As `spectra` gives it.

    Returns
    -------
    str
    """
    data = {
        "wavelength": rounded(wavelength, 8),
        "curves": shown,
        "components_flux": encoded(components),
        "spectra": of_spectra,
    }
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")
