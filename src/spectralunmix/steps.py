"""What every step's script does around its work: a log file, one clear error, a record."""

import contextlib
import logging
import sys

import provenance
from libraries import LibraryError
from spectra_files import write_json


@contextlib.contextmanager
def step(snakemake, script: str):
    """Log to file and terminal; end the job with one message where the input is at fault.

    Last of all comes the step's record: without it the step was not finished.
    """
    handlers = [logging.FileHandler(snakemake.log[0], mode="w"), logging.StreamHandler(sys.stderr)]
    logging.basicConfig(format="%(message)s", handlers=handlers)
    for ours in ("step", "libraries"):
        logging.getLogger(ours).setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield logging.getLogger("step")
        write_json(snakemake.output.record, provenance.record(snakemake, script))
    except (LibraryError, OSError) as error:
        logging.error("ERROR: %s", error)
        raise SystemExit(1) from None
    except Exception:
        logging.exception("unexpected error")
        raise SystemExit(1) from None
