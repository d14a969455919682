"""A page to look at spectra and components with: zoom, values, weights; everything in one file."""

import json
from pathlib import Path

import numpy as np
from plotly.offline import get_plotlyjs

from spectralunmix import comparison
from spectralunmix.figures.interactive import LARGEST, curves, encoded, parameters, rounded
from spectralunmix.figures.pages import write_page
from spectralunmix.files import read_curves, read_spectra, read_table, read_weights
from spectralunmix.steps import step


def main(snakemake, log):
    inputs, options = snakemake.input, snakemake.params
    wavelength, flux = read_spectra(inputs.spectra)
    _, names, components = read_curves(inputs.nmf_components)
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
            read_curves(inputs.prototypes)[1:],
            read_curves(inputs.pca_components)[1:],
            (names, components),
            read_table(inputs.assignments),
            options.labels,
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
        warnings=json.loads(Path(inputs.summary).read_text())["warnings"],
        plotly=get_plotlyjs(),
        data=json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    )
    log.info("written: %s", snakemake.output.page)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
