"""Draw the component spectra of a cube, a map of each, and what the model leaves."""

import logging

import matplotlib as mpl
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.cubes import maps_file
from spectralunmix.figures.cube import draw
from spectralunmix.figures.style import STYLE, save
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    found = maps_file.read(inputs.maps)
    said, lines = files.read_json(inputs.summary), files.read_table(inputs.lines)
    with mpl.rc_context(STYLE):
        fig = draw(found, said, lines, options.width)
        save(fig, output.pdf, output.png, output.svg)
    log.info("%d components and their maps", len(found.components))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
