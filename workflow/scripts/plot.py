"""The four-panel figure: prototypes, eigenspectra, components, and their distances."""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

from spectralunmix.figures.four_panels import bands, draw
from spectralunmix.figures.style import (
    STYLE,
    save,
)
from spectralunmix.files import read_curves, read_inverse_variance, read_spectra, read_table
from spectralunmix.steps import step


def main(snakemake, log):
    inputs = snakemake.input
    prototypes = read_curves(inputs.prototypes)
    _, flux = read_spectra(inputs.spectra)
    members = np.array(read_table(inputs.selection)["class"])
    with mpl.rc_context(STYLE):
        fig = draw(
            prototypes,
            bands(flux, read_inverse_variance(inputs.spectra), members, prototypes),
            read_curves(inputs.pca_components),
            read_curves(inputs.nmf_components),
            read_table(inputs.distances),
            read_table(inputs.assignments),
            snakemake.params.labels,
            json.loads(Path(inputs.summary).read_text()),
            snakemake.params.width,
        )
        save(fig, snakemake.output.pdf, snakemake.output.png, snakemake.output.svg)
    log.info("figure drawn: %s", snakemake.output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
