"""What a user can put right."""

import re
from collections.abc import Iterable
from pathlib import Path

NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LibraryError(ValueError):
    """Something about a library, its entry or its results that its user can put right."""


class RunError(Exception):
    """A run that cannot begin, or failed; its text says why, and the way out."""


class ConfigurationError(ValueError):
    """A mistake in a configuration or an entry, with its file, its key and the way out."""

    @classmethod
    def of(cls, file: Path | str, mistakes: Iterable[str]) -> "ConfigurationError":
        """The error of a file: a line for each mistake, without control characters."""
        lines = [f"{file}: {mistake}" for mistake in dict.fromkeys(mistakes)]
        return cls("\n".join(NOT_PRINTED.sub(_escaped, line) for line in lines))


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
