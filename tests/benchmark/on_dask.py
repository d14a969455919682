"""What a fit costs on Dask workers of this machine: time, memory, and bytes that are moved.

Run as `make survey`; writes docs/dask.json, of which `survey_tables.py` makes the tables of
docs/dask.md.  X is 64 000 x 7781 values, 4 GB, made where it is needed.
"""

import concurrent.futures
import functools
import json
import multiprocessing
import platform
import resource
import sys
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import psutil
import torch
from distributed import Client, LocalCluster

from spectralunmix import smooth_nmf
from spectralunmix.cluster import conductor
from spectralunmix.cluster.conductor import conduct
from spectralunmix.nmf.communication import ALONE
from spectralunmix.nmf.data import Spectra

N_SPECTRA, N_WAVE, K = 64_000, 7781, 10
CHUNK = 2000  # spectra of a chunk of Dask's: 124 MB
REPEATS = 3
TOL = 1e-5
ITERATIONS = 5
SMOOTHNESS = 1.0
GB = 1e9


def spectra(first, n, n_wave=N_WAVE):
    """Smooth mixtures of ten components, with noise, the same whoever makes them."""
    rng = np.random.default_rng([1, first])
    centres = np.linspace(0.05, 0.95, K)[:, None]
    H = np.exp(-0.5 * ((np.linspace(0, 1, n_wave) - centres) / 0.05) ** 2)
    noise = 0.05 * rng.standard_normal((n, n_wave))
    return np.add(rng.gamma(0.5, size=(n, K)) @ H, noise, out=noise)


def weights(first, n, n_wave=N_WAVE):
    """Inverse variances over a decade, a tenth of them 0."""
    rng = np.random.default_rng([2, first])
    V = rng.random((n, n_wave))
    V[V < 0.1] = 0
    V *= 400
    return V


def in_memory(made, n_spectra):
    """All of them, in an array that is filled chunk by chunk."""
    Z = np.empty((n_spectra, N_WAVE))
    for first in range(0, n_spectra, CHUNK):
        Z[first : first + CHUNK] = made(first, min(CHUNK, n_spectra - first))
    return Z


def lazy(made, n_spectra):
    parts = [
        da.from_delayed(dask.delayed(made)(first, CHUNK), (CHUNK, N_WAVE), float)
        for first in range(0, n_spectra, CHUNK)
    ]
    return da.concatenate(parts)


def passes(X, V, comm):
    """Median seconds of both products of an iteration, after one that is not counted."""
    spectra_ = Spectra(torch.from_numpy(X), None if V is None else torch.from_numpy(V), comm=comm)
    rng = np.random.default_rng(0)
    H = torch.from_numpy(rng.random((1, K, N_WAVE)))
    Wt = torch.from_numpy(rng.random((1, K, len(X))))
    taken = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        spectra_.products_with_weights(Wt)
        spectra_.times_components(H)
        spectra_.gram_components(H)
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[1:]))


def _passes(rows, comm):
    return passes(rows.X, rows.V, comm), []


def _nothing(rows, comm):
    return comm.rank, []


def peak(*_):
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fit(X, V, **how):
    arguments = {"smoothness": SMOOTHNESS, "init": "random", "random_state": 0, **how}
    return smooth_nmf(X, K, inverse_variance=V, **arguments)


def timed(X, V):
    """Of spectra alone a whole fit, which compresses them; of weighted ones some iterations."""
    if V is None:
        begun = time.perf_counter()
        found = fit(X, None, tol=TOL)
        return {"fit_s": time.perf_counter() - begun, "n_iter": found.n_iter}
    taken = []
    for n in (1, 1 + ITERATIONS):  # the difference: without the start
        begun = time.perf_counter()
        fit(X, V, max_iter=n, tol=0)
        taken.append(time.perf_counter() - begun)
    return {"start_s": taken[0], "iteration_s": (taken[1] - taken[0]) / ITERATIONS}


def of_process(weighted, n_threads, n_spectra):
    """In memory, in a process of its own."""
    torch.set_num_threads(n_threads)
    X = in_memory(spectra, n_spectra)
    V = in_memory(weights, n_spectra) if weighted else None
    a_pass = passes(X, V, ALONE)
    return {"pass_s": a_pass, **timed(X, V), "memory_b": [peak()]}


class Counted:
    """Bytes over the loopback device, turns and sums of the fits within."""

    def __enter__(self):
        self.told, self.turns, self.values = conductor._Conductor._told, 0, 0

        def told(conducting, turn, reply):
            message = self.told(conducting, turn, reply)
            self.turns += 1
            if message.kind == "sum":
                self.values += sum(array.size for array in message.content)
            return message

        conductor._Conductor._told = told
        self.begun = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        return self

    def __exit__(self, *_):
        conductor._Conductor._told = self.told
        self.bytes = psutil.net_io_counters(pernic=True)["lo"].bytes_sent - self.begun


def of_cluster(weighted, n_workers, n_spectra):
    cluster = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=":0", memory_limit=0
    )
    with cluster, Client(cluster) as client:
        X, V = lazy(spectra, n_spectra), lazy(weights, n_spectra) if weighted else None
        fit(da.from_array(spectra(0, 200), chunks=(100, -1)), None, max_iter=1, tol=0)  # imports
        begun = time.perf_counter()
        conduct(client, X, V, _nothing, 0)
        placed = time.perf_counter() - begun
        a_pass = conduct(client, X, V, _passes, 0).of_all
        idle = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        time.sleep(5)
        idle = (psutil.net_io_counters(pernic=True)["lo"].bytes_sent - idle) / 5
        found = {"placed_s": placed, "pass_s": a_pass}
        if weighted:
            found |= of_iterations(X, V, idle)
        else:
            with Counted() as counted:
                found |= timed(X, None)
            found["turns"] = counted.turns
        return {**found, "memory_b": [peak(), *client.run(peak).values()]}


def of_iterations(X, V, idle):
    """`timed` of weighted spectra, with what was sent; idle: bytes a second without a fit."""
    found = []
    for n in (1, 1 + ITERATIONS):
        begun = time.perf_counter()
        with Counted() as counted:
            fit(X, V, max_iter=n, tol=0)
        seconds = time.perf_counter() - begun
        found.append([seconds, counted.turns, counted.values, counted.bytes - idle * seconds])
    iteration = (np.array(found[1]) - np.array(found[0])) / ITERATIONS
    names = "iteration_s", "turns", "values", "loopback_b"
    return {"start_s": found[0][0], **dict(zip(names, iteration.tolist(), strict=True))}


def latency(n_workers, n_values):
    """Seconds of a sum of so many values, on workers with nothing else to do."""
    with (
        LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        X = da.zeros((64 * n_workers, 10), chunks=(64, 10))
        return conduct(client, X, None, functools.partial(_sums, n_values), 0).of_all


def _sums(n_values, rows, comm):
    values, n = torch.zeros(n_values, dtype=torch.float64), 100
    begun = time.perf_counter()
    for _ in range(n):
        comm.total(values)
    return (time.perf_counter() - begun) / n, []


def apart(function, *arguments):
    """What a function returns in a process of its own, so that the memory is its alone."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def main(n_spectra):
    cases = []  # each in a process of its own
    for weighted, n in ((False, n_spectra), (True, n_spectra // 4)):
        for where, measured in (("threads", of_process), ("workers", of_cluster)):
            for number in (1, 2):
                found = apart(measured, weighted, number, n)
                cases.append({"weighted": weighted, "n_spectra": n, where: number, **found})
                print(cases[-1], flush=True)
    sums = [
        {"workers": n, "values": size, "seconds": latency(n, size)}
        for n in (1, 2, 4)
        for size in (1, K * N_WAVE)
    ]
    content = {
        "n_spectra": n_spectra,
        "n_wave": N_WAVE,
        "n_components": K,
        "smoothness": SMOOTHNESS,
        "processor": platform.processor() or platform.machine(),
        "cores": multiprocessing.cpu_count(),
        "cases": cases,
        "sums": sums,
    }
    Path("docs/dask.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_SPECTRA)
