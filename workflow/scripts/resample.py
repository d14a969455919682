"""Fits of resamples of the spectra, and of their noise where their inverse variance says it."""

import logging

import numpy as np
import torch
from snakemake.script import Snakemake

from spectralunmix import bootstrap, files
from spectralunmix.libraries.readers import noise_is_known
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    _, flux = files.read_spectra(inputs.spectra)
    _, _, components = files.read_curves(inputs.components)
    if files.are_large(inputs.spectra):
        files.write_resamples(output.components, files.no_resamples(components, flux))
        log.warning("no standard errors: %d values are too many to fit again", flux.size)
        return
    members = np.array(files.read_table(inputs.selection)["class"])
    settings = {n: getattr(options, n) for n in ("smoothness", "n_resamples", "max_iter")}
    settings |= {"random_state": options.random_state, "first": int(snakemake.wildcards.first)}
    settings["inverse_variance"] = files.read_inverse_variance(inputs.spectra)
    found = bootstrap(flux, components, classes=members, **settings)
    noise, missed = components[None][:0], found.n_not_converged
    if options.noise and noise_is_known(inputs.source, inputs.spectra):
        of_noise = bootstrap(flux, components, resample="noise", **settings)
        noise, missed = of_noise.components, missed + of_noise.n_not_converged
    made = found.components, found.counts, noise, missed
    files.write_resamples(output.components, files.Resamples(*made))
    fitted = len(found.components) + len(noise), missed
    log.info("%d resamples fitted, %d of them not to tolerance", *fitted)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
