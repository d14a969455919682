"""Time to a relative gap, ours and the peers' side by side, and this version beside one before it.

    benchmark.py SPECTRA.fits [--seconds 12] [--rounds 3] [--problems a,b,B,c,d,w1,w1+,w2]
                 [--before COMMIT] [--parts gaps,versions,costs]

SPECTRA.fits is what the workflow's select step writes; the problems are its matrix (a) and
mixtures of its rows with noise: b (k = 4), B (k = 10), c and d (single precision, with
negative values); w1 and w2 have weights.  All methods begin at the same W and H, on one thread;
rounds alternate between methods and times are medians.  The gap is to the least value that any
method reached from that start.  Then, of ours: this version beside that of a commit, and what a
pass, smoothness and weights cost, and how much memory.  All of it lands in results/benchmark.
"""

import argparse
import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import logging
from importlib.metadata import version
from pathlib import Path

import costs
import gaps
import pandas as pd
import pictures
import torch
import versions
from astropy.table import Table
from problems import problems

from spectralunmix.files import read_spectra

FOLDER = Path("results/benchmark")
PARTS = "gaps,versions,costs"
DISTRIBUTIONS = ["numpy", "scipy", "torch", "scikit-learn", "nmf-torch", "torchnmf", "tensorly"]
DISTRIBUTIONS += ["nimfa", "proxmin", "NonnegMFPy", "pydl"]


def write(table, name, **meta):
    """A table as ECSV."""
    columns = {column: list(table[column]) for column in table}
    Table(columns, meta=meta).write(FOLDER / name, format="ascii.ecsv", overwrite=True)


def time_to_gap(spectra, options, say):
    """The methods on each problem: tables for a reader and a program, and the picture."""
    runs, found = {}, []
    for name in options.problems:
        problem = problems(spectra)[name]
        print(problem.title, flush=True)
        rounds = options.rounds if problem.repeated else 1
        seconds = options.seconds * problem.seconds
        runs[problem.title], failed = gaps.measure(problem, seconds, rounds)
        of_problem = gaps.times_to_gap(runs[problem.title], failed)
        found.append(of_problem.assign(problem=name, seconds_given=seconds, rounds=rounds))
        say(f"{problem.title}: seconds to a gap", gaps.as_text(of_problem, seconds), "")
        if name == "d":
            peak = costs.peak_memory(problem.make()[0])
            say(f"(d) peak memory / X: {peak:.2f} (goal 1.5)", "")
        pd.concat(runs, names=["problem"]).to_csv(FOLDER / "runs.csv")
        pictures.draw(runs, FOLDER / "time_to_gap.png")
    packages = {name: version(name) for name in DISTRIBUTIONS}
    write(pd.concat(found, ignore_index=True), "time_to_gap.ecsv", threads=1, packages=packages)


def beside_before(spectra, options, say):
    """This version and the one before on the same fits."""
    try:
        table = versions.compare(spectra, options.before, options.version_rounds, options.problems)
    except versions.NoSuchVersion as error:
        return say(f"No version to compare with, {options.before}: {error}", "")
    write(table, "versions.ecsv", before=options.before, rounds=options.version_rounds, threads=1)
    say(f"This version beside {options.before}, seconds", versions.as_text(table), "")


def of_ours_alone(spectra, options, say):
    say(*(f"{what}: {value:.2f} (goal {goal})" for what, value, goal in costs.own_ratios(spectra)))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectra")
    parser.add_argument(
        "--seconds",
        type=float,
        default=12,
        help="of a method, start and round; (a) takes a quarter",
    )
    parser.add_argument("--rounds", type=int, default=3, help="of (a), (b), (w1); others have one")
    parser.add_argument("--version-rounds", type=int, default=5)
    parser.add_argument("--problems", type=lambda words: words.split(","), default=[])
    parser.add_argument("--before", default="HEAD", help="commit of the version to compare with")
    parser.add_argument("--parts", default=PARTS)
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # none may stop early, and some say so
    spectra = read_spectra(options.spectra)[1]
    options.problems = options.problems or list(problems(spectra))
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = []

    def say(*lines):
        text.extend(lines)
        (FOLDER / "table.txt").write_text("\n".join(text) + "\n")
        print(*lines, sep="\n", flush=True)

    parts = {"gaps": time_to_gap, "versions": beside_before, "costs": of_ours_alone}
    for name in options.parts.split(","):
        parts[name](spectra, options, say)


if __name__ == "__main__":
    main()
