"""How many components and how smooth: what held-out spectra say, as table, words and picture."""

import logging

import matplotlib as mpl
from snakemake.script import Snakemake

from spectralunmix import choice, files
from spectralunmix.figures.choice import draw
from spectralunmix.figures.style import STYLE, save
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    options, output = snakemake.params, snakemake.output
    found, uncertain = choice.of_tables([files.read_fits_table(t) for t in snakemake.input.tables])
    files.write_table(output.table, choice.for_readers(found))
    said = choice.summary(found, options.n_components, options.smoothness, uncertain)
    files.write_json(output.summary, said)
    with mpl.rc_context(STYLE):
        fig = draw(found, said, options.library)
        save(fig, output.pdf, output.png, output.svg)
    for sentence in said["in_words"]:
        log.info("%s", sentence)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
