"""FITS tables: columns of wavelength and flux, in any of the layouts."""

from astropy.table import Table

from . import files, layouts


def read(path, source):
    options = source["options"]
    for name, content in files.opened(path, source, source["members"]):
        yield from layouts.spectra(name, parse(name, content, options), options, None)


def parse(name: str, content: bytes, options: dict) -> layouts.Parsed:
    hdus = files.fits_file(name, content)
    hdu = files.extension(name, hdus, options.get("extension", 1), files.TABLE)
    table = Table({column.name: hdu.data[column.name] for column in hdu.columns}, copy=False)
    units = {column.name: column.unit for column in hdu.columns}
    return layouts.Parsed(table, units, dict(hdus[0].header) | dict(hdu.header))
