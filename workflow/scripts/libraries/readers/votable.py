"""VOTables, as virtual observatories send them."""

import io
import warnings

from astropy.io.votable import parse_single_table

from .. import LibraryError
from . import files, layouts


def read(path, source):
    options = source["options"]
    for name, content in files.opened(path, source, source["members"]):
        yield from layouts.spectra(name, parse(name, content, options), options, None)


def parse(name: str, content: bytes, options: dict) -> layouts.Parsed:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units that `spectrum` understands
            votable = parse_single_table(io.BytesIO(content))
            table = votable.to_table(use_names_over_ids=True)
    except Exception as error:  # astropy raises whatever the bytes lead it to
        raise LibraryError(f"{name}: not a VOTable ({error})") from error
    units = {field.name: str(field.unit or "") for field in votable.fields}
    for column in table.columns.values():
        column.unit = None
    params = {param.name: param.value for param in votable.params}
    return layouts.Parsed(table, units, params)
