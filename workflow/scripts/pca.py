"""PCA of the spectra: eigenspectra, scores and explained variance."""

import logging

from snakemake.script import Snakemake

from spectralunmix import files, pca
from spectralunmix.steps import check_rank, step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, output, k = snakemake.input, snakemake.output, snakemake.params.n_components
    wavelength, flux = files.read_spectra(inputs.spectra)
    check_rank(k, flux.shape)
    inverse_variance = files.read_inverse_variance(inputs.spectra)
    if inverse_variance is not None and (inverse_variance == 0).any():
        missing = inverse_variance == 0
        flux, n_iter = pca.without_missing(flux, missing, k)
        log.info(
            "%.2g of the values are missing or masked, and are as the eigenspectra predict, found "
            "in %d iterations",
            missing.mean(),
            n_iter,
        )
        if n_iter == pca.MAX_ITER:
            log.warning("what the eigenspectra predict for missing values still changes")
    components, scores, explained = pca.eigenspectra(flux, k)
    factors = wavelength, components, scores
    selection = files.read_table(inputs.selection)
    files.write_factors(output.components, output.weights, *factors, selection)
    shares = [float(f"{value:.8g}") for value in explained]
    files.write_json(output.fit, {"explained_variance_ratio": shares})
    log.info("%d eigenspectra explain %.4f of the variance", len(components), explained.sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
