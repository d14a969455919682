"""Smooth non-negative factorisation of the spectra: components, weights, and how it ended."""

import json
from pathlib import Path

import torch

from spectra_files import read_inverse_variance, read_spectra, write_factors
from spectralunmix import SmoothNMF
from step import step


def numbers(model, flux, inverse_variance):
    """What a reader would quote of the fit; sums are weighted where there are weights."""
    components = torch.from_numpy(model.components_)
    squares = flux**2 if inverse_variance is None else inverse_variance * flux**2
    return {
        "weighted": inverse_variance is not None,
        "smoothness": model.smoothness,
        "objective": model.objective_[-1],
        "sum_of_squared_residuals": model.reconstruction_err_**2,
        "explained_sum_of_squares": 1 - model.reconstruction_err_**2 / float(squares.sum()),
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
    inverse_variance = read_inverse_variance(snakemake.input.spectra)
    settings = {key: value for key, value in snakemake.params.items() if key != "code"}
    model = SmoothNMF(**settings)
    weights = model.fit_transform(flux, inverse_variance=inverse_variance)
    write_factors(snakemake, wavelength, model.components_, weights)
    fit = numbers(model, flux, inverse_variance)
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
