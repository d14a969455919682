"""Held-out errors of one number of components, over smoothnesses."""

import logging

import torch
from snakemake.script import Snakemake

from spectralunmix import choice, cross_validate, files
from spectralunmix.libraries.readers import noise_is_known
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, k = snakemake.input, int(snakemake.wildcards.n_components)
    settings = {key: value for key, value in snakemake.params.items() if key != "code"}
    settings["inverse_variance"] = files.read_inverse_variance(inputs.spectra)
    settings["classes"] = files.read_members(inputs.selection)
    _, flux = files.read_spectra(inputs.spectra)
    found = cross_validate(flux, [k], **settings)
    uncertain = noise_is_known(inputs.source, inputs.spectra)
    files.write_fits_table(snakemake.output.table, choice.as_table(found, uncertain))
    log.info("%d components: %s", k, choice.errors_in_words(found))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
