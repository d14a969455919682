"""Spectra of a table: one a file, one a column, or one a row with vector columns."""

import collections
import fnmatch
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from astropy.table import Table

from .. import LibraryError
from .spectrum import on_axis, spectrum


class Parsed(NamedTuple):
    """A table, the units of its columns as they are spelt, and what else its file says."""

    table: Table
    units: dict
    header: Mapping


def spectra(name, parsed: Parsed, options, shared: Parsed | None):
    """The spectra of one file; `shared` is the table of a separate wavelength file."""
    layout = {"file": _one_a_file, "columns": _one_a_column, "rows": _one_a_row}
    yield from layout[options.get("layout", "file")](name, parsed, options, shared)


def _one_a_file(name, parsed, options, shared):
    wavelength, wavelength_unit = _wavelength(name, parsed, options, shared)
    flux = _column(name, parsed.table, options, "flux")
    found = wavelength_unit, parsed.units.get(flux.name)
    errors = [_column(name, parsed.table, options, key) for key in ("uncertainty", "mask")]
    wavelength, flux, *errors = (_numbers(name, c) for c in (wavelength, flux, *errors))
    wavelength = _on_axis(wavelength, options)
    yield spectrum(name, wavelength, flux, parsed.header, options, found, errors)


def _one_a_column(name, parsed, options, shared):
    wavelength, wavelength_unit = _wavelength(name, parsed, options, shared)
    pattern = options.get("flux", "*")
    columns = [c for c in parsed.table.colnames if fnmatch.fnmatchcase(c, pattern)]
    columns = [c for c in columns if shared or c != wavelength.name]
    if not columns:
        raise LibraryError(
            f"{name}: no column matches options.flux, '{pattern}'; there are "
            f"{', '.join(parsed.table.colnames)}"
        )
    wavelength = _on_axis(_numbers(name, wavelength), options)
    for column in columns:
        flux = _numbers(name, parsed.table[column])
        if not flux.any():
            continue  # a table of models holds zeros where none was computed
        found = wavelength_unit, parsed.units.get(column)
        yield spectrum(f"{name}:{column}", wavelength, flux, parsed.header, options, found)


def _one_a_row(name, parsed, options, shared):
    table = parsed.table
    wavelengths, wavelength_unit = _wavelength(name, parsed, options, shared)
    flux, *errors = (_column(name, table, options, key) for key in ("flux", "uncertainty", "mask"))
    found = wavelength_unit, parsed.units.get(flux.name)
    scalars = [c for c in table.colnames if table[c].ndim == 1]
    label = options.get("name")
    if label is not None and label not in table.colnames:
        raise missing_column(name, table.colnames, "name", label)
    for i, row in enumerate(table):
        wavelength = _on_axis(_filled(wavelengths if shared else wavelengths[i]), options)
        of_row = [None if column is None else column[i] for column in errors]
        cards = collections.ChainMap({c: row[c] for c in scalars}, parsed.header)
        file = str(row[label]).strip() if label is not None else f"{name}:{i + 1}"
        yield spectrum(file, wavelength, _filled(flux[i]), cards, options, found, of_row)


def _wavelength(name, parsed, options, shared):
    """The column of wavelengths, and its unit as it is spelt."""
    if shared:
        column = shared.table.columns[0]
        return column, shared.units.get(column.name)
    column = _column(name, parsed.table, options, "wavelength")
    return column, parsed.units.get(column.name)


def _on_axis(values, options):
    return on_axis(values, options.get("axis", "linear"))


def _column(name, table, options, key):
    """The column that the option names, or numbers from 0; None where it names none."""
    defaults = {"wavelength": "WAVELENGTH", "flux": "FLUX"} | options.get("defaults", {})
    wanted = options.get(key, defaults.get(key))
    if wanted is None:
        return None
    if isinstance(wanted, int) and wanted < len(table.colnames):
        return table.columns[wanted]
    if wanted not in table.colnames:
        raise missing_column(name, table.colnames, key, wanted)
    return table[wanted]


def missing_column(name, there, key, wanted) -> LibraryError:
    return LibraryError(
        f"{name}: no column {wanted!r} for options.{key}; there are {', '.join(there)}"
    )


def _numbers(name, column):
    """A column's numbers, NaN where there is none; None for no column."""
    if column is None:
        return None
    try:
        return _filled(column)
    except ValueError as error:
        text = (re.findall(r"'(.*)'", str(error)) or [str(error)])[0]
        raise LibraryError(
            f"{name}: column {column.name} holds '{text}', not a number: say how the table is "
            "written, with options.format (basic where its first line names the columns, csv ...) "
            "and options.table (data_start, fill_values ...)"
        ) from error


def _filled(values):
    return np.ma.filled(np.ma.asarray(values, float), np.nan)
