"""PCA of the spectra: eigenspectra, scores and explained variance."""

import numpy as np
from sklearn.decomposition import PCA

MAX_ITER, TOL = 1000, 1e-6  # of filling: the change of what is filled, relative to the spectra


def eigenspectra(flux, n_components):
    """Eigenspectra (k, n_wave), scores (n_spectra, k), explained variance ratios (k,).

    The sign of an eigenspectrum is free: here its largest value is positive.
    """
    pca = PCA(n_components, svd_solver="full").fit(flux)
    largest = np.abs(pca.components_).argmax(axis=1)
    sign = np.sign(np.take_along_axis(pca.components_, largest[:, None], axis=1))
    return pca.components_ * sign, pca.transform(flux) * sign.T, pca.explained_variance_ratio_


def without_missing(flux, missing, n_components):
    """The flux (n_spectra, n_wave) with what its eigenspectra predict where a value is missing.

    PCA has no weights.  Here it is repeated, each time with the missing values that the last one
    gave, from the mean spectrum on, until they stay as they are: expectation maximisation
    (Roweis 1998), in which a missing value has no say in the eigenspectra.

    Returns the flux, and how many times it was repeated.
    """
    channel, some = np.arange(flux.shape[1]), ~missing.all(axis=0)
    mean = np.where(missing, 0.0, flux).sum(axis=0)[some] / (~missing).sum(axis=0)[some]
    filled = np.where(missing, np.interp(channel, channel[some], mean), flux)
    n_iter, change = 0, np.inf
    while change > TOL and n_iter < MAX_ITER:
        n_iter += 1
        mean = filled.mean(axis=0)
        _, _, axes = np.linalg.svd(filled - mean, full_matrices=False)
        axes = axes[:n_components]
        predicted = (mean + (filled - mean) @ axes.T @ axes)[missing]
        change = np.linalg.norm(predicted - filled[missing]) / np.linalg.norm(filled)
        filled[missing] = predicted
    return filled, n_iter
