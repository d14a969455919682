"""Prototypes: the median of each class's spectra, divided by its maximum."""

import numpy as np


def prototype(flux, counts=None):
    """Median over spectra, (n_wave,), of flux (n_spectra, n_wave), with maximum 1.

    counts : (n_spectra, n_wave), whether a value does; default all.  A channel where none does is
        filled by a straight line between its neighbours.
    """
    if counts is None or counts.all():
        median = np.median(flux, axis=0)
    else:
        channel, some = np.arange(flux.shape[1]), counts.any(axis=0)
        known = np.where(counts, flux, np.nan)[:, some]
        median = np.interp(channel, channel[some], np.nanmedian(known, axis=0))
    return median / median.max()
