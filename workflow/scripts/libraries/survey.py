"""A library as its entry describes it: spectra, parameters, classes, and what is wrong."""

import dataclasses
import logging
from pathlib import Path

import pandas as pd

from . import LibraryError, grids, parameters, quality, readers, selection

log = logging.getLogger(__name__)
SHOWN = 10  # problems of a kind that a message names


@dataclasses.dataclass(frozen=True)
class Survey:
    """What a library holds.

    spectra : those that can be used, as read, or on the grid where the entry states it in full
    table : one row for each: file, parameters, class
    chosen : the rows of the table that are selected; none where there are problems
    left_out : by file, why a spectrum cannot be used
    problems : what its user has to put right
    """

    spectra: list[readers.Spectrum]
    table: pd.DataFrame
    chosen: pd.DataFrame
    left_out: dict[str, str]
    problems: list[str]

    def check(self, entry: str) -> None:
        """Raise a LibraryError with all problems, if there are any."""
        if self.problems:
            lines = [f"{entry} does not fit the library:", *(f"  {p}" for p in self.problems)]
            raise LibraryError("\n".join(lines))


def survey(path: Path, source: dict, entry: dict) -> Survey:
    """Read the whole library and check it against its entry."""
    spectra, left_out = _read(path, source, entry["grid"])
    wrong = quality.problems(spectra, entry["quality"])
    problems = []
    if entry["quality"]["otherwise"] == "leave_out":
        left_out |= wrong
    elif wrong:
        end = "raise its limit under quality, or set quality.otherwise to leave_out"
        problems += _shortened([f"{file}: {why}: {end}" for file, why in wrong.items()])
    problems += _shortened(quality.duplicates(spectra))
    problems += _shortened(quality.mixed_units(spectra))
    index = parameters.read_index(path, source, entry["parameters"])
    table, found = parameters.table(spectra, entry["parameters"], index)
    problems += _shortened(found)
    label, found = parameters.classify(table, entry["classes"], entry["overlapping_classes"])
    # without its parameters a spectrum has no class, which would only repeat what is wrong
    problems += [] if problems else found
    table["class"] = label
    if not problems:
        problems += selection.check_sizes(label, source["class_sizes"])
    for file, why in left_out.items():
        log.info("left out: %s: %s", file, why)
    keep = [i for i, s in enumerate(spectra) if s.file not in left_out]
    table = table.iloc[keep].reset_index(drop=True)
    chosen = table.iloc[:0]
    if not problems:
        try:
            chosen = selection.select(table, entry["selection"])
        except LibraryError as error:
            problems.append(str(error))
    return Survey([spectra[i] for i in keep], table, chosen, left_out, problems)


def _read(path: Path, source: dict, grid: dict):
    """The spectra that cover the range stated, and why others are left out."""
    wavelength, spectra, left_out = grids.stated(grid), [], {}
    for count, spectrum in enumerate(readers.read(path, source), start=1):
        if count % 500 == 0:
            log.info("%d spectra read", count)
        if why := _outside(spectrum, grid, wavelength):
            left_out[spectrum.file] = why
        elif wavelength is None:
            spectra.append(spectrum)
        else:
            spectra.append(grids.on_grid(spectrum, wavelength))
    if not spectra and not left_out:
        raise LibraryError(
            f"members: no file of the library matches {', '.join(source['members'])}"
        )
    log.info("%d spectra read", len(spectra) + len(left_out))
    if not spectra:
        file, why = next(iter(left_out.items()))
        raise LibraryError(f"grid: no spectrum covers it; {file}: {why}")
    return spectra, left_out


def _outside(spectrum: readers.Spectrum, grid: dict, wavelength) -> str:
    own = spectrum.wavelength
    start, stop = grid["start"] or own[0], grid["stop"] or own[-1]
    if wavelength is None and own[0] <= start and stop <= own[-1]:
        return ""
    if wavelength is not None and grids.covers(own, wavelength):
        return ""
    return f"it covers {own[0]:.6g} to {own[-1]:.6g} Angstrom, not {start:.6g} to {stop:.6g}"


def _shortened(problems: list[str]) -> list[str]:
    more = len(problems) - SHOWN
    return [*problems[:SHOWN], f"and {more} more like it"] if more > 0 else problems
