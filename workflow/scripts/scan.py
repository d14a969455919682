"""The scan's fits in one table, with how much they depend on the start, and its picture."""

import logging

import matplotlib as mpl
from astropy.table import vstack
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures.scan import draw
from spectralunmix.figures.style import STYLE, save
from spectralunmix.scan import from_best
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    components = [own for path in inputs.components for own in files.read_components(path)]
    table = vstack([files.read_table(path) for path in inputs.tables])
    table["from_best"] = from_best(table.to_pandas(), components, options.metric)
    table.sort(["n_components", "smoothness", "start"])
    table.meta = {"metric": options.metric}
    files.write_table(output.table, table)
    fits = table.to_pandas()
    fits["unexplained"] = 1 - fits["explained"]
    with mpl.rc_context(STYLE):
        fig = draw(fits, options.library, options.metric)
        save(fig, output.pdf, output.png, output.svg)
    log.info("%d fits, %d converged", len(table), table["converged"].sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
