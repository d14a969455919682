"""Fetches a library or a cube: tries its sources in order, and checks files by sha256."""

import contextlib
import fcntl
import fnmatch
import hashlib
import io
import itertools
import logging
import math
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from . import LibraryError, archives
from .downloads import NO_NAME, check, download, is_wheel, sha256

log = logging.getLogger(__name__)
MAX_FILES = 100_000  # largest number of files that a pattern may name
FIELD = re.compile(r"{(\w+)(?::(0?\d?\d?(?:\.\d\d?)?[df]?))?}")  # {log_g}, {teff:05d}, {log_g:.2f}


def fetch(
    sources: list[dict],
    library_path: str | None,
    target: Path,
    kept: Path,
    also: list[str],
    kind: str = "library",
) -> dict:
    """Put the first source that can be had at `target`; return it, and where it came from.

    A single archive is copied as it is; other files are packed into a tar.

    library_path : the user's own copy, a file, a folder or an address; a local copy is used or
        is an error, an address is tried before those of the entry
    kept : folder with files that were fetched before, which are not fetched again
    also : patterns of files that are needed beside the spectra
    kind : library or cube; the user's copy of a cube may have any name that its members have
    """
    local = None
    if library_path and not _is_web(library_path):
        local = Path(library_path).expanduser()
    if local and not local.exists():
        raise LibraryError(f"{kind}_path: {local} does not exist")
    failures = []
    half_kept = f"{'[0-9a-f]' * 64}.part-*"  # not plain *: the folder may have other files
    half_done = ".download-*", f"{target.name}.part-*"
    with at_work_in(kept, half_kept), at_work_in(target.parent, *half_done):
        for source in sources:
            wanted = [*source["members"], *also]
            if "wavelength_file" in source["options"]:
                wanted.append(source["options"]["wavelength_file"])
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as folder:
                try:
                    if local:
                        obtained = _from_copy(source, local, wanted, Path(folder), kind)
                    else:
                        obtained = _from_addresses(source, library_path, wanted, kept, Path(folder))
                except LibraryError as error:
                    failures.append(str(error))
                    continue
                _assemble([(file, about["name"]) for file, about in obtained], wanted, target)
            for failure in failures:
                log.warning("another source was tried before:\n%s", failure)
            files = [about for _, about in obtained]
            return {"source": source, "files": files, "sha256": sha256(target)}
    raise LibraryError(
        "\n".join([f"{kind}_path:", *failures] if local else _advice(sources, failures, kind))
    )


def _advice(sources: list[dict], failures: list[str], kind: str) -> list[str]:
    """Lines that say what was tried, and what the user can do."""
    lines = [f"the {kind} could not be had. Tried, in order:", *failures]
    addresses = [a for source in sources for file in source["files"] for a in file["addresses"]]
    fetched = any(map(_is_fetched, addresses))
    if fetched:
        names = " or ".join(_shown([file["name"] for file in files_of(s)]) for s in sources)
        lines += [f"Fetch {names} by hand, put it anywhere and name that file or its folder:"]
    else:
        lines += ["Put it there, correct the path or the members in the entry, or name another:"]
    make = {"library": "make figure LIBRARY=... LIBRARY", "cube": "make cube CUBE=... CUBE"}[kind]
    lines += [f"  {make}_PATH=<path>, or snakemake ... --config {kind}_path=<path>"]
    if fetched and kind == "library" and not any(map(is_wheel, addresses)):
        lines += ["`make demo` works without it: the package index carries its library."]
    return lines


@contextlib.contextmanager
def at_work_in(folder: Path, *patterns: str) -> Iterator[None]:
    """Lock the folder, and remove what a killed run left, unless other runs are at work in it.

    patterns : of the names of what such a run leaves

    Every run holds a shared lock, which ends with its process. A run that gets the lock for itself
    can remove unfinished files, because no other run is writing them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # held by others, or a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in (path for pattern in patterns for path in folder.glob(pattern)):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink()
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _is_web(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def _is_fetched(address: str) -> bool:
    return _is_web(address) or is_wheel(address)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def files_of(source: dict) -> list[dict]:
    """Every file of a source, with name, addresses and sha256, and with `over` filled in."""
    files = []
    for entry in source["files"]:
        over = entry.get("over", {})
        if math.prod(map(len, over.values())) > MAX_FILES:
            raise LibraryError(f"over: more than {MAX_FILES} files by one pattern")
        for values in itertools.product(*over.values()):
            fields = dict(zip(over, values, strict=True))
            addresses = [_filled(address, fields) for address in entry["addresses"]]
            name = entry.get("name", PurePosixPath(urlsplit(addresses[0]).path).name)
            name = _filled(name, fields)
            if NO_NAME.fullmatch(name) and ("name" in entry or any(map(_is_fetched, addresses))):
                raise LibraryError(
                    f"{addresses[0]}: {name!r} is not the name of a file: give one as `name`"
                )
            files.append({"name": name, "addresses": addresses, "sha256": entry.get("sha256")})
    return files


def _filled(text: str, fields: dict) -> str:
    """The text with its fields filled in; str.format would let it read attributes of values."""
    if not fields:
        return text
    try:
        return FIELD.sub(lambda found: format(fields[found[1]], found[2] or ""), text)
    except (KeyError, ValueError, TypeError) as error:
        raise LibraryError(f"{text}: over: {error}") from error


def _from_addresses(
    source: dict, mirror: str | None, wanted: list[str], kept: Path, folder: Path
) -> list[tuple[Path, dict]]:
    """Get every file of a source from the first address that has it, or from `kept`."""
    files = files_of(source)
    obtained = []
    for count, file in enumerate(files, start=1):
        if len(files) > 1:
            log.info("%s: file %d of %d", file["name"], count, len(files))
        failures = []
        for address in [*_at_mirror(mirror, files, file), *file["addresses"]]:
            try:
                obtained.append(_from_address(file, address, wanted, kept, folder))
                break
            except LibraryError as error:
                failures.append(f"  {address}\n    {error}")
        else:
            raise LibraryError("\n".join(failures))
        for failure in failures:
            log.warning("another address was tried before:\n%s", failure)
    return obtained


def _at_mirror(mirror: str | None, files: list[dict], file: dict) -> list[str]:
    """The address of a file at the mirror, which may name the file itself or its folder."""
    if not mirror:
        return []
    if any(mirror.endswith("/" + other["name"]) for other in files):
        return [mirror] if mirror.endswith("/" + file["name"]) else []
    return [f"{mirror.rstrip('/')}/{file['name']}"]


def _from_address(
    file: dict, address: str, wanted: list[str], kept: Path, folder: Path
) -> tuple[Path, dict]:
    name = file["name"]
    if not _is_fetched(address):
        path = _inside(address)
        if path.is_dir():
            return _packed(path, wanted, folder)
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise LibraryError(f"{path} {what}; it is named in the entry, at `addresses`")
        check(path, file)
        return path, {"name": name, "from": address, "sha256": sha256(path)}
    # a file without a published checksum is kept under a checksum of its address
    before = kept / (file["sha256"] or hashlib.sha256(address.encode()).hexdigest())
    if before.is_file() and file["sha256"] in (None, sha256(before)):
        log.info("%s: kept from before in %s", name, before)
        return before, {"name": name, "from": str(before), "sha256": sha256(before)}
    log.info("fetching %s from %s", name, address)
    part = download(file, address, folder)
    _land(lambda beside: shutil.copyfile(part, beside), before)
    part.unlink()
    return before, {"name": name, "from": address, "sha256": sha256(before)}


def _inside(address: str) -> Path:
    """A path in an entry, which has to be below the run's folder: strangers write entries, too."""
    path = Path(address).expanduser()
    if not Path(os.path.abspath(path)).is_relative_to(Path.cwd()):
        raise LibraryError(
            f"{path} lies outside the folder of the run, where an entry may not look: write the "
            "last part of the path here, and give the whole path as LIBRARY_PATH or CUBE_PATH"
        )
    return path


def _from_copy(
    source: dict, path: Path, wanted: list[str], folder: Path, kind: str
) -> list[tuple[Path, dict]]:
    """The user's copy: a file with the source's name, or a folder with its files or members."""
    files = files_of(source)
    there = [path / file["name"] if path.is_dir() else path for file in files]
    if all(f.is_file() and f.name == file["name"] for f, file in zip(there, files, strict=True)):
        for copy, file in zip(there, files, strict=True):
            check(copy, file)
        return [
            (copy, {"name": copy.name, "from": str(copy), "sha256": sha256(copy)}) for copy in there
        ]
    names = [file["name"] for file in files]
    if path.is_file() and kind == "cube" and len(files) == 1 and files[0]["sha256"] is None:
        # the user says that this file is the cube, whatever its name is
        names = [PurePosixPath(pattern).name for pattern in source["members"]]
        if any(fnmatch.fnmatchcase(path.name, name) for name in names):
            return [(path, {"name": path.name, "from": str(path), "sha256": sha256(path)})]
    if not path.is_dir():
        raise LibraryError(f"  {path} is not {_shown(names)}")
    return [_packed(path, wanted, folder)]


def _unpacked(folder: Path, wanted: list[str]) -> list[tuple[Path, str]]:
    """Files of a folder with names of wanted members, and their paths in an archive."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    found: dict[Path, str] = {}
    for pattern in map(PurePosixPath, wanted):
        for file in files:
            if fnmatch.fnmatchcase(file.name, pattern.name):
                found.setdefault(file, str(pattern.parent / file.name))
    return list(found.items())


def _packed(path: Path, wanted: list[str], folder: Path) -> tuple[Path, dict]:
    """Pack the wanted files of the user's folder `path` into a tar in `folder`."""
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
    """Copy a single archive; pack other files, and wanted members of archives, into a tar."""
    if len(files) == 1 and archives.is_archive(files[0][0]):
        _land(lambda part: shutil.copyfile(files[0][0], part), target)
        return

    def pack(part: Path) -> None:
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
    """Leave out times and owners, so that equal files make equal archives."""
    plain = tarfile.TarInfo(info.name)
    plain.size = info.size
    return plain


def _land(write: Callable[[Path], object], target: Path) -> None:
    """Let `write` fill a file beside the target, then move it to its place in a single step."""
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=target.name + ".part-")
    os.close(handle)
    try:
        write(Path(part))
        os.chmod(part, 0o644)
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)
