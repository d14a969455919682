"""Finds results that differ from the records of their steps, and sets them aside."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from spectralunmix.provenance import sha256

RESULTS = Path("results")
AT_WORK = "SPECTRALUNMIX_AT_WORK"  # set by a run that has set altered results aside itself
LARGE = 2**25  # bytes: their sha256 takes 0.1 s where the CPU has no instruction for it
TOGETHER = 2.0  # seconds within which Snakemake touches all outputs of a job


def read_record(path: Path) -> dict[str, str] | None:
    """The checksums of a step's outputs by path; None where the file is no step's record."""
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))["outputs"]
        return {str(name): str(digest) for name, digest in outputs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def is_result(name: str, library: str) -> bool:
    """Whether a path from a record lies in the library's own folder, with links resolved.

    The last part is not resolved: where a link took the place of a result, the link is meant.
    """
    path, folder = Path(name), RESULTS / library
    inside = path.parent.resolve().is_relative_to(folder.resolve())
    return inside and not path.is_absolute() and path.name not in ("", "..")


def is_untouched(path: Path, record: Path) -> bool:
    """Whether a large file has not changed since its record was written, by the system's clock."""
    status = path.stat()
    return status.st_size > LARGE and status.st_ctime < record.stat().st_ctime + TOGETHER


def altered(library: str, read_all: bool = True) -> Iterator[Path]:
    """Results of the library that differ from their records, and records that are damaged.

    A result that is missing is not altered: Snakemake makes it again by itself.

    Parameters
    ----------
    library : str
        Name of the folder in results/.
    read_all : bool, default True
        Compare the checksum of every file. False leaves out large files that have not changed
        since their record was written, because reading them takes seconds.
    """
    for record in sorted((RESULTS / library / "records").glob("*.json")):
        if not is_result(str(record), library):  # its folder is a link to another
            continue
        outputs = read_record(record)
        if outputs is None:
            yield record
            continue
        for name, digest in outputs.items():
            path = Path(name)
            if not (os.path.lexists(path) and is_result(name, library)):
                continue
            if not path.is_file():
                yield path
            elif not read_all and is_untouched(path, record):
                continue
            elif sha256(path) != digest:
                yield path


def set_aside(path: Path) -> Path:
    """Move a result to a name of its own beside it, and return that name."""
    aside = Path(f"{path}.altered")
    while os.path.lexists(aside):  # set aside at an earlier time
        aside = Path(f"{aside}.altered")
    os.replace(path, aside)
    return aside


def clear(library: str) -> None:
    """Remove the unfinished files of a killed run, and links in place of logs and benchmarks.

    Snakemake would write through such a link to a file elsewhere, which is not touched here.
    """
    folder = RESULTS / library
    for part in folder.rglob(".part-*"):
        if part.is_symlink() or not part.is_dir():  # a folder is another command's
            part.unlink()
    for kind in ("benchmarks", "logs"):
        for path in [folder / kind, *(folder / kind).glob("*")]:
            if path.is_symlink():
                path.unlink()
