"""Time to a relative gap, ours and the peers' side by side, and this version beside one before it.

    benchmark.py SPECTRA.fits [--seconds 3] [--rounds 3] [--problems a,b,B,c,d,w1,w1+,w2]
                 [--before COMMIT] [--parts gaps,versions,costs] [--to docs/benchmark.json]

SPECTRA.fits is what the workflow's select step writes; the problems are its matrix (a) and
mixtures of its rows with noise: b (k = 4), B (k = 10), c and d (single precision, with
negative values); w1 and w2 have weights.  All methods begin at the same W and H, on one thread;
rounds alternate between methods and times are medians.  The gap is to the least value that any
method reached from that start.  Then, of ours: this version beside that of a commit, and what a
pass, smoothness and weights cost, and how much memory.  Runs, tables and the picture land in
results/benchmark; with `--to`, the numbers of the tables are kept in that file, of which
`benchmark_tables.py` makes the tables of docs/benchmarks.md.  A part that is not measured stays as
it was there.
"""

import argparse
import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import json
import logging
from importlib.metadata import version
from pathlib import Path

import costs
import gaps
import pandas as pd
import pictures
import torch
import versions
from problems import problems

from spectralunmix.files import read_spectra

FOLDER = Path("results/benchmark")
PARTS = "gaps,versions,costs"
DISTRIBUTIONS = ["numpy", "scipy", "torch", "scikit-learn", "nmf-torch", "torchnmf", "tensorly"]
DISTRIBUTIONS += ["nimfa", "proxmin", "NonnegMFPy", "pydl"]


def keep(path, part, measured):
    """The numbers of a part, to four digits, in the file of all parts, unless there is none."""
    if path:
        kept = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(kept | {part: rounded(measured)}, indent=1) + "\n")


def rounded(value):
    if isinstance(value, float):
        return None if value != value else float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    return [rounded(entry) for entry in value] if isinstance(value, list) else value


def time_to_gap(spectra, options, say):
    """The methods on each problem: a table for a reader, the picture, and the numbers."""
    runs, measured = {}, []
    for name in options.problems:
        problem = problems(spectra)[name]
        print(problem.title, flush=True)
        rounds = options.rounds if problem.repeated else 1
        seconds = options.seconds * problem.seconds
        runs[problem.title], failed = gaps.measure(problem, seconds, rounds)
        found = gaps.times_to_gap(runs[problem.title], failed)
        say(f"{problem.title}: seconds to a gap", gaps.as_text(found, seconds), "")
        measured.append(
            {
                "title": " ".join(problem.title.split()),
                "seconds_given": seconds,
                "rounds": rounds,
                "methods": found.to_dict("records"),
            }
        )
        if name == "d":
            peak = costs.peak_memory(problem.make()[0])
            measured[-1]["peak_memory"] = peak
            say(f"(d) peak memory / X: {peak:.2f} (goal 1.5)", "")
        pd.concat(runs, names=["problem"]).to_csv(FOLDER / "runs.csv")
        pictures.draw(runs, FOLDER / "time_to_gap.png")
    packages = {name: version(name) for name in DISTRIBUTIONS}
    return {"packages": packages, "problems": measured}


def beside_before(spectra, options, say):
    """This version and the one before on the same fits."""
    table = versions.compare(spectra, options.before, options.version_rounds, options.problems)
    say(f"This version beside {options.before}, seconds", versions.as_text(table), "")
    tasks = table.to_dict("records")
    return {"before": options.before, "rounds": options.version_rounds, "tasks": tasks}


def of_ours_alone(spectra, options, say):
    ratios = costs.own_ratios(spectra)
    say(*(f"{what}: {value:.2f} (goal {goal})" for what, value, goal in ratios))
    return [{"what": what, "ratio": value, "goal": goal} for what, value, goal in ratios]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectra")
    parser.add_argument(
        "--seconds",
        type=float,
        default=3,
        help="of a method, start and round; (a) takes a quarter",
    )
    parser.add_argument("--rounds", type=int, default=3, help="of (a), (b), (w1); others have one")
    parser.add_argument("--version-rounds", type=int, default=5)
    parser.add_argument("--problems", type=lambda words: words.split(","), default=[])
    parser.add_argument("--before", default="HEAD", help="commit of the version to compare with")
    parser.add_argument("--parts", default=PARTS)
    parser.add_argument("--to", type=Path, help="keep the numbers of all problems in this file")
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # none may stop early, and some say so
    spectra = read_spectra(options.spectra)[1]
    if options.to and options.problems:
        raise SystemExit("--to keeps the numbers of all problems: leave out --problems")
    options.problems = options.problems or list(problems(spectra))
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = []

    def say(*lines):
        text.extend(lines)
        (FOLDER / "table.txt").write_text("\n".join(text) + "\n")
        print(*lines, sep="\n", flush=True)

    parts = {"gaps": time_to_gap, "versions": beside_before, "costs": of_ours_alone}
    for name in options.parts.split(","):
        try:
            measured = parts[name](spectra, options, say)
        except versions.NoSuchVersion as error:
            say(f"No version to compare with, {options.before}: {error}", "")
        else:
            keep(options.to, name, measured)


if __name__ == "__main__":
    main()
