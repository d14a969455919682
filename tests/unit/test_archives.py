"""Members of archives: what is read, and what is refused."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from libraries import LibraryError, archives


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
