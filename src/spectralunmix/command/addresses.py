"""Do the addresses of the libraries still serve the same bytes?

    addresses.py [--seen results/addresses.json] config/libraries/<library>.yaml ...

A file with a sha256 is fetched and checked.  Of one without, the first of its pattern is asked
for its size, time of change and tag, which are compared with those of the last time, kept in
the file `seen`.  Each address that is out of reach, or serves something else, is named, and the
exit status is then 1.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import requests

from spectralunmix.errors import LibraryError
from spectralunmix.files import write_json
from spectralunmix.libraries.downloads import TIMEOUT, download
from spectralunmix.libraries.sources import files_of
from spectralunmix.yaml_files import read_yaml

HEADERS = ("Content-Length", "Last-Modified", "ETag")


def looks(address: str) -> dict[str, str]:
    """What the server says of a file without sending it."""
    try:
        answer = requests.head(address, allow_redirects=True, timeout=TIMEOUT)
        answer.raise_for_status()
    except requests.RequestException as error:
        reason = getattr(error.args[0] if error.args else error, "reason", error)
        raise LibraryError(str(reason)) from None
    return {name: answer.headers[name] for name in HEADERS if name in answer.headers}


def check(file: dict, address: str, seen: dict) -> str:
    """What is known of an address, or a LibraryError that says what is wrong with it."""
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


def addresses_of(entry: Path):
    """(file, address) of each source's files, the first alone of those named by a pattern."""
    for source in read_yaml(entry)["sources"]:
        for pattern in source["files"]:
            file = files_of({"files": [pattern]})[0]
            for address in file["addresses"]:
                if ":" in address:
                    yield file, address


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("entries", type=Path, nargs="+")
    parser.add_argument("--seen", type=Path, default=Path("results/addresses.json"))
    options = parser.parse_args()
    seen = json.loads(options.seen.read_text()) if options.seen.exists() else {}
    wrong = 0
    for entry in options.entries:
        for file, address in addresses_of(entry):
            try:
                print(f"{entry.stem}: {address}: {check(file, address, seen)}", flush=True)
            except LibraryError as error:
                wrong += 1
                print(f"{entry.stem}: {address}: WRONG: {error}", flush=True)
    options.seen.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.seen, seen)
    if wrong:
        sys.exit(f"{wrong} addresses do not serve what they did")


if __name__ == "__main__":
    main()
