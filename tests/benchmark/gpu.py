"""What a CUDA device makes of a pass over X, of many fits side by side, and of large X.

    gpu.py [--device cuda] [--small] [--is-there]

The share of the device's memory bandwidth that a pass reaches, the bandwidth being that of a copy;
fits per second of a batch on the paper's size of X; the time of a fit of (d)'s size, and of one of
10^6 x 4000.  One thread of the processor does the same beside it, the batch smaller.  X is made on
the device, in single precision but for the batch.  Where there is no device it says so and ends.
"""

import argparse
import os
import sys

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from astropy.table import Table

from spectralunmix import SmoothNMF
from spectralunmix.nmf.data import Spectra

FOLDER = Path("results/benchmark")
ROWS_MADE = 50_000  # of X at once
SHARE = 0.7  # of the bandwidth: the goal of a pass
SPARE = 2.5  # times the size of X have to be free for a fit


class Sizes(NamedTuple):
    """Of what is measured: bytes of the copy, rows and channels of X, and fits of a batch."""

    copied: int = 2**31
    paper: tuple[int, int] = (80, 2250)
    batch: int = 1000
    batch_on_cpu: int = 32
    d: tuple[int, int] = (40_000, 3681)
    large: tuple[int, int] = (1_000_000, 4000)


SMALL = Sizes(2**20, (20, 60), 8, 4, (300, 80), (600, 70))


def spectra(shape, device, dtype=torch.float32, noise=0.01):
    """Mixtures of 12 smooth components, with noise."""
    n_spectra, n_wave = shape
    rng = torch.Generator(device).manual_seed(0)
    given = {"generator": rng, "device": device, "dtype": dtype}
    centres = torch.rand(12, 1, **given)
    wave = torch.linspace(0, 1, n_wave, device=device, dtype=dtype)
    components = torch.exp(-(((wave - centres) / 0.15) ** 2)) + 0.1
    X = torch.empty(n_spectra, n_wave, device=device, dtype=dtype)
    for part in X.split(ROWS_MADE):
        part.copy_(torch.rand(len(part), 12, **given).pow(4) @ components)
        part += noise * torch.randn(part.shape, **given)
    return X


def seconds_of(function, device, n=5):
    """The median of n times, until the device has ended, after one that is not counted."""
    times = []
    for _ in range(n + 1):
        began = time.perf_counter()
        function()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return float(np.median(times[1:]))


def bandwidth(device, n_bytes):
    """Bytes per second of a copy, those read and those written."""
    source = torch.ones(n_bytes // 4, device=device)
    target = torch.empty_like(source)
    return 2 * n_bytes / seconds_of(lambda: target.copy_(source), device)


def passes(device, shape, k=6):
    """Bytes of X per second of each of the two products of a pass."""
    X = spectra(shape, device)
    data = Spectra(X, device=device, dtype=X.dtype)
    H = torch.rand(1, k, shape[1], device=device, dtype=torch.float64)
    Wt = torch.rand(1, k, shape[0], device=device, dtype=torch.float64)
    n_bytes = X.numel() * X.element_size()
    products = {"times_components": (data.times_components, H)}
    products["times_weights"] = (data.times_weights, Wt)
    return {
        name: n_bytes / seconds_of(lambda f=f, Z=Z: f(Z), device)
        for name, (f, Z) in products.items()
    }


def fits_per_second(device, shape, batch, smoothness):
    """Of a batch of fits from random starts, in double precision."""
    X = spectra(shape, device, torch.float64)
    model = SmoothNMF(
        4,
        smoothness=smoothness,
        init="random",
        n_restarts=batch,
        random_state=0,
        device=device,
    )
    return batch / seconds_of(lambda: model.fit(X), device, n=1)


def seconds_of_a_fit(device, shape):
    """In single precision, the start included; missing where X does not fit in."""
    if free_bytes(device) < SPARE * 4 * shape[0] * shape[1]:
        return np.nan
    X = spectra(shape, device)
    model = SmoothNMF(6, smoothness=0, dtype="float32", tol=1e-4, device=device)
    small = X[: min(len(X), 1000)].clone()
    model.fit(small)  # what is loaded and allocated once is not counted
    began = time.perf_counter()
    model.fit(X)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def free_bytes(device):
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = [line.split()[1] for line in lines if line.startswith("MemAvailable")]
    return 1024 * int(kilobytes[0])


def measured(device, sizes, batch):
    """Value by what it is and its unit."""
    peak = bandwidth(device, sizes.copied)
    found = {("a copy", "GB/s"): peak / 1e9}
    size = "{} x {}".format
    for name, rate in passes(device, sizes.d).items():
        found[f"{name}, {size(*sizes.d)}", "GB/s"] = rate / 1e9
        found[f"{name}, {size(*sizes.d)}", f"share of the copy (goal {SHARE})"] = rate / peak
    for smoothness in (0, 10):
        rate = fits_per_second(device, sizes.paper, batch, smoothness)
        what = f"side by side, {size(*sizes.paper)}, k = 4, smoothness {smoothness}"
        found[what, "fits/s"] = rate
    for shape in (sizes.d, sizes.large):
        seconds = seconds_of_a_fit(device, shape)
        found[f"a fit, {size(*shape)}, k = 6, float32", "s"] = seconds
    return found


def measure(device, sizes, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        on_device = measured(device, sizes, sizes.batch)
        on_cpu = measured("cpu", sizes, sizes.batch_on_cpu)
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    table = Table(
        {
            "what": [what for what, _ in on_device],
            "unit": [unit for _, unit in on_device],
            "device": list(on_device.values()),
            "one_cpu_thread": [on_cpu[key] for key in on_device],
        },
        meta={
            "device": name,
            "torch": str(torch.__version__),
            "batch": sizes.batch,
            "batch_on_cpu": sizes.batch_on_cpu,
        },
    )
    for column in ("device", "one_cpu_thread"):
        table[column].info.format = ".3g"
    folder.mkdir(parents=True, exist_ok=True)
    table.write(folder / "gpu.ecsv", format="ascii.ecsv", overwrite=True)
    print(f"{name}: {sizes.batch} fits side by side, {sizes.batch_on_cpu} on one thread of the CPU")
    print(*table.pformat(max_width=-1, max_lines=-1, align=["<", "<", ">", ">"]), sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--small", action="store_true", help="to see that it runs")
    parser.add_argument("--is-there", action="store_true", help="status 1 where there is none")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no CUDA device here: nothing is run or measured.")
        sys.exit(1 if options.is_there else 0)
    if not options.is_there:
        torch.set_num_threads(1)
        measure(options.device, SMALL if options.small else Sizes(), options.folder)


if __name__ == "__main__":
    main()
