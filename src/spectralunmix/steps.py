"""The frame of every step's script: a log file, a clear error, and the record of the step."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from spectralunmix import provenance
from spectralunmix.errors import LibraryError
from spectralunmix.files import write_json


class Lines(logging.Formatter):
    """Formats the message alone; the level of a warning or an error comes before it."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname}: " if record.levelno >= logging.WARNING else ""
        return level + super().format(record)


@contextlib.contextmanager
def step(snakemake: Any, script: str) -> Iterator[logging.Logger]:
    """Log to file and terminal; where the input is at fault, end the job with a clear message.

    The record of the step is written last: without it, the step was not finished.

    Parameters
    ----------
    snakemake : snakemake.script.Snakemake
        The object that Snakemake gives the script, with a `log` and an `output.record`.
    script : str
        Path of the script, for its checksum in the record.

    Yields
    ------
    logging.Logger
        The logger for the lines of the step.
    """
    log = snakemake.log[0]
    handlers: list[logging.Handler] = [
        logging.FileHandler(log, mode="w"),
        logging.StreamHandler(sys.stderr),
    ]
    for handler in handlers:
        handler.setFormatter(Lines())
    logging.basicConfig(handlers=handlers)
    logging.getLogger("spectralunmix").setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield logging.getLogger("spectralunmix.step")
        write_json(snakemake.output.record, provenance.record(snakemake, script))
    except (LibraryError, OSError) as error:
        logging.error("%s", error)
        raise SystemExit(1) from None
    except Exception:
        logging.exception("unexpected error")
        raise SystemExit(1) from None


def check_rank(n_components: int, shape: tuple[int, ...]) -> None:
    """Raise a LibraryError where spectra of this shape cannot give so many components."""
    if n_components > min(shape):
        raise LibraryError(
            f"n_components: {n_components} is more than {shape[0]} spectra of {shape[1]} channels "
            "can give"
        )
