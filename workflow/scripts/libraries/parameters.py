"""Stellar parameters of spectra, and the classes they put them in."""

import re

import pandas as pd

from . import LibraryError
from .readers import Spectrum

SPECTRAL_TYPE = re.compile(r"(?<![A-Za-z])([OBAFGKM])(\d+(?:\.\d)?)(VI{0,2}|IV|I{1,3})?")


def spectral_type(text: str) -> tuple[float, str | None]:
    """A number that rises as stars get cooler, and the luminosity class.

    O0 is 0, B0 10, A0 20 and so on; a range of subtypes, as in "B57V" (B5 to
    B7), is its middle.  M10 is a subtype of its own.
    """
    match = SPECTRAL_TYPE.search(text)
    if not match:
        raise LibraryError(f"'{text}' holds no spectral type")
    letter, digits, luminosity = match.groups()
    if len(digits) == 2 and digits[0] < digits[1]:
        subtype = (int(digits[0]) + int(digits[1])) / 2
    else:
        subtype = float(digits)
    return 10 * "OBAFGKM".index(letter) + subtype, luminosity


def table(spectra: list[Spectrum], entry: dict) -> pd.DataFrame:
    """One row a spectrum: its file and the parameters that the entry names."""
    rows = [{"file": s.file, **_from_name(s, entry), **_from_header(s, entry)} for s in spectra]
    frame = pd.DataFrame(rows)
    for name, expression in entry.get("derived", {}).items():
        try:
            frame[name] = frame.eval(expression, engine="python")
        except Exception as error:  # whatever the expression leads pandas to
            raise LibraryError(f"parameters.derived.{name}: '{expression}': {error}") from error
    return frame


def _from_name(spectrum: Spectrum, entry: dict) -> dict:
    if "file_name" not in entry:
        return {}
    match = re.fullmatch(entry["file_name"], spectrum.file)
    if not match:
        raise LibraryError(
            f"{spectrum.file}: parameters.file_name, '{entry['file_name']}', does not match"
        )
    return {name: _number(text) for name, text in match.groupdict().items()}


def _number(text: str) -> float:
    """A number, or the sign that 'm' (minus) or 'p' (plus) alone stands for."""
    return {"m": -1.0, "p": 1.0}[text] if text in ("m", "p") else float(text)


def _from_header(spectrum: Spectrum, entry: dict) -> dict:
    found = {}
    for name, cards in entry.get("header", {}).items():
        card = next((c for c in cards if c in spectrum.header), None)
        found[name] = spectrum.header[card] if card else None
        if name == "spectral_type":
            if card is None:
                raise LibraryError(f"{spectrum.file}: none of the cards {cards} is there")
            found[name] = str(found[name]).removeprefix("spectral type:").strip()
            found["spectral_class"], found["luminosity_class"] = spectral_type(found[name])
    return found


def classify(frame: pd.DataFrame, classes: dict) -> pd.Series:
    """The name of the first class whose every condition a row meets; missing where none does."""
    label = pd.Series(None, index=frame.index, dtype=object)
    for name, rule in classes.items():
        meets = label.isna()
        for parameter, condition in rule["where"].items():
            meets &= _meets(frame, parameter, condition, f"classes.{name}.where.{parameter}")
        label[meets] = name
    return label


def _meets(frame: pd.DataFrame, parameter: str, condition: dict, key: str) -> pd.Series:
    column = "spectral_class" if parameter == "spectral_type" else parameter
    if column not in frame:
        raise LibraryError(f"{key}: no such parameter; there are {', '.join(frame.columns[1:])}")
    values, meets = frame[column], pd.Series(True, index=frame.index)
    for bound, compare in (("min", values.ge), ("max", values.le)):
        if bound in condition:
            limit = condition[bound]
            meets &= compare(spectral_type(limit)[0] if parameter == "spectral_type" else limit)
    return meets & values.isin(condition["in"]) if "in" in condition else meets
