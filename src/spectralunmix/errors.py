"""Errors that a user can put right; their messages say how."""

import re
from collections.abc import Iterable
from pathlib import Path

NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LibraryError(ValueError):
    """A library, a cube, its entry, its files or its results are not as they need to be."""


class RunError(Exception):
    """A run cannot begin, or failed; the message says why, and the way out."""


class ConfigurationError(ValueError):
    """A configuration or an entry has mistakes; the message names file, key and way out."""

    @classmethod
    def of(cls, file: Path | str, mistakes: Iterable[str]) -> "ConfigurationError":
        """The error for a file: a line for each mistake, with control characters escaped."""
        lines = [f"{file}: {mistake}" for mistake in dict.fromkeys(mistakes)]
        return cls("\n".join(NOT_PRINTED.sub(_escaped, line) for line in lines))


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
