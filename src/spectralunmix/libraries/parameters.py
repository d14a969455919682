"""The stellar parameters of spectra, and the classes that follow from them."""

import contextlib
import logging
import re
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.table import Column, Table

from . import LibraryError, expressions
from .readers import Spectrum, files, fits_table, text, votable

log = logging.getLogger(__name__)
LETTERS = "OBAFGKMLTY"  # from hot to cool
SPECTRAL_TYPE = re.compile(rf"(?<![A-Za-z])([{LETTERS}])(\d+(?:\.\d)?)\s*(VI{{0,2}}|IV|I{{1,3}})?")
MATCHING = 10.0  # seconds for all file names together: a pattern may be slow, or malicious


def spectral_type(text: str) -> tuple[float, str | None]:
    """A number that rises as stars get cooler, and the luminosity class.

    O0 is 0, B0 10, A0 20 and so on to Y; a range of subtypes, as in "B57V" (B5
    to B7), is its middle.  M10 is a subtype of its own, beside L0.  A letter before the
    type is another kind of star: sdG2, a subdwarf, is no G2.
    """
    match = SPECTRAL_TYPE.search(text)
    if not match:
        raise LibraryError(f"'{text}' holds no spectral type")
    letter, digits, luminosity = match.groups()
    if len(digits) == 2 and digits[0] < digits[1]:
        subtype = (int(digits[0]) + int(digits[1])) / 2
    else:
        subtype = float(digits)
    return 10 * LETTERS.index(letter) + subtype, luminosity


def table(
    spectra: list[Spectrum], entry: dict, index: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """A row for each spectrum, with its file and its parameters; and a list of problems.

    entry : `parameters` of the library's entry
    index : the table of parameters from `read_index`
    """
    unread: list[str] = []
    problems: list[str] = []
    named = _from_names([s.file for s in spectra], entry.get("file_name"), unread)
    rows = [
        {"file": s.file, **of_name, **_from_header(s, entry, problems)}
        for s, of_name in zip(spectra, named, strict=True)
    ]
    frame = pd.DataFrame([{name: _value(value) for name, value in row.items()} for row in rows])
    frame["file"] = [s.file for s in spectra]  # a name that is a number stays one
    if len(unread) == len(rows):
        unread = [
            f"parameters.file_name: '{entry['file_name']}' matches none of the {len(rows)} file "
            f"names, of which {rows[0]['file']} is one"
        ]
    problems = unread + problems
    if index is not None:
        parameter = entry["index"]["key"]["parameter"]
        keys = [str(row.get(parameter, "")).strip() for row in rows]
        frame = _joined(frame, pd.Series(keys), index, entry["index"], problems)
    frame = _without_missing(frame, entry.get("missing", []))
    if "spectral_type" in frame:
        frame = _understood(frame)
        if entry.get("unknown_types") == "error" and (unknown := unknown_types(frame)):
            problems.append(
                f"{unknown}: name such values under parameters.missing, or set "
                "parameters.unknown_types to no_class"
            )
    for name, expression in entry.get("derived", {}).items():
        numbers = frame.select_dtypes("number")
        try:
            frame[name] = expressions.evaluate(
                expression, {column: numbers[column].to_numpy(float) for column in numbers}
            )
        except LibraryError as error:
            problems.append(f"parameters.derived.{name}: '{expression}': {error}")
    return frame, problems


def _from_names(names: list[str], pattern: str | None, problems: list[str]) -> list[dict]:
    """The groups of the pattern in each file name; no groups where it does not match."""
    if pattern is None:
        return [{}] * len(names)
    slow = (
        f"parameters.file_name: '{pattern}' takes more than {MATCHING:g} s: a repeat within a "
        "repeat, such as (a+)+, tries every way to split a name: write it as a single repeat"
    )
    with _at_most(MATCHING, slow):
        matches = [re.fullmatch(pattern, name) for name in names]
    for name, match in zip(names, matches, strict=True):
        if not match:
            problems.append(f"{name}: parameters.file_name, '{pattern}', does not match")
    return [match.groupdict() if match else {} for match in matches]


@contextlib.contextmanager
def _at_most(seconds: float, message: str) -> Iterator[None]:
    """Raise a LibraryError where the block takes longer; only a signal can interrupt `re`."""

    def stop(*_: object) -> None:
        raise LibraryError(message)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _value(value: Any) -> Any:
    """Turn text into a number if it is one; a lone "m" is -1, and a lone "p" is 1."""
    if not isinstance(value, str):
        return value
    if (text := value.strip()) in ("m", "p"):
        return -1.0 if text == "m" else 1.0
    try:
        return float(text)
    except ValueError:
        return text


def _from_header(spectrum: Spectrum, entry: dict, problems: list[str]) -> dict:
    found: dict[str, Any] = {}
    for name, cards in entry.get("header", {}).items():
        card = next((c for c in cards if c in spectrum.header), None)
        if card is None:
            problems.append(f"{spectrum.file}: none of the cards {', '.join(cards)} is there")
        else:
            found[name] = spectrum.header[card]
    return found


def read_index(path: Path, source: dict, entry: dict) -> pd.DataFrame | None:
    """The table of parameters that the entry names: `key`, as text, and a column for each."""
    if "index" not in entry:
        return None
    about = entry["index"]
    name, content = files.one(path, source, about["file"], "parameters.index.file")
    key, columns = about["key"]["column"], about["columns"]
    parsed: Table = _parse(name, content, about, key)
    if unknown := {key, *columns.values()} - set(parsed.colnames):
        raise LibraryError(
            f"{name}: parameters.index: no column {', '.join(sorted(unknown))}; there are "
            f"{', '.join(parsed.colnames)}"
        )
    frame = pd.DataFrame(
        {parameter: _values(parsed[column]) for parameter, column in columns.items()}
    )
    frame["key"] = [str(value).strip() for value in np.asarray(parsed[key]).tolist()]
    if repeated := frame["key"][frame["key"].duplicated()].tolist():
        raise LibraryError(
            f"{name}: parameters.index: there is more than one row for the key {_listed(repeated)}"
        )
    return frame


def _parse(name: str, content: bytes, about: dict, key: str) -> Table:
    if about["format"] == "fits":
        return fits_table.parse(name, content, about).table
    if about["format"] == "votable":
        return votable.parse(name, content, about).table
    settings = about["table"]
    if about["format"] != "ecsv":
        settings = settings | {"converters": {key: str}}  # 0022 is not 22
    return text.parse(name, content, about | {"table": settings}).table


def _values(column: Column) -> list:
    masked = np.ma.asarray(column)
    values = [
        None if hidden else value
        for value, hidden in zip(masked.data.tolist(), np.ma.getmaskarray(masked), strict=True)
    ]
    return [_value(value) for value in values]


def _joined(
    frame: pd.DataFrame, keys: pd.Series, index: pd.DataFrame, about: dict, problems: list[str]
) -> pd.DataFrame:
    """Add the parameters of the index to those of the spectra, matched by key."""
    parameter = about["key"]["parameter"]
    if parameter not in frame:
        problems.append(
            f"parameters.index.key.parameter: there is no {parameter}; there are "
            f"{', '.join(frame.columns)}"
        )
        return frame
    without_row = frame["file"][~keys.isin(index["key"])].tolist()
    without_file = index["key"][~index["key"].isin(keys)].tolist()
    for what, names in (
        ("no row for the spectrum", without_row),
        ("no spectrum for the key", without_file),
    ):
        if names and about["unmatched"] == "leave_out":
            log.info("%s: %s %s", about["file"], what, ", ".join(names))
        elif names:
            problems.append(
                f"{about['file']}: {what} {_listed(names)}: put it right, or set "
                "parameters.index.unmatched to leave_out"
            )
    found = index.set_index("key").reindex(keys)
    return frame.assign(**{name: found[name].to_numpy() for name in found})


def _without_missing(frame: pd.DataFrame, missing: list) -> pd.DataFrame:
    frame = frame.mask(frame.isin(missing)) if missing else frame
    for name in frame.columns.drop("file"):
        number = pd.to_numeric(frame[name], errors="coerce")
        if (number.notna() == frame[name].notna()).all():
            frame[name] = number.astype(float)
    return frame


def _understood(frame: pd.DataFrame) -> pd.DataFrame:
    """Add spectral_class and luminosity_class, from the spectral types."""
    found: dict[int, tuple] = {}
    for i, value in frame["spectral_type"].dropna().items():
        with contextlib.suppress(LibraryError):  # `unknown_types` reports it
            found[i] = spectral_type(str(value))
    number = {i: value for i, (value, _) in found.items()}
    luminosity = {i: value for i, (_, value) in found.items()}
    text = frame["spectral_type"].astype(str).str.removeprefix("spectral type:").str.strip()
    return frame.assign(
        spectral_type=text,
        spectral_class=pd.Series(number, index=frame.index, dtype=float),
        luminosity_class=pd.Series(luminosity, index=frame.index, dtype=object),
    )


def unknown_types(frame: pd.DataFrame) -> str:
    """A line with the spectral types other than O to Y, and their numbers; "" without any."""
    if "spectral_type" not in frame or "spectral_class" not in frame:
        return ""
    unknown = Counter(frame["spectral_type"][frame["spectral_class"].isna()].dropna())
    if not unknown:
        return ""
    shown = ", ".join(f"{kind} ({n})" if n > 1 else kind for kind, n in unknown.most_common())
    return (
        f"spectral_type: {unknown.total()} spectra have none of O to Y with a subtype, and so no "
        f"spectral_class: {shown}"
    )


def classify(
    frame: pd.DataFrame, classes: Mapping[str, dict], overlapping: str = "first"
) -> tuple[pd.Series, list[str]]:
    """The class whose conditions a row meets, missing where there is none; and a list of problems.

    overlapping : what happens where a row meets the conditions of several classes: "first" or
        "error"
    """
    label = pd.Series(None, index=frame.index, dtype=object)
    problems = []
    for name, rule in classes.items():
        meets = pd.Series(True, index=frame.index)
        try:
            for parameter, condition in rule["where"].items():
                meets &= _meets(frame, parameter, condition, f"classes.{name}.where.{parameter}")
        except LibraryError as error:
            problems.append(str(error))
            continue
        if not meets.any():
            problems.append(f"classes.{name}: empty: no spectrum meets its conditions")
        both = meets & label.notna()
        if overlapping == "error" and both.any():
            counts = ", ".join(f"{n} with {c}" for c, n in label[both].value_counts().items())
            problems.append(
                f"classes.{name}: overlaps ({counts}; {_listed(frame['file'][both].tolist())}): "
                "narrow a rule, or set overlapping_classes to first, so that the first one counts"
            )
        label[meets & label.isna()] = name
    return label, problems


def _meets(frame: pd.DataFrame, parameter: str, condition: dict, key: str) -> pd.Series:
    column = "spectral_class" if parameter == "spectral_type" else parameter
    if column not in frame:
        raise LibraryError(f"{key}: no such parameter; there are {', '.join(frame.columns[1:])}")
    values, meets = frame[column], pd.Series(True, index=frame.index)
    if "in" in condition:
        return values.isin(condition["in"])
    try:
        for bound, compare in (("min", values.ge), ("max", values.le)):
            if bound in condition:
                limit = condition[bound]
                meets &= compare(spectral_type(limit)[0] if parameter == "spectral_type" else limit)
    except LibraryError as error:
        raise LibraryError(f"{key}: {error}") from error
    except TypeError as error:
        text = next((v for v in values if isinstance(v, str)), None)
        if text is None:
            raise LibraryError(f"{key}: '{limit}' is not a number, as {parameter} is") from error
        raise LibraryError(
            f"{key}: {parameter} is not a number throughout ('{text}'): name such values under "
            "parameters.missing, or use `in`"
        ) from error
    return meets


def _listed(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
