"""FITS tables: columns of wavelength and flux, in any of the layouts."""

import collections
from collections.abc import Iterator
from pathlib import Path

from astropy.table import Table

from .. import archives
from . import files, layouts
from .spectrum import Spectrum


def read(path: Path, source: dict) -> Iterator[Spectrum]:
    options, largest = source["options"], source["largest_member"]
    for name, content in files.opened(path, source, source["members"]):
        with files.taken_for(name, "a FITS table of spectra"):
            parsed = parse(name, content, options, largest)
            yield from layouts.spectra(name, parsed, options, None)


def parse(
    name: str, content: bytes, options: dict, largest: int = archives.MAX_MEMBER
) -> layouts.Parsed:
    hdus = files.fits_file(name, content, largest)
    with files.taken_for(name, "a whole FITS file"):
        hdu = files.extension(name, hdus, options.get("extension", 1), "table")
        table = Table({column.name: hdu.data[column.name] for column in hdu.columns}, copy=False)
        units = {column.name: column.unit for column in hdu.columns}
        headers = (files.Cards(name, part.header) for part in (hdu, hdus[0]))
        return layouts.Parsed(table, units, collections.ChainMap(*headers))
