"""What a pass, smoothness, weights and restarts cost ours, and how much memory."""

import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
from problems import mixtures

from spectralunmix import SmoothNMF
from spectralunmix.nmf.data import Spectra


def best_of(function, n=7):
    times = []
    for _ in range(n):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def pass_over(X, W, H, V=None):
    """A function that makes one pass: all products that an iteration needs of X and V."""
    spectra = Spectra(torch.from_numpy(X), None if V is None else torch.from_numpy(V))
    Wt, H = (torch.tensor(Z.copy())[None] for Z in (W.T, H))

    def one_pass():
        spectra.times_weights(Wt)
        spectra.gram_weights(Wt)
        spectra.times_components(H)
        spectra.gram_components(H)

    return one_pass


def pass_over_products(X, k):
    """Seconds of a pass over those of the two products alone, each as it is fastest."""
    rng = np.random.default_rng(0)
    w, h, x = rng.random((k, len(X))), rng.random((k, X.shape[1])), X
    mine = best_of(pass_over(X, w.T, h))
    tw, th, tx = map(torch.from_numpy, (w, h, x))
    with_w = [lambda: w @ x, lambda: x.T @ w.T, lambda: tw @ tx]
    with_h = [lambda: h @ x.T, lambda: x @ h.T, lambda: th @ tx.T, lambda: tx @ th.T]
    return mine / (min(map(best_of, with_w)) + min(map(best_of, with_h)))


def weighted_over_plain(X, k):
    """The products of a pass with weights, Gram matrices included, over those without."""
    rng = np.random.default_rng(0)
    W, H = rng.random((len(X), k)), rng.random((k, X.shape[1]))
    V = rng.random(X.shape) + 0.5
    return best_of(pass_over(X, W, H, V)) / best_of(pass_over(X, W, H))


def fit_seconds(X, inverse_variance=None, **parameters):
    """Median seconds of a fit."""
    model, times = SmoothNMF(4, max_iter=3000, **parameters), []
    for _ in range(5):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, inverse_variance=inverse_variance)
        times.append(time.perf_counter() - began)
    return np.median(times)


PEAK = """
import re, sys, numpy as np
from spectralunmix import SmoothNMF
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = int(open("/proc/self/statm").read().split()[1]) * 4096
X = np.load(sys.argv[1])
SmoothNMF(6, smoothness=0, dtype="float32", tol=1e-4).fit(X)
print((peak() - before) / X.nbytes)
"""


def peak_memory(X):
    """Peak memory of a fit in a process of its own, X included, over the size of X."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/X.npy", X)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, f"{folder}/X.npy"],
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout)


def own_ratios(spectra):
    """What is measured of ours alone, with the goal."""
    rng = np.random.default_rng(0)
    large = mixtures(spectra, 3727, spectra.shape[1], 0.01)
    plain = fit_seconds(spectra, smoothness=0)
    smooth = fit_seconds(spectra, smoothness=100)
    weighted = fit_seconds(spectra, rng.uniform(0.5, 1.5, spectra.shape), smoothness=0)
    return [
        ("a pass / its two products alone, (b)", pass_over_products(large, 4), 1.3),
        ("smoothness 100 / 0, to optimality 1e-6, (a)", smooth / plain, 2),
        ("a fit with weights / without, to optimality 1e-6, (a)", weighted / plain, "-"),
        ("the products of a pass with weights / without, (b)", weighted_over_plain(large, 4), 3.5),
    ]
