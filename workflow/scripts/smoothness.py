"""What the smoothness does: the components at several lambda, and where they differ most."""

import logging

import matplotlib as mpl
import numpy as np
import torch
from snakemake.script import Snakemake

from spectralunmix import SmoothNMF, files, scan_smoothness
from spectralunmix.comparison import in_order_of
from spectralunmix.figures.smoothness import draw
from spectralunmix.figures.style import STYLE, assigned, save
from spectralunmix.fit_report import smoothness_table
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    wavelength, flux = files.read_spectra(inputs.spectra)
    inverse_variance = files.read_inverse_variance(inputs.spectra)
    _, _, reference = files.read_curves(inputs.components)
    values = sorted(options.values)
    fit = {key: getattr(options, key) for key in ("init", "max_iter", "tol", "random_state")}
    model = SmoothNMF(options.n_components, **fit)
    models = scan_smoothness(model, flux, values, inverse_variance=inverse_variance)
    curves = np.array([in_order_of(reference, fitted.components_) for fitted in models])
    table = smoothness_table(models)
    files.write_table(output.table, table)
    pairs = assigned(files.read_table(inputs.assignments), "nmf")
    with mpl.rc_context(STYLE):
        fig = draw(wavelength, curves, values, pairs, options.labels, options.library)
        save(fig, output.pdf, output.png, output.svg)
    log.info("%d fits, %d converged", len(table), table["converged"].sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
