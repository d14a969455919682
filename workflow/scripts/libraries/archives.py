"""Members of an archive or folder, read into memory and never extracted."""

import contextlib
import fnmatch
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from . import LibraryError

MAX_MEMBER = 64 * 2**20  # bytes, unpacked, where a library's entry does not say more
MAX_TOTAL = 16 * 2**30
MAX_MEMBERS = 200_000


def members(
    path: Path, patterns: list[str], largest: int = MAX_MEMBER
) -> Iterator[tuple[str, bytes]]:
    """Name (last part) and content of every regular file that matches one of `patterns`.

    path : a tar (compressed or not), a zip (a wheel is one) or a folder
    patterns : shell patterns of the end of the path inside the archive: of the name, or of
        folders and name
    largest : bytes that a member may have

    Raises LibraryError for anything else, for links, for a name that leads
    outside, and where a cap on size or number is passed.
    """
    for name, _, read in matching(path, patterns, largest):
        yield PurePosixPath(name).name, read()


def matching(path: Path, patterns: list[str], largest: int = MAX_MEMBER):
    """As above with the whole path, the size, and a function that reads the content."""
    with _named(path):
        yield from _matching(path, patterns, largest)


@contextlib.contextmanager
def _named(path: Path):
    """What goes wrong with an archive as a LibraryError that names it."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise LibraryError(f"{path}: not a whole tar or zip archive ({error})") from error


def is_archive(path: Path) -> bool:
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def too_large(name: str) -> LibraryError:
    return LibraryError(
        f"{name}: passes the size limit; not read. Where it is right, raise largest_member in the "
        "library's entry"
    )


def _matching(path: Path, patterns: list[str], largest: int):
    total = 0
    for count, (name, size, read) in enumerate(_listing(path), start=1):
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise LibraryError(f"{path}: member '{name}' points outside the archive; not read")
        if count > MAX_MEMBERS:
            raise LibraryError(f"{path}: more than {MAX_MEMBERS} members; not read further")
        if not any(fnmatch.fnmatchcase(f"/{name}", f"*/{pattern}") for pattern in patterns):
            continue
        total += size
        if size > largest or total > MAX_TOTAL:
            raise too_large(f"{path}: member '{name}'")
        yield name, size, lambda name=name, size=size, read=read: _whole(path, name, size, read)


def _whole(path: Path, name: str, size: int, read) -> bytes:
    with _named(path):
        content = read()
    if len(content) != size:
        raise LibraryError(f"{path}: member '{name}' is cut off ({len(content)} of {size} B)")
    return content


def _listing(path: Path):
    """Name, unpacked size and reader of each regular file."""
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            yield file.relative_to(path).as_posix(), file.stat().st_size, file.read_bytes
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    # read one byte past the declared size at most: the header may lie
                    yield (
                        info.filename,
                        info.file_size,
                        lambda i=info: _head(archive.open(i), i.file_size),
                    )
    else:
        with tarfile.open(path) as archive:
            for info in archive:
                if info.issym() or info.islnk():
                    raise LibraryError(f"{path}: member '{info.name}' is a link; not read")
                if info.isreg():
                    yield info.name, info.size, archive.extractfile(info).read


def _head(file, size: int) -> bytes:
    with file:
        return file.read(size + 1)
