"""Reads members of an archive or a folder into memory, or copies them to a folder."""

import bz2
import contextlib
import fnmatch
import functools
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from . import LibraryError

MAX_MEMBER = 64 * 2**20  # bytes, unpacked, unless the entry of the library allows more
MAX_TOTAL = 16 * 2**30
MAX_MEMBERS = 200_000
MAX_HEADER = 2**20  # bytes of all headers of a member in a tar
MAX_PASSED = 64 * 2**30  # bytes of an unpacked tar that are read or skipped
CHUNK = 2**18


class Readable(Protocol):
    """An open file, as far as it is used here."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, position: int, /) -> int: ...
    def tell(self) -> int: ...


Read = Callable[[], bytes]
Open = Callable[[], BinaryIO]
COMPRESSED: dict[bytes, Callable[[BinaryIO], Readable]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def members(
    path: Path, patterns: list[str], largest: int = MAX_MEMBER
) -> Iterator[tuple[str, bytes]]:
    """Name (last part) and content of every regular file that matches one of `patterns`.

    path : a tar (compressed or not), a zip (a wheel is one) or a folder
    patterns : shell patterns of the end of the path inside the archive: of the name, or of
        folders and name
    largest : bytes that a member may have

    Raises LibraryError for anything else, for links in an archive, for a name that leads
    outside, and where a cap on size or number is passed.  A checksum at the end of a
    compressed tar is verified after the last member.
    """
    for name, _, read in matching(path, patterns, largest):
        yield PurePosixPath(name).name, read()


def matching(
    path: Path, patterns: list[str], largest: int = MAX_MEMBER
) -> Iterator[tuple[str, int, Read]]:
    """The whole path of each member that fits, its size, and what reads its content."""
    with _named(path):
        for name, size, opened in _matching(path, patterns, largest):
            yield name, size, functools.partial(_whole, path, name, size, opened)


def extract(path: Path, patterns: list[str], largest: int, folder: Path) -> list[Path]:
    """Copy every file that matches one of `patterns` to a folder, under its name without folders.

    Files are copied in chunks, to spare memory. Raises LibraryError like `members`, and where two
    files have the same name.
    """
    made = []
    with _named(path):
        for name, size, opened in _matching(path, patterns, largest):
            copy = folder / PurePosixPath(name).name
            if copy.exists():
                raise LibraryError(f"{path}: two files match, both named {copy.name}; not read")
            with opened() as member, open(copy, "wb") as file:
                left = size
                while left and (part := member.read(min(left, CHUNK))):
                    file.write(part)
                    left -= len(part)
                if left or member.read(1):
                    raise _of_another_size(path, name, size)
            made.append(copy)
    return made


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn any error in reading an archive into a LibraryError that names it."""
    try:
        yield
    except LibraryError:
        raise
    except Exception as error:  # tarfile and zipfile raise whatever the bytes lead them to
        raise LibraryError(f"{path}: not a whole tar or zip archive ({error})") from error


def is_archive(path: Path) -> bool:
    if zipfile.is_zipfile(path):
        return True
    try:
        with open(path, "rb") as file:
            _opened(_Tar(path, uncompressed(file)))
    except LibraryError:
        raise
    except Exception:  # whatever bytes that are no tar lead to
        return False
    return True


def uncompressed(file: BinaryIO) -> Readable:
    """The file, or what it unpacks to where it is compressed with gzip, bzip2 or xz."""
    head = file.read(6)
    file.seek(0)
    return next((opened(file) for m, opened in COMPRESSED.items() if head.startswith(m)), file)


def too_large(name: str) -> LibraryError:
    return LibraryError(
        f"{name}: passes the size limit; not read. Where it is right, raise largest_member in its "
        "entry"
    )


def _matching(path: Path, patterns: list[str], largest: int) -> Iterator[tuple[str, int, Open]]:
    total = 0
    for count, (name, size, opened) in enumerate(_listing(path), start=1):
        if count > MAX_MEMBERS:
            raise LibraryError(f"{path}: more than {MAX_MEMBERS} members; not read further")
        if opened is None:
            continue
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise LibraryError(f"{path}: member '{name}' points outside the archive; not read")
        if not any(fnmatch.fnmatchcase(f"/{name}", f"*/{pattern}") for pattern in patterns):
            continue
        total += size
        if size > largest or total > max(MAX_TOTAL, largest):
            raise too_large(f"{path}: member '{name}'")
        yield name, size, opened


def _whole(path: Path, name: str, size: int, opened: Open) -> bytes:
    with _named(path), opened() as file:
        content = file.read(size + 1)  # the declared size may be wrong: a further byte shows it
    if len(content) != size:
        raise _of_another_size(path, name, size)
    return content


def _of_another_size(path: Path, name: str, size: int) -> LibraryError:
    return LibraryError(f"{path}: member '{name}' is cut off, or longer than the {size} B it says")


def _listing(path: Path) -> Iterator[tuple[str, int, Open | None]]:
    """Name, unpacked size and what opens each member; None where it is no file."""
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            yield file.relative_to(path).as_posix(), file.stat().st_size, _opens(file)
    elif zipfile.is_zipfile(path):
        yield from _in_zip(path)
    else:
        yield from _in_tar(path)


def _in_zip(path: Path) -> Iterator[tuple[str, int, Open | None]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.flag_bits & 1:
                raise LibraryError(f"{path}: member '{info.filename}' is encrypted; not read")
            if info.compress_type not in ZIP_METHODS:
                raise LibraryError(
                    f"{path}: member '{info.filename}' is not packed by deflate, as zip archives "
                    "commonly are; not read: pack it anew"
                )
            if stat.S_ISLNK(info.external_attr >> 16):
                raise _is_link(path, info.filename)
            archive.open(info).close()  # an error where its own header has another name
            opened = None if info.is_dir() else functools.partial(archive.open, info)
            yield info.filename, info.file_size, opened  # type: ignore[misc]  # opens bytes


def _is_link(path: Path, name: str) -> LibraryError:
    return LibraryError(f"{path}: member '{name}' is a link; not read: pack the file itself")


class _Tar:
    """The bytes of a tar, read forward alone, and of each member's header no more than a cap."""

    def __init__(self, path: Path, file: Readable) -> None:
        self.path, self.file, self.last = path, file, b""
        self.left: float = MAX_HEADER  # bytes that may be read

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, position: int) -> None:
        if position < self.tell():
            raise tarfile.ReadError("a header that leads backwards")
        self._check(position)
        self.file.seek(position)

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"a header of more than {MAX_HEADER} B")
        self._check(self.tell() + size)
        self.last = self.file.read(size)
        return self.last

    def _check(self, position: int) -> None:
        if position > MAX_PASSED:
            raise LibraryError(f"{self.path}: more than {MAX_PASSED} B, unpacked; not read further")


def _opened(file: _Tar) -> tarfile.TarFile:
    return tarfile.TarFile(fileobj=file)  # type: ignore[arg-type]  # to read needs no more


def _opens(file: Path) -> Open:
    return lambda: open(file, "rb")


def _extracted(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    file = archive.extractfile(info)
    assert file is not None  # of a regular file
    return file  # type: ignore[return-value]  # reads, which is all that is asked of it


def _in_tar(path: Path) -> Iterator[tuple[str, int, Open | None]]:
    with open(path, "rb") as file:
        stream = _Tar(path, uncompressed(file))
        archive = _opened(stream)
        info = archive.next()
        while info is not None:
            if info.issym() or info.islnk():
                raise _is_link(path, info.name)
            stream.left = float("inf")
            opened = functools.partial(_extracted, archive, info) if info.isreg() else None
            yield info.name, info.size, opened
            stream.left = MAX_HEADER
            # what tarfile keeps of members gone by would grow with their number
            archive.members.clear()  # type: ignore[attr-defined]  # of every Python's TarFile
            archive.pax_headers = {}
            info = archive.next()
        # tarfile takes a damaged header for the end, and leaves a checksum behind it unread
        if stream.last.count(0) != tarfile.BLOCKSIZE:
            raise tarfile.ReadError("it does not end as a tar does")
        stream.left = float("inf")
        while stream.read(CHUNK):
            pass
