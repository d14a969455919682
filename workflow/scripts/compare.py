"""Components of several libraries side by side, and each one's applied to the others' spectra."""

import numpy as np
from astropy.table import Table

from spectralunmix.figures.compare import draw, explained, load, on_common_range, pairs
from spectralunmix.figures.style import save
from spectralunmix.files import (
    write_table,
)
from spectralunmix.libraries import grids
from spectralunmix.steps import step


def main(snakemake, log):
    options, output, inputs = snakemake.params, snakemake.output, snakemake.input
    files = zip(inputs.spectra, inputs.components, inputs.assignments, inputs.summary, strict=True)
    libraries = {
        name: load(name, *of, log) for name, of in zip(options.libraries, files, strict=True)
    }
    undecided = dict.fromkeys(("start", "stop", "step"))
    common, how = grids.decided([lib["wavelength"] for lib in libraries.values()], undecided)
    log.info("compared on %s", how)
    on_common_range(libraries, common)
    matched = pairs(libraries, options.metric)
    names = ["library", "other", "component", "class", "other_component", "other_class", "distance"]
    table = Table(rows=matched, names=names, meta={"metric": options.metric})
    write_table(output.distances, table)
    shares = np.array(
        [
            [
                explained(of["common_components"], on["common_flux"], on["counts"])
                for of in libraries.values()
            ]
            for on in libraries.values()
        ]
    )
    rows = [
        (on, of, shares[i, j]) for i, on in enumerate(libraries) for j, of in enumerate(libraries)
    ]
    write_table(output.transfer, Table(rows=rows, names=["spectra", "components", "explained"]))
    fig = draw(libraries, matched, shares, options.labels, common, options.metric)
    save(fig, output.pdf, output.png, output.svg)
    same = sum(row[3] == row[5] != "" for row in matched)
    log.info("%d of %d matched components are assigned to the same class", same, len(matched))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
