"""A page to look at spectra and components with: zoom, values, weights; everything in one file."""

import base64

import numpy as np

from spectralunmix.figures.pages import BOOKKEEPING
from spectralunmix.figures.style import assigned, class_captions, component_styles, curve_styles

LARGEST = 400  # spectra on a page, so that a phone can open it
DASHES = ["solid", "dash", "dashdot", "dot"]


def encoded(rows):
    """Rows of little-endian float32 in base64."""
    return base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode()


def rounded(values, digits=5):
    return [float(f"{value:.{digits}g}") for value in values]


def curve(label, flux, colour, dash):
    scaled = flux / (np.abs(flux).max() or 1)
    return {"label": label, "colour": colour, "dash": dash, "flux": rounded(scaled)}


def component_curves(factors, pairs, classes, labels):
    """Components in the colours of their classes, at the sign at which they were assigned."""
    names, components = factors
    styles = component_styles(names, pairs, classes, DASHES)
    captions = class_captions(names, pairs, labels)
    signs = [pairs[name]["sign"] if name in pairs else 1 for name in names]
    return [
        curve(captions[name], sign * flux, *styles[name])
        for name, sign, flux in zip(names, signs, components, strict=True)
    ]


def curves(prototypes, eigenspectra, components, assignments, labels):
    """What the first picture can show, by kind.  Each is names and curves (n, n_wave)."""
    classes, prototypes = prototypes
    styles = curve_styles(classes, DASHES)
    paired = {method: assigned(assignments, method) for method in ("pca", "nmf")}
    return {
        "Prototypes": [
            curve(labels[name], flux, *styles[name])
            for name, flux in zip(classes, prototypes, strict=True)
        ],
        "Eigenspectra": component_curves(eigenspectra, paired["pca"], classes, labels),
        "Components": component_curves(components, paired["nmf"], classes, labels),
    }


def parameters(selection):
    """Values by the caption of the axis: what the library says of its stars, and the class."""
    found = {}
    for name in selection.colnames:
        if name in BOOKKEEPING:
            continue
        column = selection[name]
        unit = f" ({column.unit})" if column.unit else ""
        if column.dtype.kind in "fiu":
            known = np.ma.filled(column.astype(float), np.nan)
            if not np.isfinite(known).any():
                continue
            values = [float(v) if np.isfinite(v) else None for v in known]
        else:
            values = [str(value) for value in column]
        found[f"{name}{unit}"] = values
    return found | {"class": [str(name) for name in selection["class"]]}
