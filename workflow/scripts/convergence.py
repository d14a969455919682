"""Objective and optimality over iterations: the run's fit, and the published scheme beside it."""

import logging

import matplotlib as mpl
import torch
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures.convergence import draw, how_it_compares
from spectralunmix.figures.style import STYLE, save
from spectralunmix.nmf.published import published_history
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    _, flux = files.read_spectra(inputs.spectra)
    published = published_history(
        flux,
        options.n_components,
        options.n_iter,
        smoothness=options.smoothness,
        init=options.init,
        random_state=options.random_state,
        inverse_variance=files.read_inverse_variance(inputs.spectra),
    )
    fit = files.read_json(inputs.fit)
    with mpl.rc_context(STYLE):
        save(draw(fit, published, options.library), output.pdf, output.png, output.svg)
    log.info("%s", how_it_compares(fit, published))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
