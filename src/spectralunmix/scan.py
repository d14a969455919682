"""Fits of one number of components: several random starts, each at several smoothnesses."""

import numpy as np
import torch
from astropy.table import Table

from spectra_files import (
    read_curves,
    read_inverse_variance,
    read_spectra,
    write_components,
    write_table,
)
from spectralunmix import SmoothNMF, comparison, scan_smoothness, starts
from spectralunmix.spectra import Spectra
from step import step


def starting_components(flux, inverse_variance, n_components, seeds):
    """(n, k, n_wave): random, each of its own seed, so that a start is the same in any job."""
    v = None if inverse_variance is None else torch.from_numpy(inverse_variance)
    spectra = Spectra(torch.from_numpy(flux), v)
    generators = map(np.random.RandomState, seeds)
    return np.concatenate(
        [starts.named(spectra, "random", n_components, rng=rng) for rng in generators]
    )


def numbers(model, start, sum_of_squares, prototypes, metric):
    """A row of the table."""
    distance, _ = comparison.distances(model.components_, prototypes, metric)
    return {
        "n_components": model.n_components,
        "smoothness": model.smoothness,
        "start": start,
        "objective": float(model.objective_[-1]),
        "explained": 1 - model.reconstruction_err_**2 / sum_of_squares,
        "distance": float(distance[comparison.assign(distance)].mean()),
        # its further digits are rounding, which may depend on the fits beside it
        "optimality": float(f"{model.optimality_[-1]:.1e}"),
        "n_empty": int((model.components_.max(axis=1) == 0).sum()),
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
    }


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
