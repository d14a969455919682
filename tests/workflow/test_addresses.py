"""The check of the libraries' addresses, against a server whose files change."""

import hashlib
import subprocess
import sys

import pytest
import yaml

from served import served
from tiny import ENTRY


@pytest.fixture
def library(tmp_path):
    (tmp_path / "pinned.txt").write_text("spectra")
    (tmp_path / "grid_1.txt").write_text("a grid")
    with served(tmp_path) as address:
        pinned = hashlib.sha256(b"spectra").hexdigest()
        files = [
            {"addresses": [f"{address}/pinned.txt", "a_folder"], "sha256": pinned},
            {"addresses": [address + "/grid_{n}.txt"], "over": {"n": [1, 2]}},
        ]
        entry = ENTRY | {"sources": [ENTRY["sources"][0] | {"files": files}]}
        (tmp_path / "library.yaml").write_text(yaml.safe_dump(entry))
        yield tmp_path


def check(folder):
    command = [
        *(sys.executable, "-m", "spectralunmix.cli", "addresses"),
        *("--seen", folder / "seen.json", folder / "library.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_addresses_as_they_were(library):
    for _ in range(2):
        code, printed, said = check(library)
        assert code == 0, said
        assert len(printed.splitlines()) == 2
        assert "pinned.txt: the same bytes" in printed
        assert "grid_1.txt: as last seen" in printed


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pinned.txt", "spectrum", "another file, or a part of it"),
        ("pinned.txt", "<!doctype html>", "an HTML page"),
        ("pinned.txt", None, "404"),
        ("grid_1.txt", "another grid", "was {'Content-Length': '6'"),
        ("grid_1.txt", None, "404"),
    ],
)
def test_an_address_that_changed_is_named(library, name, content, message):
    assert check(library)[0] == 0
    (library / name).unlink() if content is None else (library / name).write_text(content)
    code, printed, said = check(library)
    assert code == 1
    (wrong,) = [line for line in printed.splitlines() if "WRONG" in line]
    assert name in wrong
    assert message in wrong
    assert said == "ERROR: 1 addresses do not serve what they did\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("library.yaml", "sources: 3", "library.yaml: sources: "),
        ("library.yaml", None, "library.yaml"),
        ("seen.json", "[", "seen.json: this command did not write it: move it away"),
    ],
)
def test_a_file_that_is_damaged_or_missing_is_named(library, name, text, message):
    (library / name).unlink(missing_ok=True)
    if text:
        (library / name).write_text(text)
    code, _, said = check(library)
    assert code == 1
    assert said.startswith("ERROR: ")
    assert message in said


def test_without_entries_all_of_the_project_are_asked(library):
    command = [sys.executable, "-m", "spectralunmix.cli", "addresses"]
    (library / "config/libraries").mkdir(parents=True)
    (library / "library.yaml").rename(library / "config/libraries/two words.yaml")
    done = subprocess.run(command, cwd=library, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "two words: http" in done.stdout
    assert (library / "results/addresses.json").exists()
    empty = library / "config"
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no config/libraries: work in a clone of the project" in done.stderr
