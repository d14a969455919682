"""A run keeps its folder, its environment and Snakemake's lock to itself."""

import contextlib
import fcntl
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spectralunmix.command.altered import AT_WORK, RESULTS
from spectralunmix.errors import RunError

WORKING = Path(".snakemake")  # Snakemake's folder in the run's
OURS = WORKING / "front_door"  # there while a run is at work; after a kill it stays
# One thread: the same numbers on every machine, and no contention on shared ones.
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
# Of the caller's, these would put other code, or other settings, in the place of the run's own.
FOREIGN = re.compile("PYTHON.*|MATPLOTLIBRC|SNAKEMAKE_PROFILE")


def environment_of_its_own() -> None:
    """What the caller's environment would put in the place of the run's own code and settings."""
    for name in filter(FOREIGN.fullmatch, list(os.environ)):
        del os.environ[name]
    cache = WORKING.resolve() / "cache"  # a home that cannot be written to does no harm
    os.environ |= THREADS | {
        AT_WORK: "1",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",  # no module from the folder that the run is in
        "PYTHONUTF8": "1",
        "XDG_CACHE_HOME": str(cache),
    }


@contextlib.contextmanager
def results_held() -> Iterator[None]:
    """The results folder to oneself: a lock that ends with the process, however that ends."""
    RESULTS.mkdir(exist_ok=True)
    folder = os.open(RESULTS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(
            f"another run is at work in {RESULTS.resolve()}: wait for it to end"
        ) from None
    try:
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def snakemakes_lock() -> Iterator[None]:
    """Clear Snakemake's lock where a run of ours was killed: with the results held, none goes on.

    The lock of a plain `snakemake` stays: that may be at work.
    """
    WORKING.mkdir(exist_ok=True)
    if OURS.exists():
        for lock in (WORKING / "locks").glob("*"):
            lock.unlink()
    OURS.touch()
    try:
        yield
    finally:  # after a failure, too: the next lock may be a plain run's
        OURS.unlink()


@contextlib.contextmanager
def python_by_a_plain_path() -> Iterator[None]:
    """Snakemake starts the jobs by a path that it does not quote: one without spaces, then."""
    if re.fullmatch(r"[\w@%+=:,./-]+", sys.executable, re.ASCII):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="spectralunmix-") as folder:
        link = Path(folder) / "env"
        link.symlink_to(sys.prefix)
        before = sys.executable
        sys.executable = str(link / "bin" / Path(before).name)
        try:
            yield
        finally:
            sys.executable = before
