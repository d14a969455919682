"""Smooth non-negative factorisation of the spectra: components, weights, and how it ended."""

import json
from pathlib import Path

import torch

from spectra_files import read_spectra, write_factors
from spectralunmix import SmoothNMF
from step import step


def numbers(model, flux):
    """What a reader would quote of the fit."""
    components = torch.from_numpy(model.components_)
    return {
        "smoothness": model.smoothness,
        "objective": model.objective_[-1],
        "sum_of_squared_residuals": model.reconstruction_err_**2,
        "explained_sum_of_squares": 1 - model.reconstruction_err_**2 / float((flux**2).sum()),
        "roughness": [float(r) for r in components.diff(dim=1).square().sum(dim=1)],
        "optimality": model.optimality_[-1],
        "tol": model.tol,
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
        "objective_history": model.objective_.tolist(),
        "optimality_history": model.optimality_.tolist(),
    }


def main(snakemake, log):
    torch.set_num_threads(snakemake.threads)  # one: published numbers do not depend on the machine
    wavelength, flux = read_spectra(snakemake.input.spectra)
    model = SmoothNMF(**dict(snakemake.params.items()))
    weights = model.fit_transform(flux)
    write_factors(snakemake, wavelength, model.components_, weights)
    fit = numbers(model, flux)
    Path(snakemake.output.fit).write_text(json.dumps(fit, indent=2) + "\n")
    log.info(
        "objective %.9g, optimality %.1e (%s) after %d iterations",
        fit["objective"],
        fit["optimality"],
        "converged" if fit["converged"] else "NOT converged",
        fit["n_iter"],
    )


if __name__ == "__main__":
    with step(snakemake.log[0]) as log:
        main(snakemake, log)
