"""This version beside one before it: the same fits in turn, on one thread.

Each version runs in a process of its own, that of a commit from a folder that its wheel is
installed into.  Rounds alternate between them, and times are medians of rounds.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
WHEELS = ROOT / "build/benchmark"  # a folder for each commit
TOL, SINGLE_TOL = 1e-6, 1e-4  # of fits in double and in single precision
WARM_UP = {"problem": "a", "parameters": {"n_components": 4, "smoothness": 1.0}}


class NoSuchVersion(RuntimeError):
    """A commit is not there, or its package cannot be installed."""


class Task(NamedTuple):
    """One fit, restarts or bootstrap fits of a problem, and what it may take at most.

    at_most : times the seconds of the version before
    at_most_seconds : in this version
    """

    name: str
    problem: str
    parameters: Mapping
    at_most: float | None = None
    at_most_seconds: float | None = None
    bootstrap: int = 0


def tasks():
    """By name; those of a problem stand together, which is made once for them."""
    found = []
    for smoothness, restarts in ((0, 0.35), (10, 0.5)):
        of_a = {"n_components": 4, "smoothness": smoothness, "tol": TOL}
        random = of_a | {"init": "random", "random_state": 0}
        name = f"(a) smoothness {smoothness}"
        found += [
            Task(name, "a", of_a, at_most=1),
            Task(f"{name}, 1 random start", "a", random),
            Task(f"{name}, 32 random starts", "a", random | {"n_restarts": 32}, at_most=restarts),
        ]
        limits = {"bootstrap": 200, "at_most": 1 / 3} if smoothness else {}
        limits = limits or {"bootstrap": 100, "at_most_seconds": 1}
        found.append(Task(f"{name}, {limits['bootstrap']} bootstrap fits", "a", of_a, **limits))
    plain = {"smoothness": 0, "tol": TOL}
    single = {"smoothness": 0, "tol": SINGLE_TOL}
    return [
        *found,
        Task("(b) k = 4", "b", plain | {"n_components": 4}, at_most=1.1),
        Task("(b) k = 10", "B", plain | {"n_components": 10}, at_most=1.1),
        Task("(c)", "c", single | {"n_components": 6}, at_most=1.1),
        Task("(d)", "d", single | {"n_components": 6}, at_most=1.1),
        Task("(w1)", "w1", plain | {"n_components": 4}, at_most=1),
        Task("(w2)", "w2", plain | {"n_components": 5}, at_most=1),
    ]


# Of this version alone: a task over another, and at most how many times as long it may take.
OVER = [
    (f"(a) smoothness {s}, 32 random starts", f"(a) smoothness {s}, 1 random start", 8)
    for s in (0, 10)
]


def command_output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise NoSuchVersion(f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def installed(commit):
    """The folder with the package of a commit, built and installed there unless it is already."""
    full = command_output(
        "git", "rev-parse", "--verify", "--end-of-options", f"{commit}^0", cwd=ROOT
    )
    folder = WHEELS / full
    if not folder.is_dir():
        WHEELS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WHEELS) as work:
            archive, source, target = (Path(work) / name for name in ("tar", "source", "target"))
            command_output("git", "archive", f"--output={archive}", "--format=tar", full, cwd=ROOT)
            shutil.unpack_archive(archive, source, "tar", filter="data")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
            command_output(*pip, "--no-build-isolation", "--target", target, source)
            target.rename(folder)
    return folder


class Worker:
    """A process that does tasks with the package in a folder."""

    def __init__(self, folder):
        environment = os.environ | {"PYTHONPATH": str(folder)}
        command = [sys.executable, str(Path(__file__).with_name("worker.py"))]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        package = Path(self._answer()["package"])
        if Path(folder).resolve() not in package.resolve().parents:
            self.__exit__()
            raise NoSuchVersion(f"{package} was imported in place of what is in {folder}")

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of a version ended: {self.process.wait()}")
        return json.loads(line)

    def do(self, task):
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.__exit__(None, None, None)  # it ends where its input does


def compare(spectra, commit, rounds, only=()):
    """A row a task: the medians of both versions, their ratio, and whether that is small enough.

    only : the problems to take, all where it is empty
    """
    wanted = [task for task in tasks() if not only or task.problem in only]
    rows = []
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = f"{folder}/spectra.npy"
        np.save(path, spectra)
        workers = {
            "before": stack.enter_context(Worker(installed(commit))),
            "new": stack.enter_context(Worker(ROOT / "src")),
        }
        for worker in workers.values():
            worker.do(WARM_UP | {"spectra": path})
        for task in wanted:
            asked = {"spectra": path, "problem": task.problem, "bootstrap": task.bootstrap}
            asked["parameters"] = dict(task.parameters)
            for turn in range(rounds):
                for version in list(workers)[:: -1 if turn % 2 else 1]:
                    answer = workers[version].do(asked)
                    rows.append({"task": task.name, "version": version, "round": turn} | answer)
                    print(f"  {task.name} {version}: {answer}", flush=True)
    return compared(pd.DataFrame(rows), wanted)


def compared(rows, wanted):
    """The table of `compare`, from the rows of the single runs."""
    if "error" in rows:
        rows = rows[rows["error"].isna()]
    medians = rows.groupby(["task", "version"]).median(numeric_only=True)
    found = []
    for task in wanted:
        row = {"task": task.name}
        for version in ("before", "new"):
            of_task = (task.name, version)
            for name in ("seconds", "n_iter", "objective"):
                known = of_task in medians.index
                row[f"{name}_{version}"] = medians.loc[of_task, name] if known else np.nan
        row["ratio"] = row["seconds_new"] / row["seconds_before"]
        row["objective_change"] = row["objective_new"] / row["objective_before"] - 1
        row |= within(row["ratio"], task.at_most)
        if task.at_most_seconds is not None:
            row["gate"] = f"{task.at_most_seconds} s"
            row["within"] = yes_or_no(row["seconds_new"], task.at_most_seconds)
        found.append(row)
    table = pd.DataFrame(found)
    seconds = table.set_index("task")["seconds_new"]
    for task, other, at_most in OVER:
        if {task, other} <= set(seconds.index):
            ratio = seconds[task] / seconds[other]
            row = {"task": f"{task} / {other.rsplit(', ', 1)[1]}, new", "ratio": ratio}
            table = pd.concat([table, pd.DataFrame([row | within(ratio, at_most)])])
    return table.reset_index(drop=True)


def within(ratio, at_most):
    if at_most is None:
        return {"gate": "", "within": ""}
    return {"gate": f"{at_most:.3g}", "within": yes_or_no(ratio, at_most)}


def yes_or_no(value, at_most):
    return "?" if np.isnan(value) else "yes" if value <= at_most else "no"


def as_text(table):
    """That table for a reader."""
    formats = {"seconds": "{:.3g}", "n_iter": "{:.0f}", "objective": "{:.10g}"}
    shown = table.copy().astype(object)
    for name, form in formats.items():
        for version in ("before", "new"):
            shown[f"{name}_{version}"] = table[f"{name}_{version}"].map(form.format)
    shown["ratio"] = table["ratio"].map("{:.2f}".format)
    shown["objective_change"] = table["objective_change"].map("{:+.1e}".format)
    return shown.replace({"nan": "", "+nan": ""}).to_string(index=False)
