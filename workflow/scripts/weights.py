"""How much each component contributes to the spectra of each class."""

import logging

import matplotlib as mpl
import numpy as np
from snakemake.script import Snakemake

from spectralunmix import comparison, files
from spectralunmix.figures.style import STYLE, assigned, save
from spectralunmix.figures.weights import draw
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    _, names, components = files.read_curves(inputs.components)
    share = comparison.shares(files.read_weights(inputs.weights, names), components)
    members = np.array(files.read_table(inputs.selection)["class"])
    pairs = assigned(files.read_table(inputs.assignments), "nmf")
    classes = list(dict.fromkeys(members))
    with mpl.rc_context(STYLE):
        fig = draw(share, names, members, classes, options.labels, pairs, options.library)
        save(fig, output.pdf, output.png, output.svg)
    log.info("drawn: %s", output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
