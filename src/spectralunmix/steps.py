"""What every step's script does around its work: a log file, one clear error, a record."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from spectralunmix import provenance
from spectralunmix.errors import LibraryError
from spectralunmix.files import write_json


class Lines(logging.Formatter):
    """The message alone, after its level where that is a warning or an error."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname}: " if record.levelno >= logging.WARNING else ""
        return level + super().format(record)


@contextlib.contextmanager
def step(snakemake: Any, script: str) -> Iterator[logging.Logger]:
    """Log to file and terminal; end the job with one message where the input is at fault.

    Last of all comes the step's record: without it the step was not finished.

    Parameters
    ----------
    snakemake : snakemake.script.Snakemake
        The script's own, with a `log` and an `output.record`.
    script : str
        The script's path, for its checksum in the record.

    Yields
    ------
    logging.Logger
        The one that the step's lines go to.
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
