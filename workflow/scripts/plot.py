"""The four-panel figure: prototypes, eigenspectra, components, and their distances."""

import logging

import matplotlib as mpl
import numpy as np
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures.four_panels import draw
from spectralunmix.figures.style import STYLE, save
from spectralunmix.prototypes import bands
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    _, flux = files.read_spectra(inputs.spectra)
    inverse_variance = files.read_inverse_variance(inputs.spectra)
    members = np.array(files.read_table(inputs.selection)["class"])
    prototypes = files.read_curves(inputs.prototypes)
    curves = dict(zip(*prototypes[1:], strict=True))
    spread = bands(flux, inverse_variance, members, curves)
    eigenspectra = files.read_curves(inputs.pca_components)
    components = files.read_curves(inputs.nmf_components)
    tables = [
        files.read_table(path) for path in (inputs.nmf_errors, inputs.distances, inputs.assignments)
    ]
    summary = files.read_json(inputs.summary)
    style = options.labels, summary, options.width
    with mpl.rc_context(STYLE):
        fig = draw(prototypes, spread, eigenspectra, components, *tables, *style)
        save(fig, output.pdf, output.png, output.svg)
    log.info("figure drawn: %s", output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
