"""The scan's fits in one table, with how much they depend on the start, and its picture."""

import matplotlib as mpl
from astropy.table import vstack

from spectralunmix.figures.scan import draw, from_best
from spectralunmix.figures.style import STYLE, save
from spectralunmix.files import read_components, read_table, write_table
from spectralunmix.steps import step


def main(snakemake, log):
    options, output = snakemake.params, snakemake.output
    parts = [read_table(path) for path in snakemake.input.tables]
    components = [each for path in snakemake.input.components for each in read_components(path)]
    table = vstack(parts)
    table["from_best"] = from_best(table.to_pandas(), components, options.metric)
    table.sort(["n_components", "smoothness", "start"])
    table.meta = {"metric": options.metric}
    write_table(output.table, table)
    fits = table.to_pandas().assign(unexplained=lambda fits: 1 - fits["explained"])
    with mpl.rc_context(STYLE):
        save(draw(fits, options.library, options.metric), output.pdf, output.png, output.svg)
    log.info("%d fits, %d converged", len(table), table["converged"].sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
