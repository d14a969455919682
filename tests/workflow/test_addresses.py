"""The check of the libraries' addresses, against a server whose files change."""

import hashlib
import subprocess
import sys

import pytest
import yaml

from served import served


@pytest.fixture
def library(tmp_path):
    (tmp_path / "pinned.txt").write_text("spectra")
    (tmp_path / "grid_1.txt").write_text("a grid")
    with served(tmp_path) as address:
        pinned = hashlib.sha256(b"spectra").hexdigest()
        files = [
            {"addresses": [f"{address}/pinned.txt", "/a/folder"], "sha256": pinned},
            {"addresses": [address + "/grid_{n}.txt"], "over": {"n": [1, 2]}},
        ]
        entry = {"sources": [{"files": files}]}
        (tmp_path / "library.yaml").write_text(yaml.safe_dump(entry))
        yield tmp_path


def check(folder):
    command = [
        sys.executable,
        "-m",
        "spectralunmix.command.addresses",
        "--seen",
        folder / "seen.json",
        folder / "library.yaml",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_addresses_as_they_were(library):
    for _ in range(2):
        code, printed = check(library)
        assert code == 0, printed
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
    code, printed = check(library)
    assert code == 1
    (wrong,) = [line for line in printed.splitlines() if "WRONG" in line]
    assert name in wrong
    assert message in wrong
