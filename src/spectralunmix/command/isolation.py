"""Keeps a run apart from others: its results folder, its environment, Snakemake's lock."""

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
LOCKS = WORKING / "locks"  # made by Snakemake
OURS = WORKING / "spectralunmix_locks"  # lists locks of our own runs; it stays after a kill
# One thread: the same numbers on every machine, and no contention on shared ones.
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
# Variables of the caller that would put other code or settings in place of the run's own.
FOREIGN = re.compile("PYTHON.*|MATPLOTLIBRC|SNAKEMAKE_PROFILE")


def environment_of_its_own() -> None:
    """Remove what would change the run's code or settings from the environment."""
    for name in filter(FOREIGN.fullmatch, list(os.environ)):
        del os.environ[name]
    cache = WORKING.resolve() / "cache"  # the home folder may be read-only
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
    """Lock the results folder for this process; the lock ends with it, however it ends."""
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
    """Clear the lock of Snakemake that a killed run of this command left.

    `results_held` has made sure that no such run is still at work.

    Raises
    ------
    RunError
        A plain `snakemake` made the lock, and may be at work.
    """
    WORKING.mkdir(exist_ok=True)
    made = OURS.read_text(encoding="utf-8").splitlines() if OURS.is_file() else []
    for lock in LOCKS.glob("*"):
        if _identity(lock) not in made:
            raise RunError(
                f"a plain `snakemake` is at work in {Path.cwd()}: wait for it to end; if it was "
                "killed, run `snakemake --unlock`"
            )
        lock.unlink()
    OURS.unlink(missing_ok=True)
    try:
        yield
    finally:
        OURS.unlink(missing_ok=True)


def note_locks() -> None:
    """Write down the locks that are there, once Snakemake has made its own."""
    made = "\n".join(map(_identity, LOCKS.glob("*")))
    OURS.write_text(made, encoding="utf-8")


def _identity(lock: Path) -> str:
    """The name of a lock, and what distinguishes it from a later lock of that name."""
    status = lock.stat()
    return f"{lock.name} {status.st_ino} {status.st_mtime_ns}"


@contextlib.contextmanager
def python_by_a_plain_path() -> Iterator[None]:
    """Give Python a path without spaces, because Snakemake does not quote it in its jobs."""
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
