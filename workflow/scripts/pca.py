"""PCA of the spectra: eigenspectra, scores and explained variance."""

import numpy as np
from sklearn.decomposition import PCA

from spectra_files import read_spectra, write_factors, write_json
from step import step


def eigenspectra(flux, n_components):
    """Eigenspectra (k, n_wave), scores (n_spectra, k), explained variance ratios (k,).

    The sign of an eigenspectrum is free: here its largest value is positive.
    """
    pca = PCA(n_components, svd_solver="full").fit(flux)
    largest = np.abs(pca.components_).argmax(axis=1)
    sign = np.sign(np.take_along_axis(pca.components_, largest[:, None], axis=1))
    return pca.components_ * sign, pca.transform(flux) * sign.T, pca.explained_variance_ratio_


def main(snakemake, log):
    wavelength, flux = read_spectra(snakemake.input.spectra)
    components, scores, explained = eigenspectra(flux, snakemake.params.n_components)
    write_factors(snakemake, wavelength, components, scores)
    fit = {"explained_variance_ratio": [float(f"{value:.8g}") for value in explained]}
    write_json(snakemake.output.fit, fit)
    log.info("%d eigenspectra explain %.4f of the variance", len(components), explained.sum())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
