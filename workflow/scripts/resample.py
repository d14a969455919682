"""Fits of resamples of the spectra, and of their noise where their inverse variance says it."""

import logging

import numpy as np
import torch
from snakemake.script import Snakemake

from spectralunmix import bootstrap, files
from spectralunmix.libraries.readers import has_uncertainties
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, options = snakemake.input, snakemake.params
    _, flux = files.read_spectra(inputs.spectra)
    _, _, components = files.read_curves(inputs.components)
    members = np.array(files.read_table(inputs.selection)["class"])
    names = "smoothness", "n_resamples", "max_iter", "random_state"
    settings = {name: getattr(options, name) for name in names}
    settings["first"] = int(snakemake.wildcards.first)
    settings["inverse_variance"] = files.read_inverse_variance(inputs.spectra)
    found = bootstrap(flux, components, classes=members, **settings)
    noise, missed = components[None][:0], found.n_not_converged
    of_library = has_uncertainties(files.read_json(inputs.source)["source"])
    if options.noise and (of_library or files.read_has_uncertainties(inputs.spectra)):
        of_noise = bootstrap(flux, components, resample="noise", **settings)
        noise, missed = of_noise.components, missed + of_noise.n_not_converged
    made = files.Resamples(found.components, found.counts, noise, missed)
    files.write_resamples(snakemake.output.components, made)
    n = len(found.components) + len(noise)
    log.info("%d resamples fitted, %d of them not to tolerance", n, missed)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
