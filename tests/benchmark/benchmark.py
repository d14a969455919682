"""Time to a relative gap, ours and the peers' side by side: results/benchmark/.

    benchmark.py SPECTRA.fits [--seconds 20] [--rounds 3] [--problems abBcd]

SPECTRA.fits is what the workflow's select step writes; the problems are its matrix (a) and
mixtures of its rows with noise: b (k = 4), B (k = 10), c and d (single precision, with
negative values).  All methods begin at the same W and H, on one thread; rounds alternate
between methods and times are medians.  The gap is to the least value that any method
reached from that start.  Then, of ours alone: what a pass, smoothness, weights and restarts
cost, and how much memory.
"""

import argparse
import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.optimize
import torch
from peers import PEERS, STATELESS
from spectralunmix.nmf.passes import pass_over

from spectralunmix import SmoothNMF
from spectralunmix.files import read_spectra
from spectralunmix.nmf.starts import starting_components

FOLDER = Path("results/benchmark")
GAPS = (1e-2, 1e-4, 1e-6)
OURS = "spectralunmix"


def mixtures(spectra, n_spectra, n_wave, noise, dtype=np.float64, clip=False):
    """Random mixtures of a few rows of spectra, each with maximum 1, with noise."""
    rng = np.random.default_rng(0)
    old, new = np.linspace(0, 1, spectra.shape[1]), np.linspace(0, 1, n_wave)
    rows = np.array([np.interp(new, old, row) for row in spectra]).astype(dtype)
    X = rng.gamma(0.1, size=(n_spectra, len(spectra))).astype(dtype) @ rows
    X /= X.max(axis=1, keepdims=True)
    for part in np.array_split(X, 20):
        part += dtype(noise) * rng.standard_normal(part.shape).astype(dtype)
        if clip:
            np.maximum(part, 0, out=part)
    return X


def problems(spectra):
    """Title, X and k by letter, each made when its turn comes."""
    n, n_wave = spectra.shape
    single = np.float32
    return {
        "a": (f"(a) {n} x {n_wave}, k = 4", lambda: spectra, 4),
        "b": (
            f"(b) 3727 x {n_wave}, k = 4",
            lambda: mixtures(spectra, 3727, n_wave, 0.01, clip=True),
            4,
        ),
        "B": (
            f"(b) 3727 x {n_wave}, k = 10",
            lambda: mixtures(spectra, 3727, n_wave, 0.01, clip=True),
            10,
        ),
        "c": (
            "(c) 5476 x 4563, k = 6, float32",
            lambda: mixtures(spectra, 5476, 4563, 0.05, single),
            6,
        ),
        "d": (
            "(d) 40000 x 3681, k = 6, float32",
            lambda: mixtures(spectra, 40000, 3681, 0.05, single),
            6,
        ),
    }


def common_starts(X, k, n):
    """n starts (W, H), the first NNDSVD's, without zeros, where multiplicative updates stay."""
    H = [starting_components(X, k, init) for init in ("nndsvd", "spa")]
    H.append(starting_components(X, k, "random", n_starts=max(0, n - 2), random_state=0))
    for each in np.concatenate(H)[:n]:
        each = np.maximum(each, 1e-3 * each.max())
        W = np.array([scipy.optimize.nnls(each.T, x)[0] for x in X])
        yield (W + 0.01 * W.mean()).astype(X.dtype), each.astype(X.dtype)


def objective(X, W, H):
    W, H = W.astype(float), H.astype(float)
    rows = range(0, len(X), 2000)
    return sum(np.square(X[i : i + 2000] - W[i : i + 2000] @ H).sum() for i in rows)


def run(name, X, W, H, seconds):
    """(seconds, objective) along a run: of one that goes on, or of runs of rising length."""
    n_iter, spent, reached = 1, 0.0, []
    start = W, H
    while spent < seconds:
        began = time.perf_counter()
        W, H = PEERS[name](X, *((W, H) if name in STATELESS else start), n_iter)
        took = time.perf_counter() - began
        spent = spent + took if name in STATELESS else took
        reached.append((spent, objective(X, W, H)))
        if name not in STATELESS and len(reached) > 12:
            last, before = reached[-1][1], reached[-4][1]
            if abs(before - last) < 1e-9 * last:
                break  # it has converged, and may end by itself before the time is up
        n_iter = max(n_iter + 1, round(1.4 * n_iter))
    return reached


def measure(X, k, seconds, rounds, n_starts):
    rows = []
    for start, (W, H) in enumerate(common_starts(X, k, n_starts)):
        for turn in range(rounds):
            for name in PEERS:
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # none may stop early, and some say so
                        reached = run(name, X, W, H, seconds)
                except Exception as error:  # what it does not run with, or refuses
                    print(f"  {name} failed: {error!r}", flush=True)
                    continue
                rows += [(name, start, turn, i, *point) for i, point in enumerate(reached)]
                print(
                    f"  {start + 1}.{turn + 1} {name}: {reached[-1][1]:.8g} "
                    f"after {reached[-1][0]:.3g} s",
                    flush=True,
                )
    table = pd.DataFrame(
        rows, columns=["method", "start", "round", "point", "seconds", "objective"]
    )
    table = (
        table.groupby(["method", "start", "point"], as_index=False).median().drop(columns="round")
    )
    best = table.groupby("start")["objective"].transform("min")
    return table.assign(gap=table["objective"] / best - 1)


def times_to_gap(table, seconds_given):
    """Median over starts of the seconds to each gap, a row a method; missing where not reached.

    Then how many times longer the fastest peer took than ours, or more than how many times, where
    none got there, and at how many starts a method ends lowest, to 1e-4.
    """
    starts_made = range(table["start"].nunique())
    columns = {}
    for gap in GAPS:
        reached = table[table["gap"] <= gap]
        first = reached.pivot_table("seconds", "method", "start", aggfunc="min")
        first = first.reindex(columns=starts_made).fillna(np.inf)
        columns[f"{gap:.0e}"] = first.median(axis=1).replace(np.inf, np.nan)
    seconds = pd.DataFrame(columns).reindex(table["method"].unique())
    fastest = seconds.drop(OURS).min().fillna(seconds_given)
    more = np.where(seconds.drop(OURS).notna().any(), "", ">")
    ratio = [
        f"{sign}{value:.3g}" for sign, value in zip(more, fastest / seconds.loc[OURS], strict=True)
    ]
    shown = seconds.map("{:.3g}".format).replace("nan", "-")
    shown.loc["fastest peer / ours"] = ratio
    last = table.pivot_table("objective", "start", "method", aggfunc="min")
    lowest = last.le(1.0001 * last.min(axis=1), axis=0).sum()
    shown["ends lowest"] = lowest.map(f"{{}} of {len(starts_made)}".format)
    return shown.fillna("").to_string()


def best_of(function, n=7):
    times = []
    for _ in range(n):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def pass_over_products(X, k):
    """Seconds of a pass over those of the two products alone, each as it is fastest."""
    rng = np.random.default_rng(0)
    w, h, x = rng.random((k, len(X))), rng.random((k, X.shape[1])), X
    mine = best_of(pass_over(X, w.T, h))
    tw, th, tx = map(torch.from_numpy, (w, h, x))
    with_w = [lambda: w @ x, lambda: x.T @ w.T, lambda: tw @ tx]
    with_h = [lambda: h @ x.T, lambda: x @ h.T, lambda: th @ tx.T, lambda: tx @ th.T]
    return mine / (min(map(best_of, with_w)) + min(map(best_of, with_h)))


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


def weighted_over_plain(X, k):
    """The products of a pass with weights, Gram matrices included, over those without."""
    rng = np.random.default_rng(0)
    W, H = rng.random((len(X), k)), rng.random((k, X.shape[1]))
    v = rng.random(X.shape) + 0.5
    return best_of(pass_over(X, W, H, v)) / best_of(pass_over(X, W, H))


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
    one, many = (
        fit_seconds(spectra, smoothness=0, init="random", random_state=0, n_restarts=n)
        for n in (1, 32)
    )
    return [
        ("a pass / its two products alone, (b)", pass_over_products(large, 4), 1.3),
        ("smoothness 100 / 0, to optimality 1e-6, (a)", smooth / plain, 2),
        ("a fit with weights / without, to optimality 1e-6, (a)", weighted / plain, "-"),
        ("the products of a pass with weights / without, (b)", weighted_over_plain(large, 4), 3.5),
        ("32 restarts / 1, (a)", many / one, 8),
    ]


def draw(tables, path):
    fig, axes = plt.subplots(1, len(tables), figsize=(3.6 * len(tables), 3.6), squeeze=False)
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        table = table[table["start"] == 0]
        for i, name in enumerate(PEERS):
            rows = table[table["method"] == name].sort_values("seconds")
            style = {"color": "black", "lw": 2.5} if name == OURS else {"color": f"C{i}", "lw": 1}
            style["ls"] = "-" if i % 2 == 0 else "--"
            ax.loglog(rows["seconds"], rows["gap"].clip(lower=1e-9), label=name, **style)
        ax.set(title=title, xlabel="Seconds", ylim=(1e-7, 10))
        ax.title.set_size(9)
    axes[0][0].set_ylabel("Objective above the best, relative")
    axes[0][0].legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectra")
    parser.add_argument(
        "--seconds",
        type=float,
        default=12,
        help="of a method, start and round; (a) takes a quarter",
    )
    parser.add_argument("--rounds", type=int, default=3, help="of (a) and (b); the others have one")
    parser.add_argument("--problems", default="abBcd")
    options = parser.parse_args()
    torch.set_num_threads(1)
    spectra = read_spectra(options.spectra)[1]
    FOLDER.mkdir(parents=True, exist_ok=True)
    tables, text = {}, []
    for letter in options.problems:
        title, make, k = problems(spectra)[letter]
        print(title, flush=True)
        X = make()
        rounds = options.rounds if letter in "ab" else 1
        seconds = options.seconds * {"a": 0.25, "B": 0.5, "d": 2.5}.get(letter, 1)
        tables[title] = measure(X, k, seconds, rounds, 5 if letter == "B" else 1)
        text += [f"{title}: seconds to a gap", times_to_gap(tables[title], seconds), ""]
        if letter == "d":
            text += [f"(d) peak memory / X: {peak_memory(X):.2f} (goal 1.5)", ""]
        (FOLDER / "table.txt").write_text("\n".join(text))
        print("\n".join(text[-3:]), flush=True)
    pd.concat(tables, names=["problem"]).to_csv(FOLDER / "runs.csv")
    draw(tables, FOLDER / "time_to_gap.png")
    text += [f"{what}: {value:.2f} (goal {goal})" for what, value, goal in own_ratios(spectra)]
    (FOLDER / "table.txt").write_text("\n".join(text) + "\n")
    print(*text[-5:], sep="\n")


if __name__ == "__main__":
    main()
