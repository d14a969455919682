"""Prototypes: the median of each class's spectra, divided by its maximum, and the spread."""

import numpy as np

from spectralunmix.errors import LibraryError

BAND = (16, 84)  # percentiles over the spectra of a class


def prototype(flux: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """The median of spectra, with maximum 1.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    counts : ndarray of bool, shape (n_spectra, n_wave), or None, default None
        Whether a value counts; None where all count.

    Returns
    -------
    ndarray of shape (n_wave,)
        A channel in which no value counts is filled by a straight line between its neighbours.
    """
    if counts is None or counts.all():
        median = np.median(flux, axis=0)
    else:
        channel, some = np.arange(flux.shape[1]), counts.any(axis=0)
        known = np.where(counts, flux, np.nan)[:, some]
        median = np.interp(channel, channel[some], np.nanmedian(known, axis=0))
    return median / median.max()


def prototypes(
    flux: np.ndarray, inverse_variance: np.ndarray | None, members: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The prototype of each class.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None
        The inverse variance of each value; values with 0 do not count.
    members : list of str
        The class of each spectrum.

    Returns
    -------
    curves : dict of ndarray of shape (n_wave,)
        The prototypes, by class.
    n_filled : dict of int
        Channels in which no spectrum of the class counts, by class.

    Raises
    ------
    LibraryError
        A prototype is not finite.
    """
    counts = np.ones(flux.shape, bool) if inverse_variance is None else inverse_variance > 0
    labels = np.asarray(members)
    curves, n_filled = {}, {}
    for name in dict.fromkeys(labels.tolist()):
        curves[name] = prototype(flux[labels == name], counts[labels == name])
        n_filled[name] = int((~counts[labels == name].any(axis=0)).sum())
    if empty := [name for name, curve in curves.items() if not np.isfinite(curve).all()]:
        raise LibraryError(f"the median spectrum of {', '.join(empty)} is zero or NaN")
    return curves, n_filled


def bands(
    flux: np.ndarray,
    inverse_variance: np.ndarray | None,
    members: np.ndarray,
    curves: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """The percentiles BAND over the spectra of each class, on the scale of its prototype.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None
        The inverse variance of each value; values with 0 do not count.
    members : ndarray of str, shape (n_spectra,)
        The class of each spectrum.
    curves : dict of ndarray of shape (n_wave,)
        The prototypes, by class.

    Returns
    -------
    dict of ndarray of shape (2, n_wave)
        The percentiles, by class; NaN in channels where no value counts.
    """
    found = {}
    for name, curve in curves.items():
        own = np.ma.array(flux[members == name])
        if inverse_variance is not None:
            own.mask = inverse_variance[members == name] <= 0
        counted = np.flatnonzero(own.count(axis=0))
        values = np.ma.filled(own[:, counted].astype(float), np.nan)
        band = np.full((2, flux.shape[1]), np.nan)
        whole = np.isfinite(values).all()  # a look for NaN takes a hundred times as long
        percentile = np.percentile if whole else np.nanpercentile
        band[:, counted] = percentile(values, BAND, axis=0)
        peak = curve[counted].argmax()
        found[name] = band * curve[counted][peak] / np.nanmedian(values[:, peak])
    return found
