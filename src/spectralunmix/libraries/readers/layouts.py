"""Spectra of a table: one in each file, in each column, or in each row of array columns."""

import collections
import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

import numpy as np
from astropy.table import Column, Table

from .. import LibraryError
from .spectrum import Spectrum, on_axis, spectrum


class Parsed(NamedTuple):
    """A table, the units of its columns as the file spells them, and the file's header."""

    table: Table
    units: Mapping[str, str | None]
    header: MutableMapping[str, Any]


def spectra(name: str, parsed: Parsed, options: dict, shared: Parsed | None) -> Iterator[Spectrum]:
    """The spectra of one file; `shared` is the table of a separate wavelength file."""
    layout = {"file": _one_a_file, "columns": _one_a_column, "rows": _one_a_row}
    yield from layout[options.get("layout", "file")](name, parsed, options, shared)


def _one_a_file(
    name: str, parsed: Parsed, options: dict, shared: Parsed | None
) -> Iterator[Spectrum]:
    of_wavelength, wavelength_unit = _wavelength(name, parsed, options, shared)
    of_flux = _column(name, parsed.table, options, "flux")
    found = wavelength_unit, parsed.units.get(of_flux.name)
    of_errors = _error_columns(name, parsed.table, options)
    wavelength, flux = _on_axis(_numbers(name, of_wavelength), options), _numbers(name, of_flux)
    uncertainty, mask = (None if c is None else _numbers(name, c) for c in of_errors)
    yield spectrum(name, wavelength, flux, parsed.header, options, found, (uncertainty, mask))


def _one_a_column(
    name: str, parsed: Parsed, options: dict, shared: Parsed | None
) -> Iterator[Spectrum]:
    of_wavelength, wavelength_unit = _wavelength(name, parsed, options, shared)
    pattern = options.get("flux", "*")
    columns = [c for c in parsed.table.colnames if fnmatch.fnmatchcase(c, pattern)]
    columns = [c for c in columns if shared or c != of_wavelength.name]
    if not columns:
        raise LibraryError(
            f"{name}: no column matches options.flux, '{pattern}'; there are "
            f"{', '.join(parsed.table.colnames)}"
        )
    wavelength = _on_axis(_numbers(name, of_wavelength), options)
    for column in columns:
        flux = _numbers(name, parsed.table[column])
        if not flux.any():
            continue  # tables of models have zeros where a model was not computed
        found = wavelength_unit, parsed.units.get(column)
        yield spectrum(f"{name}:{column}", wavelength, flux, parsed.header, options, found)


def _one_a_row(
    name: str, parsed: Parsed, options: dict, shared: Parsed | None
) -> Iterator[Spectrum]:
    table = parsed.table
    wavelengths, wavelength_unit = _wavelength(name, parsed, options, shared)
    flux = _column(name, table, options, "flux")
    errors = _error_columns(name, table, options)
    found = wavelength_unit, parsed.units.get(flux.name)
    scalars = [c for c in table.colnames if table[c].ndim == 1]
    label = options.get("name")
    if label is not None and label not in table.colnames:
        raise missing_column(name, table.colnames, "name", label)
    for i, row in enumerate(table):
        wavelength = _on_axis(_filled(wavelengths if shared else wavelengths[i]), options)
        uncertainty, mask = (None if column is None else column[i] for column in errors)
        cards = collections.ChainMap({c: row[c] for c in scalars}, parsed.header)
        file = str(row[label]).strip() if label is not None else f"{name}:{i + 1}"
        of_row = uncertainty, mask
        yield spectrum(file, wavelength, _filled(flux[i]), cards, options, found, of_row)


def _wavelength(
    name: str, parsed: Parsed, options: dict, shared: Parsed | None
) -> tuple[Column, str | None]:
    """The column of wavelengths, and its unit as the file spells it."""
    if shared:
        column = shared.table.columns[0]
        return column, shared.units.get(column.name)
    column = _column(name, parsed.table, options, "wavelength")
    return column, parsed.units.get(column.name)


def _on_axis(values: np.ndarray, options: dict) -> np.ndarray:
    return on_axis(values, options.get("axis", "linear"))


def _error_columns(name: str, table: Table, options: dict) -> list[Column | None]:
    """The columns of uncertainty and mask; None where the options name none."""
    keys = "uncertainty", "mask"
    return [_column(name, table, options, key) if key in options else None for key in keys]


def _column(name: str, table: Table, options: dict, key: str) -> Column:
    """The column that the option gives by name, or by number from 0."""
    defaults = {"wavelength": "WAVELENGTH", "flux": "FLUX"} | options.get("defaults", {})
    wanted = options[key] if key in options else defaults[key]
    if isinstance(wanted, int) and wanted < len(table.colnames):
        return table.columns[wanted]
    if wanted not in table.colnames:
        raise missing_column(name, table.colnames, key, wanted)
    return table[wanted]


def missing_column(name: str, there: Iterable[str], key: str, wanted: int | str) -> LibraryError:
    return LibraryError(
        f"{name}: no column {wanted!r} for options.{key}; there are {', '.join(there)}"
    )


def _numbers(name: str, column: Column) -> np.ndarray:
    """The numbers of a column, with NaN where a value is missing."""
    try:
        return _filled(column)
    except ValueError as error:
        text = (re.findall(r"'(.*)'", str(error)) or [str(error)])[0]
        raise LibraryError(
            f"{name}: column {column.name} holds '{text}', not a number: say how the table is "
            "written, with options.format (basic where its first line names the columns, csv ...) "
            "and options.table (data_start, fill_values ...)"
        ) from error


def _filled(values: Column) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(values, float), np.nan)
