"""Objective and optimality over iterations: the run's fit, and the published schemes beside it."""

import logging

import matplotlib as mpl
import torch
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures.convergence import ADAM, PROXIMAL, draw, how_it_compares
from spectralunmix.figures.style import STYLE, save
from spectralunmix.published import proximal_history, published_history
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    _, flux = files.read_spectra(inputs.spectra)
    fit = files.read_json(inputs.fit)
    problem = flux, options.n_components, options.n_iter
    same = {name: getattr(options, name) for name in ("smoothness", "init", "random_state")}
    same["inverse_variance"] = files.read_inverse_variance(inputs.spectra)
    published = {
        PROXIMAL: proximal_history(*problem, fit["tol"], **same),
        ADAM: published_history(*problem, **same),
    }
    with mpl.rc_context(STYLE):
        save(draw(fit, published, options.library), output.pdf, output.png, output.svg)
    log.info("%s", how_it_compares(fit, published))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
