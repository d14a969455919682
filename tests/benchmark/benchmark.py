"""Time to a relative gap, ours and the peers' side by side: results/benchmark/.

    benchmark.py SPECTRA.fits [--seconds 20] [--rounds 3]

SPECTRA.fits is what the workflow's select step writes.  Problem (a) is its matrix with
k = 4, problem (b) mixtures of its rows, 3727 of them, with 1 % noise, clipped at zero.  A
method is run afresh from the common start (NNDSVD, and the best weights for it) for 1, 2,
3, 5, ... iterations; rounds alternate between methods and times are medians.  The gap is to
the least value that any method reached.
"""

import argparse
import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.optimize
import torch
from peers import PEERS

from spectra_files import read_spectra
from spectralunmix import starts

GAPS = (1e-2, 1e-4, 1e-6)


def mixtures(spectra, n_spectra=3727, noise=0.01, seed=0):
    """Random mixtures of a few rows of spectra (n, n_wave), each with maximum 1, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(0.1, size=(n_spectra, len(spectra))) @ spectra
    X = X / X.max(axis=1, keepdims=True)
    return np.clip(X + noise * rng.standard_normal(X.shape), 0, None)


def common_start(X, k):
    """W (n_spectra, k) and H (k, n_wave), without zeros, where multiplicative updates stay."""
    H = starts.nndsvd(torch.from_numpy(X), k).numpy()
    W = np.array([scipy.optimize.nnls(H.T, x)[0] for x in X])
    return W + 0.01 * W.mean(), H


def ladder(X, W, H, method, seconds):
    """(n_iter, seconds, objective) of runs of rising length, until the time is spent."""
    n_iter, spent, rows = 1, 0.0, []
    while spent < seconds:
        began = time.perf_counter()
        found = method(X, W, H, n_iter)
        took = time.perf_counter() - began
        rows.append((n_iter, took, np.square(X - found[0] @ found[1]).sum()))
        spent += took
        n_iter = max(n_iter + 1, round(1.3 * n_iter))
    return rows


def measure(X, k, seconds, rounds):
    W, H = common_start(X, k)
    rows = []
    for turn in range(rounds):
        for name, method in PEERS.items():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # none may stop early, and some say so
                    runs = ladder(X, W, H, method, seconds)
            except Exception as error:  # a peer that does not run with the pinned numpy or torch
                print(f"  {name} failed: {error!r}", flush=True)
                continue
            rows += [(name, turn, *run) for run in runs]
            print(f"  round {turn + 1}: {name}: {runs[-1][2]:.8g} after {runs[-1][0]}", flush=True)
    table = pd.DataFrame(rows, columns=["method", "round", "n_iter", "seconds", "objective"])
    table = table.groupby(["method", "n_iter"], as_index=False)[["seconds", "objective"]].median()
    table["gap"] = table["objective"] / table["objective"].min() - 1
    return table


def times_to_gap(table):
    """Seconds to each gap, a row a method; missing where it was not reached."""
    reached = {gap: table[table["gap"] <= gap].groupby("method")["seconds"].min() for gap in GAPS}
    return pd.DataFrame(reached).reindex(PEERS)


def draw(tables, path):
    fig, axes = plt.subplots(1, len(tables), figsize=(5 * len(tables), 4), squeeze=False)
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        for name in PEERS:
            rows = table[table["method"] == name].sort_values("seconds")
            ours = name == "spectralunmix"
            style = {"color": "black", "lw": 2} if ours else {"lw": 1}
            ax.loglog(rows["seconds"], rows["gap"].clip(lower=1e-9), label=name, **style)
        ax.set(title=title, xlabel="Seconds", ylabel="Relative gap", ylim=(1e-8, 10))
    axes[0][0].legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectra")
    parser.add_argument("--seconds", type=float, default=20, help="a method, problem and round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    spectra = read_spectra(options.spectra)[1]
    problems = {
        f"(a) {len(spectra)} x {spectra.shape[1]}, k = 4": (spectra, 4),
        f"(b) 3727 x {spectra.shape[1]}, k = 4": (mixtures(spectra), 4),
    }
    folder = Path("results/benchmark")
    folder.mkdir(parents=True, exist_ok=True)
    tables, text = {}, []
    for title, (X, k) in problems.items():
        print(title, flush=True)
        tables[title] = measure(X, k, options.seconds, options.rounds)
        seconds = times_to_gap(tables[title])
        fastest = seconds.drop("spectralunmix").min()
        ratio = (fastest / seconds.loc["spectralunmix"]).rename("fastest peer / ours")
        shown = pd.concat([seconds, ratio.to_frame().T])
        text += [f"{title}: seconds to a gap", shown.to_string(float_format="%.3g"), ""]
    pd.concat(tables, names=["problem"]).to_csv(folder / "runs.csv")
    (folder / "table.txt").write_text("\n".join(text))
    draw(tables, folder / "time_to_gap.png")
    print("\n".join(text))


if __name__ == "__main__":
    main()
