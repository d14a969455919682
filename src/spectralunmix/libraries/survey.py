"""Reads a library as its entry describes it: spectra, parameters, classes, and mistakes."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from . import LibraryError, grids, parameters, quality, readers, selection

log = logging.getLogger(__name__)
SHOWN = 10  # number of problems of a kind that a message lists
ZEROS = 10  # consecutive channels with a flux of exactly zero, from which on a remark tells of it


@dataclasses.dataclass(frozen=True)
class Survey:
    """The content of a library.

    spectra : those that can be used, as read, or rebinned where the entry gives the whole grid
    table : a row for each of these spectra: file, parameters, class
    chosen : the rows of the table that are selected; none where there are problems
    left_out : by file, the reason why a spectrum cannot be used
    problems : what the user has to put right
    remarks : what the user should know
    """

    spectra: list[readers.Spectrum]
    table: pd.DataFrame
    chosen: pd.DataFrame
    left_out: dict[str, str]
    problems: list[str]
    remarks: list[str]

    def check(self, entry: str) -> None:
        """Raise a LibraryError with all problems, if there are any."""
        if self.problems:
            lines = [f"{entry} does not fit the library:", *(f"  {p}" for p in self.problems)]
            raise LibraryError("\n".join(lines))


def survey(path: Path, source: dict, entry: dict) -> Survey:
    """Read the whole library and check it against its entry."""
    spectra, left_out, remarks = _read(path, source, entry)
    wrong = quality.problems(spectra, entry["quality"])
    problems = []
    if entry["quality"]["otherwise"] == "leave_out":
        left_out |= {file: why for file, (why, _) in wrong.items()}
    else:
        for limit in ("max_nan", "max_negative", None):
            end = f"raise quality.{limit}, or " if limit else ""
            end += "set quality.otherwise to leave_out"
            same = [f"{file}: {why}: {end}" for file, (why, its) in wrong.items() if its == limit]
            problems += _shortened(same, len(spectra))
    for file, why in left_out.items():
        log.info("left out: %s: %s", file, why)
    if not problems and all(s.file in wrong for s in spectra):
        file, (why, limit) = next(iter(wrong.items()))
        end = f": raise quality.{limit}" if limit else ""
        raise LibraryError(f"quality: every spectrum is left out; {file}: {why}{end}")
    problems += _shortened(quality.duplicates(spectra), len(spectra))
    problems += _shortened(quality.mixed_units(spectra), len(spectra))
    index = parameters.read_index(path, source, entry["parameters"])
    table, found = parameters.table(spectra, entry["parameters"], index)
    problems += _shortened(found, len(spectra))
    if entry["parameters"].get("unknown_types") != "error":
        remarks += filter(None, [parameters.unknown_types(table)])
    label, found = parameters.classify(table, entry["classes"], entry["overlapping_classes"])
    # without its parameters a spectrum has no class, which would only repeat what is wrong
    problems += [] if problems else found
    table["class"] = label
    if not problems:
        problems += selection.check_sizes(label, source["class_sizes"])
    keep = [i for i, s in enumerate(spectra) if s.file not in left_out]
    table = table.iloc[keep].reset_index(drop=True)
    chosen = table.iloc[:0]
    if not problems:
        try:
            chosen = selection.select(table, entry["selection"])
        except LibraryError as error:
            problems.append(str(error))
    return Survey([spectra[i] for i in keep], table, chosen, left_out, problems, remarks)


def _read(
    path: Path, source: dict, entry: dict
) -> tuple[list[readers.Spectrum], dict[str, str], list[str]]:
    """The spectra that cover the grid, the reasons why others are left out, and remarks."""
    grid, missing = entry["grid"], entry["quality"]["missing_zeros"]
    wavelength = grids.stated(grid)
    spectra: list[readers.Spectrum] = []
    left_out: dict[str, str] = {}
    zeros: list[float] = []
    for count, spectrum in enumerate(readers.read(path, source), start=1):
        if count % 500 == 0:
            log.info("%d spectra read", count)
        if missing is None:
            zeros.append(quality.zero_runs(spectrum.flux, ZEROS).mean())
        spectrum = quality.without_zeros(spectrum, missing)
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
    return spectra, left_out, _of_zeros(zeros)


def _of_zeros(shares: list[float]) -> list[str]:
    """A remark on runs of zeros, from the share of each spectrum's channels in them."""
    if not any(shares):
        return []
    return [
        f"{np.count_nonzero(shares)} of {len(shares)} spectra have a flux of exactly zero over "
        f"{ZEROS} or more channels on end, {np.mean(shares):.1%} of all channels and up to "
        f"{max(shares):.1%} of a spectrum's: where that means missing, set quality.missing_zeros "
        f"to {ZEROS}"
    ]


def _outside(spectrum: readers.Spectrum, grid: dict, wavelength: np.ndarray | None) -> str:
    own = spectrum.wavelength
    start, stop = grid["start"] or own[0], grid["stop"] or own[-1]
    if wavelength is None and own[0] <= start and stop <= own[-1]:
        return ""
    if wavelength is not None and grids.covers(own, wavelength):
        return ""
    return f"it covers {own[0]:.6g} to {own[-1]:.6g} Angstrom, not {start:.6g} to {stop:.6g}"


def _shortened(problems: list[str], n_spectra: int) -> list[str]:
    """The first problems of a kind, and a line with their number."""
    n_left = len(problems) - SHOWN
    if n_left <= 0:
        return problems
    last = f"and {n_left} more like it: {len(problems)} such problems in {n_spectra} spectra"
    return [*problems[:SHOWN], last]
