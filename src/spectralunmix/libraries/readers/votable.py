"""VOTables, as virtual observatories send them."""

import io
import math
import re
import warnings
from xml.parsers import expat

from astropy.io.votable import parse_single_table

from .. import LibraryError
from . import files, layouts


def read(path, source):
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
    """No data from elsewhere, and no more rows or values in a row than the file can hold.

    astropy opens any address that a STREAM names, and takes memory for as many values as are
    announced.
    """

    def element(tag, attributes):
        for key, value in attributes.items():
            if key.rpartition(":")[2] == "href" and tag.rpartition(":")[2] != "LINK":
                raise LibraryError(f"{name}: its {tag} is at {value}; not read: only data inside")
            announced = key in ("nrows", "arraysize")
            if announced and math.prod(map(int, re.findall(r"\d+", value))) > len(content):
                raise LibraryError(f"{name}: {key} {value} is more than the file can hold")

    def entity(*_):
        raise LibraryError(f"{name}: entities of its own; not read")

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.EntityDeclHandler = entity
    parser.Parse(content, True)
