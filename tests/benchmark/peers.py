"""The peers, each as a function (X, W, H, n_iter) -> (W, H) of n_iter iterations from W, H.

X (n_spectra, n_wave), W (n_spectra, k), H (k, n_wave), all numpy, of one dtype.  Each is asked
not to stop early.  nmf-torch takes no start and begins from its own NNDSVD.  Those for spectra with
weights are in `weighted_peers`; ours and Adam's take either.
"""

import contextlib

import numpy as np
import torch
import weighted_peers
from sklearn.decomposition import _nmf

from spectralunmix import SmoothNMF

OURS = "spectralunmix"
PROXIMAL = "spectralunmix, proximal gradient"
ADAM = "Adam, clamped"
RATES = (0.1, 0.03, 0.01)  # of Adam


def ours(X, W, H, n_iter, V=None, solver="anticipation"):
    model = SmoothNMF(
        len(H),
        smoothness=0,
        init=H,
        max_iter=n_iter,
        tol=0,
        dtype=str(X.dtype),
        solver=solver,
    )
    return model.fit_transform(X, inverse_variance=V), model.components_


def proximal_gradient(X, W, H, n_iter, V=None):
    """The paper's own scheme."""
    return ours(X, W, H, n_iter, V, "proximal_gradient")


def scikit_learn_cd(X, W, H, n_iter):
    """Below `NMF`, which does this and no more after it has refused negative X."""
    W, H, _ = _nmf._fit_coordinate_descent(X, W.copy(), H.copy(), tol=0, max_iter=n_iter)
    return W, H


def scikit_learn_mu(X, W, H, n_iter):
    W, H, _ = _nmf._fit_multiplicative_update(X, W.copy(), H.copy(), tol=0, max_iter=n_iter)
    return W, H


def nmf_torch_hals(X, W, H, n_iter):
    import nmf

    checked = 10 * -(-n_iter // 10)  # it ends only where it looks, every 10 iterations
    with contextlib.redirect_stdout(None):
        W, H, _ = nmf.run_nmf(
            X,
            len(H),
            init="nndsvdar",
            algo="hals",
            tol=0,
            n_jobs=1,
            fp_precision={"float64": "double", "float32": "float"}[str(X.dtype)],
            batch_max_iter=checked,
        )
    return np.asarray(W), np.asarray(H)


def torchnmf_mu(X, W, H, n_iter):
    from torchnmf.nmf import NMF

    net = NMF(W=torch.from_numpy(H.T.copy()), H=torch.from_numpy(W.copy()))
    with contextlib.redirect_stdout(None):
        net.fit(torch.from_numpy(X), beta=2, tol=0, max_iter=n_iter)
    return net.H.detach().numpy(), net.W.detach().numpy().T


def tensorly_hals(X, W, H, n_iter):
    from tensorly.cp_tensor import CPTensor
    from tensorly.decomposition import non_negative_parafac_hals

    start = CPTensor((np.ones(len(H), X.dtype), [W.copy(), H.T.copy()]))
    scale, (W, Ht) = non_negative_parafac_hals(X, len(H), n_iter_max=n_iter, init=start, tol=0)
    return W * scale, Ht.T


def nimfa_lsnmf(X, W, H, n_iter):
    np.mat = np.asmatrix  # noqa: NPY201  nimfa 1.4.0 uses the name that numpy 2 dropped
    import nimfa

    model = nimfa.Lsnmf(
        X, rank=len(H), W=W.copy(), H=H.copy(), max_iter=n_iter, min_residuals=1e-300
    )
    fit = model()
    return np.asarray(fit.basis()), np.asarray(fit.coef())


def proxmin_pgm(X, W, H, n_iter):
    import proxmin

    W, H = W.copy(), H.copy()
    proxmin.nmf.nmf(X, W, H, max_iter=n_iter, e_rel=1e-16)
    return W, H


PEERS = {
    OURS: ours,
    PROXIMAL: proximal_gradient,
    "scikit-learn cd": scikit_learn_cd,
    "scikit-learn mu": scikit_learn_mu,
    "nmf-torch hals": nmf_torch_hals,
    "torchnmf mu": torchnmf_mu,
    "tensorly hals": tensorly_hals,
    "nimfa lsnmf": nimfa_lsnmf,
    "proxmin pgm": proxmin_pgm,
}
WEIGHTED_PEERS = {OURS: ours, PROXIMAL: proximal_gradient, **weighted_peers.PEERS}
# An iteration of these depends on W and H alone, so a run goes on where the last one ended;
# the others are run afresh for each number of iterations.
STATELESS = {"scikit-learn cd", "scikit-learn mu", "torchnmf mu", "tensorly hals"}
STATELESS |= set(weighted_peers.PEERS)
NOTES = {
    PROXIMAL: 'solver="proximal_gradient", the scheme of the paper',
    ADAM: "as the R package does; the best of the learning rates "
    + ", ".join(map(str, RATES))
    + " at each time",
    **weighted_peers.NOTES,
}
