"""The peers for spectra with weights: functions (X, W, H, n_iter, V) -> (W, H), as in `peers`.

V (n_spectra, n_wave) is the inverse variance, 0 where a value does not count.  Each is asked not
to stop early.
"""

import contextlib

import numpy as np

SMALL = 1e-6


def nearly_nmf(X, W, H, n_iter, V):
    """Green & Bailey (2024), by the update that their paper gives: no package index has theirs.

    A quotient 0 / 0, of a factor's entry and column that became 0, is a small number as with them.
    """
    VX = V * X
    for _ in range(n_iter):
        up = W.T @ VX
        H = H * np.maximum(up, 0) / (W.T @ (V * (W @ H)) + np.maximum(-up, 0))
        H = np.nan_to_num(H, nan=SMALL, posinf=SMALL)
        up = VX @ H.T
        W = W * np.maximum(up, 0) / ((V * (W @ H)) @ H.T + np.maximum(-up, 0))
        W = np.nan_to_num(W, nan=SMALL, posinf=SMALL)
    return W, H


def nonnegmfpy(X, W, H, n_iter, V):
    """Zhu (2016); it sets negative values to 0."""
    from NonnegMFPy.nmf import NMF

    with contextlib.redirect_stdout(None):
        model = NMF(X, W=W, H=H, V=V, n_components=len(H))
        model.SolveNMF(maxiters=n_iter, tol=-np.inf)
    return model.W, model.H


def pydl_hmf(X, W, H, n_iter, V):
    """Tsalmantza & Hogg (2012), the steps of its `iterate` from W and H in place of k-means.

    It sets negative values to 0.
    """
    from pydl.pydlspec2d.spec1d import HMF

    model = HMF(np.maximum(X, 0), V, K=len(H), nonnegative=True)
    model.a, model.g = W, H
    for _ in range(n_iter):
        model.a = model.astepnn()
        model.g = model.gstepnn()
        norm = model.normbase()
        model.a, model.g = model.a * norm, model.g / norm[:, None]
    return model.a, model.g


PEERS = {"Nearly-NMF": nearly_nmf, "NonnegMFPy": nonnegmfpy, "pydl HMF": pydl_hmf}
NOTES = {
    "Nearly-NMF": "its published update, written out in the benchmark",
    "NonnegMFPy": "sets X < 0 to 0 and so solves another problem where there is any",
    "pydl HMF": "sets X < 0 to 0 and so solves another problem where there is any",
}
