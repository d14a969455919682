"""Fits of one number of components: several random starts, each at several smoothnesses."""

import numpy as np
import torch
from astropy.table import Table

from spectralunmix import SmoothNMF, scan_smoothness
from spectralunmix.files import (
    read_curves,
    read_inverse_variance,
    read_spectra,
    write_components,
    write_table,
)
from spectralunmix.scan import numbers, starting_components
from spectralunmix.steps import step


def main(snakemake, log):
    torch.set_num_threads(snakemake.threads)
    options = snakemake.params
    _, flux = read_spectra(snakemake.input.spectra)
    inverse_variance = read_inverse_variance(snakemake.input.spectra)
    _, _, prototypes = read_curves(snakemake.input.prototypes)
    k, first = int(snakemake.wildcards.n_components), int(snakemake.wildcards.first)
    numbered = range(first, first + options.n_starts)
    seeds = [options.random_state + start for start in numbered]
    init = starting_components(flux, inverse_variance, k, seeds)
    model = SmoothNMF(k, init=init, max_iter=options.max_iter, tol=options.tol)
    found = scan_smoothness(
        model, flux, options.smoothness, inverse_variance=inverse_variance, every_start=True
    )
    squares = flux**2 if inverse_variance is None else inverse_variance * flux**2
    models = [
        (start, model) for group in found for start, model in zip(numbered, group, strict=True)
    ]
    rows = [
        numbers(model, start, squares.sum(), prototypes, options.metric) for start, model in models
    ]
    write_components(snakemake.output.components, np.array([m.components_ for _, m in models]))
    write_table(snakemake.output.table, Table(rows))
    converged = sum(row["converged"] for row in rows)
    log.info("%d components: %d fits, %d converged", k, len(rows), converged)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
