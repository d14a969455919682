"""VOTables, as virtual observatories send them."""

import io
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from astropy.io.votable import parse_single_table

from .. import LibraryError
from . import files, layouts
from .spectrum import Spectrum

PADDED = 16  # characters, or bits, announced for each byte of the file


def read(path: Path, source: dict) -> Iterator[Spectrum]:
    options = source["options"]
    for name, content in files.opened(path, source, source["members"]):
        with files.taken_for(name, "a VOTable of spectra"):
            yield from layouts.spectra(name, parse(name, content, options), options, None)


def parse(name: str, content: bytes, options: dict) -> layouts.Parsed:
    with files.taken_for(name, "a VOTable"):
        _check(name, content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units that `spectrum` understands
            votable = parse_single_table(io.BytesIO(content))
            table = votable.to_table(use_names_over_ids=True)
        units = {field.name: str(field.unit or "") for field in votable.fields}
        for column in table.columns.values():
            column.unit = None
        params = {param.name: param.value for param in votable.params}
        return layouts.Parsed(table, units, params)


def _check(name: str, content: bytes) -> None:
    """No data from elsewhere, and no more values in a table, or in PARAMs, than the file can hold.

    astropy opens any address that a STREAM names, and takes memory for as many values as are
    announced: the rows, by nrows or as they come, times the arraysize of all columns.
    """
    announced = rows = width = params = 0

    def element(tag: str, attributes: dict[str, str]) -> None:
        nonlocal announced, rows, width, params
        tag = tag.rpartition(":")[2]
        for key, value in attributes.items():
            if key.rpartition(":")[2] == "href" and tag != "LINK":
                raise LibraryError(f"{name}: its {tag} is at {value}; not read: only data inside")
        if tag == "TABLE":
            announced, rows = _product(attributes.get("nrows", "0")), 0
            if "ref" not in attributes:  # else its columns are an earlier table's
                width = 0
        elif tag == "TR":
            rows += 1
        elif tag == "FIELD":
            width += _n_values(attributes)
        elif tag == "PARAM":
            params += _n_values(attributes)
        n_rows = max(announced, rows)
        if max(n_rows, width, n_rows * width, params) > len(content):
            raise LibraryError(
                f"{name}: {n_rows} rows of {width} values, and {params} of PARAMs, are more than "
                "the file can hold"
            )

    def entity(*_: object) -> None:
        raise LibraryError(f"{name}: entities of its own; not read")

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.EntityDeclHandler = entity
    parser.Parse(content, True)


def _n_values(attributes: dict) -> int:
    """The values in a row of a column; of what may be shorter in the file, a part of them."""
    size, kind = attributes.get("arraysize", "1"), attributes.get("datatype", "")
    if kind in ("char", "unicodeChar", "bit"):
        return max(1, _product(size) // PADDED)
    return 1 if size.endswith("*") else _product(size)


def _product(text: str) -> int:
    """Of the numbers in a text such as 3x20."""
    return math.prod(map(int, re.findall(r"\d+", text)))
