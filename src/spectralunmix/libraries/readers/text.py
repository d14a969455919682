"""Text: columns, by number or with names, in formats of astropy.io.ascii."""

import re
from collections.abc import Iterator
from pathlib import Path

from astropy.io import ascii
from astropy.table import Table

from .. import LibraryError
from . import files, layouts
from .spectrum import Spectrum

NUMBERED = {"wavelength": 0, "flux": 1}  # the columns, where a file names none
MAX_COLUMNS = 20_000  # a table takes about a kilobyte for each
MAX_COMMENT = 4  # it is a regular expression: longer, it can take for ever

# Others of astropy's formats and settings open files and addresses, or run code.
FORMATS = {
    *("basic", "cds", "commented_header", "csv", "daophot", "ecsv", "fixed_width"),
    *("fixed_width_no_header", "fixed_width_two_line", "ipac", "mrt", "no_header", "rdb"),
    *("sextractor", "tab"),
}
SETTINGS = {
    *("col_ends", "col_starts", "comment", "converters", "data_end", "data_start", "delimiter"),
    *("exclude_names", "fill_exclude_names", "fill_include_names", "fill_values"),
    *("header_start", "include_names", "names", "position_char", "position_line", "quotechar"),
}
MERGED = re.compile("<<|!.*merge")  # in ECSV's YAML: a few lines of it can stand for gigabytes


def read(path: Path, source: dict) -> Iterator[Spectrum]:
    options, shared = dict(source["options"]), None
    if options.get("format", "no_header") == "no_header":
        options["defaults"] = NUMBERED
    if "wavelength_file" in options:
        key = "wavelength_file"
        name, content = files.one(path, source, options[key], f"options.{key}")
        shared = parse(name, content, options)
        options["defaults"] = {"flux": 0}
    for name, content in files.opened(path, source, source["members"]):
        with files.taken_for(name, "a table of spectra"):
            yield from layouts.spectra(name, parse(name, content, options), options, shared)


def parse(name: str, content: bytes, options: dict) -> layouts.Parsed:
    """options : format, of astropy.io.ascii, and table, its reader's own settings."""
    kind, settings = options.get("format", "no_header"), options.get("table", {})
    if unknown := {kind} - FORMATS | settings.keys() - SETTINGS:
        raise LibraryError(f"{name}: {', '.join(unknown)}: not a format or setting that is read")
    if len(str(settings.get("comment") or "")) > MAX_COMMENT:
        raise LibraryError(f"{name}: table.comment: more than {MAX_COMMENT} characters")
    with files.taken_for(name, f"a table of format '{kind}'"):
        lines = content.decode().splitlines()
        _check_width(name, lines, settings.get("delimiter"))
        if kind == "ecsv" and any(line.startswith("#") and MERGED.search(line) for line in lines):
            raise ValueError("its header has merge keys")
        # a list: astropy takes a text of one line for the name of a file
        table = Table(ascii.read(lines, format=kind, guess=False, **settings))
        units = {column.name: str(column.unit or "") for column in table.columns.values()}
        for column in table.columns.values():
            column.unit = None  # `spectrum` understands more spellings
        said = {k: v for k, v in table.meta.items() if isinstance(v, str | int | float)}
        return layouts.Parsed(table, units, said)


def _check_width(name: str, lines: list[str], delimiter: str | None) -> None:
    between = re.compile(re.escape(delimiter) if delimiter else r"\s+|[^\w\s.+-]")
    for number, line in enumerate(lines, start=1):
        # only a long line can have many columns
        if len(line) > MAX_COLUMNS and sum(1 for _ in between.finditer(line)) >= MAX_COLUMNS:
            raise LibraryError(f"{name}: line {number} has more than {MAX_COLUMNS} columns")
