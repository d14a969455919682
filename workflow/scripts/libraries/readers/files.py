"""Files of an archive, opened in memory."""

import gzip
import io
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from .. import LibraryError, archives

GZIP = b"\x1f\x8b"


def opened(path: Path, source: dict, patterns: list[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member, unzipped where it is gzipped."""
    largest = source["largest_member"]
    for name, content in archives.members(path, patterns, largest):
        yield name, _unzipped(name, content, largest) if content[:2] == GZIP else content


def one(path: Path, source: dict, pattern: str, key: str) -> tuple[str, bytes]:
    """The one member that a key of the library's entry names."""
    found = list(opened(path, source, [pattern]))
    if len(found) != 1:
        raise LibraryError(f"{key}: {len(found)} files of the library match '{pattern}', not one")
    return found[0]


def _unzipped(name: str, content: bytes, largest: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            content = file.read(largest + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise LibraryError(f"{name}: not a whole gzip file ({error})") from error
    if len(content) > largest:
        raise archives.too_large(name)
    return content


def fits_file(name: str, content: bytes) -> fits.HDUList:
    """A FITS file, read whole and its checksums, where it has any, verified."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyUserWarning)  # a wrong checksum only warns
            hdus = fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=False, checksum=True)
            for hdu in hdus:
                hdu.data  # noqa: B018  read now, so that a cut-off file fails here
            return hdus
    except (OSError, ValueError, TypeError, Warning) as error:
        raise LibraryError(f"{name}: not a whole FITS file ({error})") from error


def extension(name: str, hdus: fits.HDUList, key: int | str, kind: type):
    """The extension by number or name; a LibraryError names those there are."""
    hdu = hdus[key] if (key < len(hdus) if isinstance(key, int) else key in hdus) else None
    if isinstance(hdu, kind) and hdu.data is not None:
        return hdu
    there = ", ".join(f"{i} {hdu.name} ({type(hdu).__name__})" for i, hdu in enumerate(hdus))
    what = "table" if kind is TABLE else "image"
    raise LibraryError(f"{name}: no {what} in extension {key!r}; there are {there}")


TABLE = fits.BinTableHDU | fits.TableHDU
IMAGE = fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU
