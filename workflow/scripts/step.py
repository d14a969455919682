"""What every step's script does around its work: a log file, and one clear error."""

import contextlib
import logging
import sys

from libraries import LibraryError


@contextlib.contextmanager
def step(log_file: str):
    """Log to file and terminal; end the job with one message where the input is at fault."""
    handlers = [logging.FileHandler(log_file, mode="w"), logging.StreamHandler(sys.stderr)]
    logging.basicConfig(format="%(message)s", handlers=handlers)
    for ours in ("step", "libraries"):
        logging.getLogger(ours).setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield logging.getLogger("step")
    except LibraryError as error:
        logging.error("ERROR: %s", error)
        raise SystemExit(1) from None
    except Exception:
        logging.exception("unexpected error")
        raise SystemExit(1) from None
