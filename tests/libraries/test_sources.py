"""From an entry's addresses, or a copy of the user's, to one archive."""

import hashlib
import os

import pytest

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import archives, sources


@pytest.fixture(autouse=True)
def in_the_folder_of_the_run(tmp_path, monkeypatch):
    """An entry names no path outside of it."""
    monkeypatch.chdir(tmp_path)


def source(*files, members=("*.txt",), **options):
    described = [{"sha256": None, "over": {}} | file for file in files]
    return {"files": described, "members": list(members), "options": options}


def content(path):
    return dict(archives.members(path, ["*"]))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    for i in range(3):
        (tmp_path / "mine" / f"s{i}.txt").write_text(f"{i}")
    (tmp_path / "mine" / "index.csv").write_text("id")
    (tmp_path / "mine" / "notes.doc").write_text("other")
    return tmp_path / "mine"


def fetch(tmp_path, *of, library_path=None, also=()):
    target = tmp_path / "out" / "library"
    record = sources.fetch(list(of), library_path, target, tmp_path / "kept", list(also))
    assert record["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    return record, content(target)


def test_a_folder_of_spectra_and_its_index(tmp_path, folder):
    record, found = fetch(tmp_path, source({"addresses": [str(folder)]}), also=["index.csv"])
    assert found == {"s0.txt": b"0", "s1.txt": b"1", "s2.txt": b"2", "index.csv": b"id"}
    assert record["files"] == [{"name": "mine", "from": str(folder)}]


def test_a_copy_below_the_home_folder(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _, found = fetch(tmp_path, source({"addresses": ["http://none/a.tar"]}), library_path="~/mine")
    assert len(found) == 3


def test_several_folders(tmp_path, folder):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "s7.txt").write_text("7")
    entries = [{"addresses": [str(each)]} for each in (folder, tmp_path / "more")]
    record, found = fetch(tmp_path, source(*entries))
    assert found == {"s0.txt": b"0", "s1.txt": b"1", "s2.txt": b"2", "s7.txt": b"7"}
    assert [file["name"] for file in record["files"]] == ["mine", "more"]


def test_equal_files_are_equal_archives(tmp_path, folder):
    digests = []
    for when in (1e9, 1.1e9):
        for path in folder.iterdir():
            os.utime(path, (when, when))
        for of in (
            source({"addresses": [str(folder)]}),
            source({"addresses": [f"{folder}/s1.txt"]}),
        ):
            digests.append(fetch(tmp_path, of)[0]["sha256"])
    assert digests[:2] == digests[2:]


def test_what_a_killed_download_left_is_cleared(tmp_path, folder):
    (tmp_path / "out" / ".download-abc").mkdir(parents=True)
    (tmp_path / "out" / ".download-abc" / "half").write_text("half")
    (tmp_path / "out" / "library.part-xyz").write_text("half")
    fetch(tmp_path, source({"addresses": [str(folder)]}))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["library"]


def test_files_of_others_are_left_where_downloads_are_kept(tmp_path, folder):
    theirs = ["thesis.part-2", "library.part-xyz", "0123.part-1", ".download-notes/a"]
    for name in theirs:
        (tmp_path / "kept" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "kept" / name).write_text("theirs")
    half = tmp_path / "kept" / f"{'0f' * 32}.part-abcd1234"
    half.write_text("half")
    fetch(tmp_path, source({"addresses": [str(folder)]}))
    assert all((tmp_path / "kept" / name).read_text() == "theirs" for name in theirs)
    assert not half.exists()


def test_many_files_by_one_pattern(tmp_path, folder):
    over = {"i": [0, 2], "end": ["txt"]}
    record, found = fetch(
        tmp_path, source({"addresses": [f"{folder}/s{{i}}.{{end}}"], "over": over})
    )
    assert found == {"s0.txt": b"0", "s2.txt": b"2"}
    digest = hashlib.sha256(b"2").hexdigest()
    assert record["files"][1] == {"name": "s2.txt", "from": f"{folder}/s2.txt", "sha256": digest}


def test_mirrors_in_order(tmp_path, folder):
    addresses = [f"{folder}/gone.txt", f"{folder}/s1.txt"]
    _, found = fetch(tmp_path, source({"addresses": addresses, "name": "s1.txt"}))
    assert found == {"s1.txt": b"1"}


def test_archives_among_several_files_are_flattened(tmp_path, folder):
    import tarfile

    with tarfile.open(tmp_path / "stars.tgz", "w:gz") as tgz:
        tgz.add(folder / "s0.txt", "deep/s0.txt")
        tgz.add(folder / "notes.doc", "deep/notes.doc")
    files = [{"addresses": [str(tmp_path / "stars.tgz")]}, {"addresses": [f"{folder}/index.csv"]}]
    _, found = fetch(tmp_path, source(*files), also=["index.csv"])
    assert found == {"s0.txt": b"0", "index.csv": b"id"}


def test_the_users_copy_of_several_files(tmp_path, folder):
    files = [
        {"addresses": ["http://127.0.0.1:9/s0.txt"]},
        {"addresses": ["http://127.0.0.1:9/x/s1.txt"]},
    ]
    record, found = fetch(tmp_path, source(*files), library_path=str(folder))
    assert found == {"s0.txt": b"0", "s1.txt": b"1"}
    assert [f["from"] for f in record["files"]] == [f"{folder}/s0.txt", f"{folder}/s1.txt"]


@pytest.mark.parametrize(
    ("file", "path", "message"),
    [
        (
            {"addresses": ["/nowhere/s.txt"]},
            None,
            r"/nowhere/s\.txt lies outside the folder of the run",
        ),
        ({"addresses": ["http://x/s.dat"]}, "nowhere", "nowhere does not exist"),
        ({"addresses": ["http://x/s.dat"]}, "mine/notes.doc", r"notes\.doc is not s\.dat"),
        ({"addresses": ["mine/s0.txt"], "sha256": "0" * 64}, None, "another file, or a part of it"),
    ],
)
def test_what_cannot_be_had(tmp_path, folder, monkeypatch, file, path, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LibraryError, match=message):
        fetch(tmp_path, source(file), library_path=path)
    assert not (tmp_path / "out" / "library").exists()


def test_what_an_entry_of_ones_own_gets_wrong_is_said_of_the_entry(tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LibraryError, match="the path or the members in the entry") as e:
        fetch(tmp_path, source({"addresses": ["mni"]}), library_path=None)
    assert "make demo" not in str(e.value)


def test_a_folder_without_such_files(tmp_path, folder):
    of = source({"addresses": ["http://x/s.dat"]}, members=["stars/*.fits"])
    with pytest.raises(LibraryError, match=r"mine holds no file named .* \*\.fits"):
        fetch(tmp_path, of, library_path=str(folder))
