"""How much each component contributes to the spectra of each class."""

import matplotlib as mpl
import numpy as np

from spectralunmix import comparison
from spectralunmix.figures.style import STYLE, assigned, save
from spectralunmix.figures.weights import draw
from spectralunmix.files import read_curves, read_table, read_weights
from spectralunmix.steps import step


def main(snakemake, log):
    inputs, options = snakemake.input, snakemake.params
    _, names, components = read_curves(inputs.components)
    share = comparison.shares(read_weights(inputs.weights, names), components)
    members = np.array(read_table(inputs.selection)["class"])
    pairs = assigned(read_table(inputs.assignments), "nmf")
    classes = list(dict.fromkeys(members))
    with mpl.rc_context(STYLE):
        fig = draw(share, names, members, classes, options.labels, pairs, options.library)
        save(fig, snakemake.output.pdf, snakemake.output.png, snakemake.output.svg)
    log.info("drawn: %s", snakemake.output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
