"""Checks whether the addresses of libraries and cubes still serve the same bytes.

A file with a sha256 is downloaded and checked. For a file without, or for the first file of a
pattern, the server is asked for size, time of change and tag. These are compared with those of the
last time, which are kept in a file. Every address that cannot be reached, or serves something
else, is named.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import requests

from spectralunmix.cubes.entry import read_entry as read_cube_entry
from spectralunmix.errors import LibraryError, RunError
from spectralunmix.files import write_json
from spectralunmix.libraries.downloads import TIMEOUT, download
from spectralunmix.libraries.entry import read_entry
from spectralunmix.libraries.sources import files_of

HEADERS = ("Content-Length", "Last-Modified", "ETag")


def looks(address: str) -> dict[str, str]:
    """The headers with which the server describes a file, without downloading it."""
    try:
        answer = requests.head(address, allow_redirects=True, timeout=TIMEOUT)
        answer.raise_for_status()
    except requests.RequestException as error:
        reason = getattr(error.args[0] if error.args else error, "reason", error)
        raise LibraryError(str(reason)) from None
    return {name: answer.headers[name] for name in HEADERS if name in answer.headers}


def check(file: dict, address: str, seen: dict) -> str:
    """Say what an address serves, or raise a LibraryError that says what is wrong with it."""
    if file["sha256"]:
        with tempfile.TemporaryDirectory() as folder:
            download(file, address, Path(folder))
        return "the same bytes"
    now = looks(address)
    before = seen.setdefault(address, now)
    if before != now:
        seen[address] = now
        raise LibraryError(f"was {before}, is {now}")
    return f"as last seen: {now}" if now else "answers; the server says nothing of the file"


def addresses_of(entry: Path) -> Iterator[tuple[dict, str]]:
    """(file, address) for the files of each source; for a pattern, its first file alone."""
    read = read_cube_entry if entry.parent.name == "cubes" else read_entry
    for source in read(entry)["sources"]:
        for pattern in source["files"]:
            file = files_of({"files": [pattern]})[0]
            for address in file["addresses"]:
                if ":" in address:
                    yield file, address


def read_seen(file: Path) -> dict:
    """The headers of the last time, by address; an empty dict the first time."""
    try:
        seen = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        seen = None
    if not isinstance(seen, dict):
        raise RunError(f"{file}: this command did not write it: move it away")
    return seen


def check_all(entries: Sequence[Path], seen_file: Path) -> None:
    """Print a line for each address of these entries.

    Parameters
    ----------
    entries : paths
        YAML files of libraries and cubes; an empty sequence stands for all of config/libraries
        and config/cubes.
    seen_file : path
        File with the headers of the last time, which is renewed.

    Raises
    ------
    RunError
        Addresses cannot be reached, or serve something else; or there is no entry.
    """
    shipped = [*Path("config/libraries").glob("*.yaml"), *Path("config/cubes").glob("*.yaml")]
    entries = entries or sorted(shipped)
    if not entries:
        raise RunError(f"{Path.cwd()}: no config/libraries: work in a clone of the project")
    seen = read_seen(seen_file)
    wrong = 0
    for entry in entries:
        for file, address in addresses_of(entry):
            try:
                print(f"{entry.stem}: {address}: {check(file, address, seen)}", flush=True)
            except LibraryError as error:
                wrong += 1
                print(f"{entry.stem}: {address}: WRONG: {error}", flush=True)
    seen_file.parent.mkdir(parents=True, exist_ok=True)
    write_json(str(seen_file), seen)
    if wrong:
        raise RunError(f"{wrong} addresses do not serve what they did")
