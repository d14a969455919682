"""PCA of the spectra: eigenspectra, scores and explained variance."""

from spectralunmix.files import read_inverse_variance, read_spectra, write_factors, write_json
from spectralunmix.pca import MAX_ITER, eigenspectra, without_missing
from spectralunmix.steps import step


def main(snakemake, log):
    wavelength, flux = read_spectra(snakemake.input.spectra)
    inverse_variance = read_inverse_variance(snakemake.input.spectra)
    n_components = snakemake.params.n_components
    if inverse_variance is not None and (missing := inverse_variance == 0).any():
        flux, n_iter = without_missing(flux, missing, n_components)
        log.info(
            "%.2g of the values are missing or masked, and are as the eigenspectra predict, found "
            "in %d iterations",
            missing.mean(),
            n_iter,
        )
        if n_iter == MAX_ITER:
            log.warning("what the eigenspectra predict for missing values still changes")
    components, scores, explained = eigenspectra(flux, n_components)
    write_factors(snakemake, wavelength, components, scores)
    fit = {"explained_variance_ratio": [float(f"{value:.8g}") for value in explained]}
    write_json(snakemake.output.fit, fit)
    log.info("%d eigenspectra explain %.4f of the variance", len(components), explained.sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
