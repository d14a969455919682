"""Types of options: they check a value while the command line is parsed."""

import argparse
from pathlib import Path


def whole_number(text: str) -> int:
    """A whole number of at least 1."""
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1 is needed")
    return int(text)


def existing_folder(text: str) -> str:
    """A folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such folder")
    return text


def library_name(text: str) -> str:
    """A name that an entry can have, without .yaml."""
    if not text or "/" in text or text.startswith("."):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the name of an entry: give it without folders and .yaml"
        )
    return text
