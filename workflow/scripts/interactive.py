"""A page to look at spectra and components with: zoom, values, weights; everything in one file."""

import base64
import json

import numpy as np
from plotly.offline import get_plotlyjs

from figures import component_styles, curve_styles
from pages import BOOKKEEPING, write_page
from spectra_files import class_of_components, read_curves, read_spectra, read_table, read_weights
from spectralunmix import comparison
from step import step

LARGEST = 400  # spectra on a page, so that a phone can open it
DASHES = ["solid", "dash", "dashdot", "dot"]
GREYS = ["#000000", "#555555", "#777777", "#999999"]


def encoded(rows):
    """Rows of little-endian float32 in base64."""
    return base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode()


def rounded(values, digits=5):
    return [float(f"{value:.{digits}g}") for value in values]


def curve(label, flux, colour, dash):
    scaled = flux / (np.abs(flux).max() or 1)
    return {"label": label, "colour": colour, "dash": dash, "flux": rounded(scaled)}


def curves(prototypes, eigenspectra, components, names, labels, class_of):
    """What the first picture can show, by kind."""
    classes, prototypes = prototypes
    of_classes = curve_styles(classes, DASHES)
    of_components = component_styles(names, class_of, classes, DASHES)
    return {
        "Prototypes": [
            curve(labels[name], flux, *of_classes[name])
            for name, flux in zip(classes, prototypes, strict=True)
        ],
        "Eigenspectra": [
            curve(f"eigenspectrum {i + 1}", flux, GREYS[i % 4], DASHES[(i + i // 4) % 4])
            for i, flux in enumerate(eigenspectra)
        ],
        "Components": [
            curve(
                f"{i + 1}: {labels.get(class_of.get(name), 'no class')}",
                flux,
                *of_components[name],
            )
            for i, (name, flux) in enumerate(zip(names, components, strict=True))
        ],
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


def main(snakemake, log):
    inputs, options = snakemake.input, snakemake.params
    wavelength, flux = read_spectra(inputs.spectra)
    _, names, components = read_curves(inputs.nmf_components)
    _, classes, prototypes = read_curves(inputs.prototypes)
    _, _, eigenspectra = read_curves(inputs.pca_components)
    weights = read_weights(inputs.nmf_weights, names)
    selection = read_table(inputs.selection)

    shown = f"All {len(flux)} spectra."
    if len(flux) > LARGEST:
        keep = np.linspace(0, len(flux) - 1, LARGEST).round().astype(int)
        shown = f"{LARGEST} of the {len(flux)} spectra, evenly taken."
        flux, weights, selection = flux[keep], weights[keep], selection[keep]
        log.warning(shown)
    data = {
        "wavelength": rounded(wavelength, 8),
        "curves": curves(
            (classes, prototypes),
            eigenspectra,
            components,
            names,
            options.labels,
            class_of_components(inputs.assignments),
        ),
        "components_flux": encoded(components),
        "spectra": {
            "label": [f"{row['file']} ({options.labels[row['class']]})" for row in selection],
            "flux": encoded(flux),
            "weights": [rounded(row, 8) for row in weights],
            "shares": [rounded(row) for row in comparison.shares(weights, components)],
            "parameters": parameters(selection),
        },
    }
    write_page(
        snakemake.output.page,
        "interactive.html",
        library=options.library,
        shown=shown,
        plotly=get_plotlyjs(),
        data=json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    )
    log.info("written: %s", snakemake.output.page)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
