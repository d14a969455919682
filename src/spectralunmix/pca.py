"""PCA of the spectra: eigenspectra, scores and explained variance."""

import numpy as np

MAX_ITER, TOL = 1000, 1e-6  # of `without_missing`; TOL is relative to the spectra


def eigenspectra(
    flux: np.ndarray, n_components: int, svd_solver: str = "full"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenspectra, their scores in the spectra, and what they explain.

    The sign of an eigenspectrum is free: here its largest value is positive.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    n_components : int
        Number of eigenspectra, k.
    svd_solver : {"full", "arpack"}, default "full"
        Solver of scikit-learn's PCA.

    Returns
    -------
    eigenspectra : ndarray of shape (k, n_wave)
    scores : ndarray of shape (n_spectra, k)
    explained : ndarray of shape (k,)
        Shares of the variance.
    """
    from sklearn.decomposition import PCA  # imported here because it takes 2 s

    pca = PCA(n_components, svd_solver=svd_solver, random_state=0).fit(flux)
    largest = np.abs(pca.components_).argmax(axis=1)
    sign = np.sign(np.take_along_axis(pca.components_, largest[:, None], axis=1))
    return pca.components_ * sign, pca.transform(flux) * sign.T, pca.explained_variance_ratio_


def without_missing(
    flux: np.ndarray, missing: np.ndarray, n_components: int
) -> tuple[np.ndarray, int]:
    """Replace missing values by those that the eigenspectra predict.

    PCA cannot leave out single values. So the missing values are set to the mean spectrum, and
    PCA is repeated with the values that the last eigenspectra predict, until these no longer
    change. In this expectation maximisation (Roweis 1998) missing values do not influence the
    eigenspectra.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    missing : ndarray of bool, shape (n_spectra, n_wave)
        Which of their values are missing.
    n_components : int
        Number of eigenspectra.

    Returns
    -------
    filled : ndarray of shape (n_spectra, n_wave)
    n_iter : int
        How many times it was repeated, MAX_ITER at most.
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
        change = float(np.linalg.norm(predicted - filled[missing]) / np.linalg.norm(filled))
        filled[missing] = predicted
    return filled, n_iter
