"""Fits of one number of components: several random starts, each at several smoothnesses."""

import logging

import numpy as np
import torch
from snakemake.script import Snakemake

from spectralunmix import SmoothNMF, files, scan, scan_smoothness
from spectralunmix.fit_report import sum_of_squares
from spectralunmix.nmf.starts import random_starts
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    options, inputs, output = snakemake.params, snakemake.input, snakemake.output
    _, flux = files.read_spectra(inputs.spectra)
    weights = {"inverse_variance": files.read_inverse_variance(inputs.spectra)}
    _, _, prototypes = files.read_curves(inputs.prototypes)
    k, first = int(snakemake.wildcards.n_components), int(snakemake.wildcards.first)
    starts = range(first, first + options.n_starts)
    seeds = [options.random_state + start for start in starts]
    init = random_starts(flux, k, seeds, **weights)
    model = SmoothNMF(k, init=init, max_iter=options.max_iter, tol=options.tol)
    models = scan_smoothness(model, flux, options.smoothness, every_start=True, **weights)
    squares = sum_of_squares(flux, **weights)
    table = scan.table_of_fits(models, starts, squares, prototypes, options.metric)
    components = [model.components_ for group in models for model in group]
    files.write_components(output.components, np.array(components))
    files.write_table(output.table, table)
    log.info("%d components: %d fits, %d converged", k, len(table), table["converged"].sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
