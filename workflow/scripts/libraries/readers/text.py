"""Text: columns, by number or with names, in any format of astropy.io.ascii."""

from astropy.io import ascii
from astropy.table import Table

from .. import LibraryError
from . import files, layouts

NUMBERED = {"wavelength": 0, "flux": 1}  # the columns, where a file names none


def read(path, source):
    options, shared = dict(source["options"]), None
    if options.get("format", "no_header") == "no_header":
        options["defaults"] = NUMBERED
    if "wavelength_file" in options:
        key = "wavelength_file"
        name, content = files.one(path, source, options[key], f"options.{key}")
        shared = parse(name, content, options)
        options["defaults"] = {"flux": 0}
    for name, content in files.opened(path, source, source["members"]):
        yield from layouts.spectra(name, parse(name, content, options), options, shared)


def parse(name: str, content: bytes, options: dict) -> layouts.Parsed:
    """options : format, of astropy.io.ascii, and table, its reader's own settings."""
    kind, settings = options.get("format", "no_header"), options.get("table", {})
    try:
        table = Table(ascii.read(content.decode(), format=kind, guess=False, **settings))
    except Exception as error:  # astropy raises whatever the text leads it to
        raise LibraryError(f"{name}: not a table of format '{kind}' ({error})") from error
    units = {column.name: str(column.unit or "") for column in table.columns.values()}
    for column in table.columns.values():
        column.unit = None  # `spectrum` understands more spellings
    return layouts.Parsed(table, units, dict(table.meta))
