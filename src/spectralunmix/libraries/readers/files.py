"""Opens files of an archive in memory."""

import collections
import contextlib
import io
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from .. import LibraryError, archives

KINDS = {
    "table": (fits.BinTableHDU, fits.TableHDU),
    "image": (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU),
}
Extension: TypeAlias = (
    fits.BinTableHDU | fits.TableHDU | fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU
)
COMPRESSIONS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")


@contextlib.contextmanager
def taken_for(name: str, what: str) -> Iterator[None]:
    """Turn any error of a parser into a LibraryError, which says that the file is not `what`.

    Parsers of binary formats raise errors of any kind where a file is damaged.
    """
    try:
        yield
    except LibraryError:
        raise
    except Exception as error:
        text = str(error) if isinstance(error, OSError | ValueError | Warning) else repr(error)
        raise LibraryError(f"{name}: not {what} ({text})") from error


def opened(path: Path, source: dict, patterns: list[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member, unpacked where it is compressed."""
    largest = source["largest_member"]
    for name, content in archives.members(path, patterns, largest):
        yield name, _unpacked(name, content, largest)


def one(path: Path, source: dict, pattern: str, key: str) -> tuple[str, bytes]:
    """The single member that a key of the library's entry names."""
    members = list(opened(path, source, [pattern]))
    if len(members) != 1:
        raise LibraryError(f"{key}: {len(members)} files of the library match '{pattern}', not one")
    return members[0]


def _unpacked(name: str, content: bytes, largest: int) -> bytes:
    packed = io.BytesIO(content)
    file = archives.uncompressed(packed)
    if file is packed:
        return content
    with taken_for(name, f"a whole {type(file).__module__} file"):
        content = file.read(largest + 1)
    if len(content) > largest:
        raise archives.too_large(name)
    return content


def fits_file(name: str, content: bytes, largest: int = archives.MAX_MEMBER) -> fits.HDUList:
    """Read a whole FITS file, and verify its checksums, if it has any.

    largest : largest size of an unpacked image, in bytes
    """
    with taken_for(name, "a whole FITS file"), warnings.catch_warnings():
        warnings.simplefilter("error", AstropyUserWarning)  # a wrong checksum only warns
        warnings.simplefilter("ignore", VerifyWarning)  # of cards that nobody may ask for
        warnings.filterwarnings("ignore", "non-ASCII characters are present")
        with fits.open(io.BytesIO(content), disable_image_compression=True) as plain:
            for hdu in plain:
                _check_size(name, hdu.name, hdu.size, len(content))
                if isinstance(hdu, fits.BinTableHDU) and hdu.header.get("ZIMAGE"):
                    _check_compressed(name, hdu, largest)
        hdus = fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=False, checksum=True)
        for hdu in hdus:
            hdu.data  # noqa: B018  read now, so that a cut-off file fails here
        return hdus


def _check_size(name: str, extension: str, declared: int, limit: int) -> None:
    if not 0 <= declared <= limit:
        raise LibraryError(
            f"{name}: not a whole FITS file (extension {extension or 0} says that it has "
            f"{declared} B; {limit} are the most)"
        )


def _check_compressed(name: str, table: fits.BinTableHDU, largest: int) -> None:
    """Limit the unpacked size of a compressed image, because some codecs write past it."""
    header = table.header
    if header["ZCMPTYPE"] not in COMPRESSIONS:
        raise LibraryError(
            f"{name}: not a FITS image that is read: its compression is {header['ZCMPTYPE']}, "
            f"not one of {', '.join(COMPRESSIONS)}"
        )
    shape = [header[f"ZNAXIS{i}"] for i in range(1, header["ZNAXIS"] + 1)]
    declared = math.prod(shape) * abs(header["ZBITPIX"]) // 8
    _check_size(name, table.name, declared, largest)
    unpacked = 0
    for column in {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA"} & {*table.columns.names}:
        for tile in table.data[column]:
            packed = io.BytesIO(np.asarray(tile).tobytes())
            file = archives.uncompressed(packed)
            if file is not packed:
                unpacked += len(file.read(largest + 1))
                _check_size(name, table.name, unpacked, 2 * largest)


class Cards(collections.UserDict[str, Any]):
    """Values of the cards of a FITS header; a damaged card is an error only when it is used.

    name : name of the file, for the error
    """

    def __init__(self, name: str, header: fits.Header) -> None:
        super().__init__()
        self.name = name
        self.damaged: dict[str, Exception] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)
            for keyword in header:
                try:
                    value = header[keyword]
                except Exception as error:  # the parser's, or what it is led to
                    self.damaged[keyword] = error
                    continue
                if not isinstance(value, fits.card.Undefined):
                    self[keyword] = value

    def __contains__(self, keyword: object) -> bool:
        return keyword in self.data or keyword in self.damaged

    def __missing__(self, keyword: str) -> NoReturn:
        if keyword in self.damaged:
            raise LibraryError(f"{self.name}: {self.damaged[keyword]}")
        raise KeyError(keyword)


def extension(name: str, hdus: fits.HDUList, key: int | str, kind: str) -> Extension:
    """The table or image in an extension; where there is none, a LibraryError lists the others."""
    hdu = hdus[key] if (key < len(hdus) if isinstance(key, int) else key in hdus) else None
    if isinstance(hdu, KINDS[kind]) and hdu.data is not None:
        return hdu
    there = ", ".join(f"{i} {hdu.name} ({type(hdu).__name__})" for i, hdu in enumerate(hdus))
    raise LibraryError(f"{name}: no {kind} in extension {key!r}; there are {there}")
