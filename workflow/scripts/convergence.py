"""Objective and optimality over iterations: the run's fit, and the published scheme beside it."""

import json
from pathlib import Path

import matplotlib as mpl
import torch

from spectralunmix.figures.convergence import draw, published_history
from spectralunmix.figures.style import STYLE, save
from spectralunmix.files import read_inverse_variance, read_spectra
from spectralunmix.steps import step


def main(snakemake, log):
    torch.set_num_threads(snakemake.threads)
    _, flux = read_spectra(snakemake.input.spectra)
    inverse_variance = read_inverse_variance(snakemake.input.spectra)
    fit = json.loads(Path(snakemake.input.fit).read_text())
    published = published_history(flux, inverse_variance, snakemake.params)
    with mpl.rc_context(STYLE):
        fig = draw(fit, published, snakemake.params.library)
        save(fig, snakemake.output.pdf, snakemake.output.png, snakemake.output.svg)
    log.info(
        "published scheme, %d iterations: objective %.9g, optimality %.1e; this fit %.9g, %.1e",
        published[0, -1],
        published[1, -1],
        published[2, -1],
        fit["objective"],
        fit["optimality"],
    )


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
