"""A Dask cluster on this machine, and spectra for it."""

import os
import signal

import numpy as np


def local_cluster(n_workers=2, **changed):
    """Processes of a thread each."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        dashboard_address=":0",
        worker_dashboard_address=None,
        **changed,
    )


def kill_a_worker(client, which):
    """End a worker's process as a machine does that goes down."""
    pids = client.run(os.getpid)
    os.kill(pids[sorted(pids)[which]], signal.SIGKILL)


def spectra(n_spectra=300, n_wave=120, k=3, seed=0):
    """Smooth mixtures with noise, and weights of which a tenth are 0, NaN where they are."""
    rng = np.random.default_rng(seed)
    centres = np.linspace(0.1, 0.9, k)[:, None]
    H = np.exp(-0.5 * ((np.linspace(0, 1, n_wave) - centres) / 0.1) ** 2)
    X = rng.gamma(0.3, size=(n_spectra, k)) @ H + 0.02 * rng.standard_normal((n_spectra, n_wave))
    V = 1 + rng.random(X.shape)
    V[rng.random(X.shape) < 0.1] = 0
    return X, V
