"""What an entry's names and addresses may be, and what is said while and where they fail."""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from served import served
from spectralunmix.errors import ConfigurationError, LibraryError
from spectralunmix.libraries import downloads, sources
from spectralunmix.libraries.entry import File
from spectralunmix.models import checked

ROOT = Path(__file__).parents[2]
DIGEST = "0" * 64
WHEEL = {"name": "stars-1.0-py3-none-any.whl", "sha256": DIGEST}
NO_NAMES = ["../x.txt", "{here}/x.txt", "a/x.txt", "..", ".", "", "a\\x.txt", "a\0.txt", "a\n.txt"]
WHEELS = [
    "pypi:{here}/evil.tar.gz",
    "pypi:stars @ http://127.0.0.1:9/stars-1.0-py3-none-any.whl",
    "pypi:git+https://127.0.0.1:9/stars",
    "pypi:stars",
    "pypi:stars>=1.0",
    "pypi:stars==1.*",
    "pypi:stars==1.0 --index-url=http://127.0.0.1:9",
    "pypi:stars==1.0\n--index-url=http://127.0.0.1:9",
    "pypi:-r==1.0",
]


@pytest.fixture(autouse=True)
def in_the_folder_of_the_run(tmp_path, monkeypatch):
    """An entry names no path outside of it."""
    monkeypatch.chdir(tmp_path)


def fetch(tmp_path, library_path=None, kind="library", **file):
    file = {"sha256": None, "over": {}} | file
    source = {"files": [file], "members": ["*.txt"], "options": {}}
    return sources.fetch(
        [source], library_path, tmp_path / "out/library", tmp_path / "kept", [], kind
    )


@pytest.fixture
def check_addresses():
    """The check of the entry, which comes before any work."""
    return lambda **file: checked(File, file, "e.yaml")


@pytest.fixture
def web(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web/x.txt").write_text("1 2\n3 4\n")
    with served(tmp_path / "web") as address:
        yield address


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_leads_nowhere_else(tmp_path, web, check_addresses, name):
    for victim in (tmp_path / "x.txt", tmp_path / "out/x.txt"):
        victim.parent.mkdir(exist_ok=True)
        victim.write_text("mine")
    name = name.replace("{here}", str(tmp_path))
    for address in (f"{web}/x.txt", str(tmp_path / "web/x.txt")):
        with pytest.raises(LibraryError, match="not the name of a file"):
            fetch(tmp_path, addresses=[address], name=name)
        with pytest.raises(
            ConfigurationError,
            match=r"^e\.yaml: (name: is empty|(name|over.*|addresses.0): .*name)",
        ):
            check_addresses(addresses=[address], name=name)
    assert (tmp_path / "x.txt").read_text() == (tmp_path / "out/x.txt").read_text() == "mine"


@pytest.mark.parametrize("end", ["", "/", "/.."])
def test_an_address_that_ends_without_a_name(tmp_path, check_addresses, end):
    address = f"http://127.0.0.1:9{end}"
    with pytest.raises(LibraryError, match="not the name of a file"):
        fetch(tmp_path, addresses=[address])
    if end:
        with pytest.raises(ConfigurationError, match="has to say the name"):
            check_addresses(addresses=[address])


def test_names_made_of_parts(tmp_path, web, check_addresses):
    over = {"a": [".", "../"], "b": [".", "x.txt"]}
    with pytest.raises(LibraryError, match="not the name of a file"):
        fetch(tmp_path, addresses=[f"{web}/x.txt"], name="{a}{b}", over=over)
    with pytest.raises(ConfigurationError, match=r"'\.\./': the name of a file has no folder"):
        check_addresses(addresses=[f"{web}/x.txt"], name="{a}{b}", over=over)


@pytest.mark.parametrize(
    "field",
    ["{a.__class__}", "{a.__class__.__mro__[1]}", "{a[0]}", "{a!r}", "{a:>9999999}", "{}", "{0}"],
)
def test_a_field_is_a_value_and_nothing_of_what_it_is_made_of(check_addresses, field):
    file = {"addresses": [f"http://x/{field}"], "name": "{a}", "over": {"a": [1]}, "sha256": None}
    with pytest.raises(ConfigurationError, match=r"a field looks like|`over` has no values for"):
        check_addresses(**file)
    try:
        (found,) = sources.files_of({"files": [file]})
    except LibraryError:
        return
    assert found["addresses"] == file["addresses"]


def test_fields_of_numbers(check_addresses):
    over = {"t": [2300, 12000], "g": [4.5]}
    file = {"addresses": ["http://x/{t:05d}_{g:.2f}_{g}.txt"], "over": over}
    check_addresses(**file)
    names = [found["name"] for found in sources.files_of({"files": [file]})]
    assert names == ["02300_4.50_4.5.txt", "12000_4.50_4.5.txt"]
    file["over"] = {"t": ["hot"], "g": [4.5]}
    with pytest.raises(ConfigurationError, match="'hot' cannot be written as 05d"):
        check_addresses(**file)
    with pytest.raises(LibraryError, match=r"http://x/.*: over: "):
        sources.files_of({"files": [file]})


def test_patterns_of_too_many_files():
    over = {letter: list(range(100)) for letter in "abcdefgh"}
    with pytest.raises(LibraryError, match="more than 100000 files"):
        sources.files_of({"files": [{"addresses": ["http://x/{a}"], "over": over}]})


@pytest.mark.parametrize("address", WHEELS)
def test_the_package_index_is_asked_for_a_wheel_alone(
    tmp_path, monkeypatch, check_addresses, address
):
    """pip would build what the others name, and so run it."""
    address = address.replace("{here}", str(tmp_path))
    asked = []
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: asked.append(a))
    with pytest.raises(LibraryError, match="not name==version of a wheel"):
        fetch(tmp_path, addresses=[address], **WHEEL)
    assert not asked
    if address not in ("pypi:stars==1.*", "pypi:-r==1.0"):
        with pytest.raises(ConfigurationError, match="a wheel is pypi:name==version"):
            check_addresses(addresses=[address], **WHEEL)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "stars-1.0.tar.gz"},
        {"name": "other-1.0-py3-none-any.whl"},
        {"name": "stars-2.0-py3-none-any.whl"},
        {"sha256": None},
    ],
)
def test_a_wheel_is_the_one_that_it_is_named(tmp_path, monkeypatch, change):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was started"))
    with pytest.raises(LibraryError, match="not name==version of a wheel"):
        fetch(tmp_path, addresses=["pypi:stars==1.0"], **WHEEL | change)


def test_pip_knows_the_users_index_and_no_other_option(tmp_path, monkeypatch):
    settings = {"PIP_INDEX_URL": "https://mirror/simple", "PIP_TARGET": "/t", "PIP_PREFIX": "/p"}
    settings |= {"PIP_REQUIREMENT": "/r.txt", "PIP_PRE": "1", "PYTHONPATH": "/m"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    seen = {}

    class Pip:
        returncode = 0

        def __init__(self, command, env, **_):
            folder = Path(command[command.index("--dest") + 1])
            (folder / WHEEL["name"]).write_bytes(b"wheel")
            seen.update(command=command, env=env, pinned=(folder / "wheel.txt").read_text())

        def wait(self, seconds=None):
            """It ended."""

        def kill(self):
            """It has ended."""

    monkeypatch.setattr(subprocess, "Popen", Pip)
    digest = hashlib.sha256(b"wheel").hexdigest()
    fetch(tmp_path, addresses=["pypi:Stars==1.0"], name=WHEEL["name"], sha256=digest)
    assert settings.keys() & seen["env"].keys() == {"PIP_INDEX_URL", "PYTHONPATH"}
    assert "-I" in seen["command"]  # without PYTHONPATH
    assert seen["pinned"] == f"stars==1.0 --hash=sha256:{digest}\n"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A program in place of Python, and so of pip; and those that were started."""
    program, started = tmp_path / "python", []
    popen = subprocess.Popen

    def start(*arguments, **settings):
        started.append(popen(*arguments, **settings))
        return started[-1]

    def does(script):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return started

    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(downloads, "INTERVAL", 0.1)
    return does


DRIPS = 'while true; do printf x >> "$TMPDIR/s.whl"; sleep 0.05; done'


@pytest.mark.parametrize("script", ["exec sleep 20", DRIPS])
def test_pip_is_not_waited_for_where_nothing_comes(tmp_path, pip, monkeypatch, script):
    monkeypatch.setattr(downloads, "STALL", 0.5)
    started = pip(script)
    with pytest.raises(LibraryError, match=r"stars-1\.0.*: pip fetched almost nothing in 0\.5 s"):
        fetch(tmp_path, addresses=["pypi:stars==1.0"], **WHEEL)
    assert started[0].returncode is not None


def test_pip_is_ended_with_the_run(tmp_path, pip, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    started = pip("exec sleep 20")
    monkeypatch.setattr(downloads, "_ended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, addresses=["pypi:stars==1.0"], **WHEEL)
    assert started[0].returncode is not None


def test_a_wheel_without_end(tmp_path, pip, monkeypatch):
    monkeypatch.setattr(downloads.archives, "MAX_TOTAL", 5000)
    pip('head -c 6000 /dev/zero > "$TMPDIR/s.whl"; exec sleep 20')
    with pytest.raises(LibraryError, match=r"stars-1\.0.*: more than 5000 bytes"):
        fetch(tmp_path, addresses=["pypi:stars==1.0"], **WHEEL)


def test_a_wheel_that_pip_moves_while_it_is_looked_at(tmp_path, pip):
    """A link to nothing is listed, and has no size, as what is moved in between."""
    pip('ln -s gone "$TMPDIR/s.whl"; sleep 0.5; echo no; exit 1')
    with pytest.raises(LibraryError, match=r"stars-1\.0.*: pip: no\n"):
        fetch(tmp_path, addresses=["pypi:stars==1.0"], **WHEEL)


def test_a_missing_path_is_not_to_be_fetched(tmp_path):
    with pytest.raises(LibraryError) as error:
        fetch(tmp_path, addresses=[str(tmp_path / "gone")])
    assert f"{tmp_path}/gone does not exist; it is named in the entry" in str(error.value)
    assert "by hand" not in str(error.value)
    with pytest.raises(LibraryError, match=r"Fetch x\.txt by hand"):
        fetch(tmp_path, addresses=["http://127.0.0.1:9/x.txt"])


OUTSIDE = ["/etc/hostname", "../mine.txt", "web/../../mine.txt", "~/mine.txt"]


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_entry_reads_nothing_outside_the_folder_of_the_run(tmp_path, check_addresses, address):
    (tmp_path / "run").mkdir()
    (tmp_path / "mine.txt").write_text("1 2\n3 4\n")
    os.chdir(tmp_path / "run")
    with pytest.raises(LibraryError, match=r"outside the folder of the run, .* as LIBRARY_PATH"):
        fetch(tmp_path / "run", addresses=[address])
    with pytest.raises(
        ConfigurationError, match=r"outside the folder of the run, .* as LIBRARY_PATH"
    ):
        check_addresses(addresses=[address])


def test_a_field_does_not_lead_outside_either(tmp_path):
    (tmp_path / "run/a").mkdir(parents=True)
    (tmp_path / "mine.txt").write_text("1 2\n3 4\n")
    os.chdir(tmp_path / "run")
    with pytest.raises(LibraryError, match="outside the folder of the run"):
        fetch(tmp_path / "run", addresses=["a/{up}/{up}/mine.txt"], over={"up": [".."]})


def test_a_device_is_not_a_file(tmp_path):
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(LibraryError, match="zero is not a file"):
        fetch(tmp_path, addresses=["zero"])


@pytest.mark.parametrize("pattern", ["", "a**b", "x/"])
def test_a_pattern_that_names_no_file(tmp_path, pattern):
    (tmp_path / "web").mkdir()
    source = {"files": [{"addresses": [str(tmp_path / "web")]}], "members": [pattern]}
    with pytest.raises(LibraryError, match="holds no file named"):
        sources.fetch(
            [source | {"options": {}}], None, tmp_path / "out/library", tmp_path / "kept", []
        )


def test_parts_of_another_run_at_work_are_left(tmp_path, web):
    """Two clones may share the folder of downloads."""
    part = tmp_path / f"kept/{DIGEST}.part-1"
    part.parent.mkdir()
    part.write_text("half")
    hold = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_SH)"
    command = [sys.executable, "-c", hold + "; print(); input()", str(part.parent)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    other.stdout.readline()
    fetch(tmp_path, addresses=[f"{web}/x.txt"])
    assert part.read_text() == "half"
    other.communicate("\n")
    (tmp_path / "out/library").unlink()
    fetch(tmp_path, addresses=[f"{web}/x.txt"])
    assert not part.exists()


def test_a_run_holds_the_folder_of_downloads(tmp_path, web, monkeypatch):
    held = []
    assemble = sources._assemble

    def looks(*arguments):
        handle = os.open(tmp_path / "kept", os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.append(True)
        os.close(handle)
        assemble(*arguments)

    monkeypatch.setattr(sources, "_assemble", looks)
    fetch(tmp_path, addresses=[f"{web}/x.txt"])
    assert held == [True]


def test_the_message_is_the_last_thing_said(tmp_path):
    script = "import sys; from pathlib import Path\n"
    script += "from spectralunmix.libraries import sources, downloads\n"
    script += "downloads.RETRIES = 1; folder = Path(sys.argv[1])\n"
    script += "file = {'addresses': ['http://127.0.0.1:9/x'], 'sha256': None, 'over': {}}\n"
    script += "source = {'files': [file], 'members': ['*'], 'options': {}}\n"
    script += "try: sources.fetch([source], None, folder / 'out/library', folder / 'kept', [])\n"
    script += "except ValueError as error: print('ERROR:', error, file=sys.stderr)\n"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    before, after = done.stderr.split("ERROR:")
    assert before == ""
    assert after.strip().endswith("the package index carries its library.")


def test_a_long_download_says_how_far_it_is(tmp_path, web, monkeypatch, caplog):
    monkeypatch.setattr(downloads, "INTERVAL", 0)
    caplog.set_level("INFO")
    (tmp_path / "web/x.txt").write_bytes(b"1 2\n" * 2**20)
    fetch(tmp_path, addresses=[f"{web}/x.txt"])
    lines = [line for line in caplog.messages if line.endswith(" %")]
    assert lines[-1] == "x.txt: 4.2 of 4.2 MB, 100 %"
    shares = [int(line.split()[-2]) for line in lines]
    assert shares == sorted(shares)
    assert len(set(shares)) > 5


def test_a_wheel_of_another_python_is_asked_for_as_such():
    """It is not installed: whatever Python runs, the file is that one."""
    assert downloads._of_platform("stars-1.0-py3-none-any.whl") == []
    name = "mpdaf-3.6-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    options = downloads._of_platform(name)
    pairs = list(zip(options[::2], options[1::2], strict=True))
    assert pairs == [
        ("--implementation", "cp"),
        ("--python-version", "311"),
        ("--abi", "cp311"),
        ("--platform", "manylinux2014_x86_64"),
        ("--platform", "manylinux_2_17_x86_64"),
    ]


def test_a_copy_that_the_user_names_may_have_any_name(tmp_path):
    """Of a cube, where it is a member and of no checksum: it is what the user says that it is."""
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere/of mine.txt"
    copy.write_text("1 2\n")
    record = fetch(tmp_path, str(copy), "cube", addresses=["stars.txt"])
    assert record["files"][0]["name"] == "of mine.txt"
    with pytest.raises(LibraryError, match=r"is not stars\.txt"):
        fetch(tmp_path, str(copy), "cube", addresses=["stars.txt"], sha256=DIGEST)
    with pytest.raises(LibraryError, match=r"is not stars\.txt"):
        fetch(tmp_path, str(copy), addresses=["stars.txt"])
    copy.rename(tmp_path / "elsewhere/of mine.csv")
    with pytest.raises(LibraryError, match=r"is not \*\.txt"):
        fetch(tmp_path, str(copy.with_suffix(".csv")), "cube", addresses=["stars.txt"])
