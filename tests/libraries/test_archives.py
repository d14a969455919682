"""Members of archives: what is read, and what is refused."""

import contextlib
import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import archives


def tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def link(name, to, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (tarfile.TarInfo("../out.fits"), "outside"),
        (tarfile.TarInfo("/etc/out.fits"), "outside"),
        (link("a.fits", "/etc/passwd", tarfile.SYMTYPE), "link"),
        (link("a.fits", "b.fits", tarfile.LNKTYPE), "link"),
    ],
)
def test_archives_that_reach_out_are_refused(tmp_path, member, message):
    path = tar(tmp_path / "bad.tgz", (member, b""))
    with pytest.raises(LibraryError, match=message):
        list(archives.members(path, ["*"]))


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("a.fits")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(LibraryError, match=r"z\.zip: member 'a\.fits' is a link; not read: pack"):
        list(archives.members(tmp_path / "z.zip", ["*"]))


def test_size_limits(tmp_path):
    path = tar(tmp_path / "bomb.tgz", (tarfile.TarInfo("a.fits"), bytes(10_000)))
    with pytest.raises(LibraryError, match=r"a\.fits.*size limit.*largest_member"):
        list(archives.members(path, ["*"], largest=9_999))
    assert len(list(archives.members(path, ["*"], largest=10_000))) == 1


def test_cut_off_archive(tmp_path):
    content = np.random.default_rng(0).bytes(50_000)
    path = tar(tmp_path / "cut.tgz", (tarfile.TarInfo("a.fits"), content))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(LibraryError, match=r"cut\.tgz: not a whole"):
        list(archives.members(path, ["*"]))


def test_zip_and_folder_give_the_same(tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.fits").write_bytes(b"one")
    (folder / "b.txt").write_bytes(b"two")
    with zipfile.ZipFile(tmp_path / "z.whl", "w") as archive:
        archive.write(folder / "deep" / "a.fits", "deep/a.fits")
        archive.write(folder / "b.txt", "b.txt")
    for path in (folder, tmp_path / "z.whl"):
        assert list(archives.members(path, ["*.fits"])) == [("a.fits", b"one")]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("a.fits", 1), ("deep/a.fits", 1), ("*.fits", 1), ("eep/a.fits", 0), ("other/a.fits", 0)],
)
def test_a_pattern_is_of_the_end_of_the_path(tmp_path, pattern, found):
    (tmp_path / "very" / "deep").mkdir(parents=True)
    (tmp_path / "very" / "deep" / "a.fits").write_bytes(b"one")
    assert len(list(archives.members(tmp_path, [pattern]))) == found


def packed(path, kind):
    """Four files in an archive of a kind, without a checksum of the whole."""
    rng = np.random.default_rng(1)
    files = {f"s{i}.txt": rng.integers(48, 58, 700, dtype=np.uint8).tobytes() for i in range(4)}
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, f"w:{kind}") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return files


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip"])
def test_a_flipped_bit_is_an_error_or_changes_nothing(tmp_path, kind):
    path = tmp_path / "stars"
    files = packed(path, kind)
    assert dict(archives.members(path, ["*"])) == files
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    errors = 0
    for bit in rng.choice(8 * len(whole), 300, replace=False):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            assert dict(archives.members(path, ["*"])) == files, bit
        except LibraryError:
            errors += 1
    assert errors > 200


def test_a_damaged_header_does_not_end_a_tar(tmp_path):
    path = tmp_path / "stars.tar"
    files = packed(path, "")
    whole = path.read_bytes()
    for header in (b"s0.txt", b"s2.txt", b"s3.txt"):
        path.write_bytes(whole.replace(header, b"t" + header[1:]))
        with pytest.raises(LibraryError, match=r"stars\.tar: not a whole tar"):
            list(archives.members(path, ["*"]))
    path.write_bytes(whole[: whole.index(b"s3.txt")])  # cut between two members
    with pytest.raises(LibraryError, match=r"stars\.tar: not a whole tar"):
        list(archives.members(path, ["*"]))
    path.write_bytes(whole)
    assert len(list(archives.members(path, ["*"]))) == len(files)


@pytest.mark.parametrize(
    ("method", "flags", "message"),
    [
        (0, 1, "is encrypted"),
        (8, 1, "is encrypted"),
        (97, 0, "not packed by deflate"),
        (14, 0, "not packed by deflate"),  # lzma, of what is none
        (12, 0, "not packed by deflate"),  # bzip2, which zipfile unpacks without a limit
        (9, 0, "not packed by deflate"),
    ],
)
def test_zips_that_cannot_be_unpacked(tmp_path, method, flags, message):
    path = tmp_path / "stars.zip"
    packed(path, "zip")
    content = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(signature) + at
        content[start : start + 4] = bytes([flags, 0, method, 0])
    path.write_bytes(content)
    with pytest.raises(LibraryError, match=rf"stars\.zip: member 's0\.txt' .*{message}"):
        list(archives.members(path, ["*"]))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("look", [archives.is_archive, lambda path: [*archives.members(path, "*")]])
def test_a_header_that_unpacks_to_much_is_not_read(tmp_path, kind, look):
    info = tarfile.TarInfo("header")
    info.type = kind
    path = tar(tmp_path / "bomb.tgz", (info, bytes(2**26)), (tarfile.TarInfo("a.fits"), b"1"))
    assert path.stat().st_size < 2**17
    tracemalloc.start()
    try:
        with contextlib.suppress(LibraryError):
            assert not look(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    with pytest.raises(LibraryError, match=r"bomb\.tgz: .*a header of more than"):
        list(archives.members(path, ["*"]))


def test_a_tar_that_goes_on_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_PASSED", 2**21)
    path = tar(tmp_path / "long.tgz", (tarfile.TarInfo("a.fits"), b"1"))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(2**22)))
    with pytest.raises(LibraryError, match=r"long\.tgz: more than 2097152 B, unpacked"):
        list(archives.members(path, ["*"]))
    path = tar(tmp_path / "large.tgz", (tarfile.TarInfo("a.fits"), bytes(2**22)))
    with pytest.raises(LibraryError, match=r"large\.tgz: more than 2097152 B, unpacked"):
        list(archives.members(path, ["*.txt"]))


def test_a_header_that_leads_backwards_is_an_error(tmp_path):
    """Its member would begin before it, for ever."""
    info = tarfile.TarInfo("a.fits")
    info.pax_headers = {"size": "-1024"}
    path = tmp_path / "loop.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with pytest.raises(LibraryError, match=r"loop\.tar: not a whole tar"):
        list(archives.members(path, ["*.txt"]))


def test_folders_in_an_archive_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 50)
    folders = [tarfile.TarInfo(f"d{i}") for i in range(60)]
    for folder in folders:
        folder.type = tarfile.DIRTYPE
    path = tar(tmp_path / "folders.tgz", *((folder, b"") for folder in folders))
    with pytest.raises(LibraryError, match=r"folders\.tgz: more than 50 members"):
        list(archives.members(path, ["*"]))


def test_files_are_copied_piece_by_piece_and_by_their_names_alone(tmp_path):
    content = bytes(range(256)) * 5000  # of several pieces
    packed = tar(tmp_path / "a.tgz", (tarfile.TarInfo("deep/er/a.bin"), content))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other/a.bin", content)
        archive.writestr("other/b.txt", b"no")
    (tmp_path / "folder/x").mkdir(parents=True)
    (tmp_path / "folder/x/a.bin").write_bytes(content)
    for i, source in enumerate((packed, tmp_path / "a.zip", tmp_path / "folder")):
        out = tmp_path / f"out{i}"
        out.mkdir()
        assert archives.extract(source, ["*.bin"], 2**21, out) == [out / "a.bin"]
        assert (out / "a.bin").read_bytes() == content
        with pytest.raises(LibraryError, match="passes the size limit"):
            archives.extract(source, ["*.bin"], 1000, tmp_path / "none")


def test_two_files_of_one_name_are_not_copied(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / "two" / folder).mkdir(parents=True)
        (tmp_path / "two" / folder / "x.fits").write_bytes(b"1")
    (tmp_path / "out").mkdir()
    with pytest.raises(LibraryError, match=r"two files match, both named x\.fits"):
        archives.extract(tmp_path / "two", ["*.fits"], 100, tmp_path / "out")
