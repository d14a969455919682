"""Reading, labelling, gridding and fetching: what is right, and what is refused."""

import io
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from libraries import LibraryError, archives, parameters, readers, selection


@pytest.mark.parametrize(
    ("text", "number", "luminosity"),
    [
        ("spectral type: A5V", 25, "V"),
        ("G2V", 42, "V"),
        ("K7V", 57, "V"),
        ("B57V", 16, "V"),
        ("F02IV", 31, "IV"),
        ("M2.5V", 62.5, "V"),
        ("M10III", 70, "III"),
        ("K34II", 53.5, "II"),
        ("O8I", 8, "I"),
        ("B9.9", 19.9, None),
    ],
)
def test_spectral_types(text, number, luminosity):
    assert parameters.spectral_type(text) == (number, luminosity)


def test_no_spectral_type_is_an_error():
    with pytest.raises(LibraryError, match="'white dwarf'"):
        parameters.spectral_type("white dwarf")


def test_first_class_that_matches_wins():
    frame = pd.DataFrame({"teff": [3500, 3500, 5000, 6400], "log_g": [1.0, 5.0, 2.0, 4.0]})
    classes = {
        "giant": {"where": {"teff": {"max": 4000}, "log_g": {"max": 3}}},
        "cool": {"where": {"teff": {"max": 6000}}},
    }
    found = parameters.classify(frame, classes).fillna("none")
    assert found.tolist() == ["giant", "cool", "cool", "none"]


def test_unknown_parameter_in_a_class_is_named():
    frame = pd.DataFrame({"file": ["a"], "teff": [5000]})
    with pytest.raises(LibraryError, match=r"classes\.sun\.where\.tef: .* teff"):
        parameters.classify(frame, {"sun": {"where": {"tef": {"min": 1}}}})


def test_too_few_members_are_counted():
    frame = pd.DataFrame({"file": list("abc"), "class": ["x", "x", "y"], "teff": [1, 2, 3]})
    with pytest.raises(LibraryError, match="y has 1"):
        selection.evenly_spaced(frame, ["x", "y"], 2, ["teff"])


def test_rebinning_keeps_the_integral():
    rng = np.random.default_rng(0)
    fine = np.arange(1000.0, 2000.0, 1.0)
    spectrum = readers.Spectrum("s", fine, rng.random(len(fine)), {})
    grid = {"start": 1102.0, "stop": 1897.0, "step": 5.0}  # edges at 1099.5, 1104.5, ...
    wavelength, flux = selection.common_grid([spectrum], grid)
    expected = spectrum.flux[100:900].reshape(-1, 5).mean(axis=1)
    np.testing.assert_allclose(wavelength, np.arange(1102.0, 1900.0, 5.0))
    np.testing.assert_allclose(flux[0], expected, rtol=1e-10)


def test_no_extrapolation():
    spectrum = readers.Spectrum("short.fits", np.arange(1000.0, 2000.0), np.ones(1000), {})
    with pytest.raises(LibraryError, match=r"short\.fits: covers 999\.5 to 1999\.5"):
        selection.common_grid([spectrum], {"start": 900.0, "stop": 1500.0, "step": 1.0})


@pytest.mark.parametrize(
    ("flux", "message"),
    [([1.0, np.nan], "NaN"), ([0.0, 0.0], "no flux"), ([-1.0, -2.0], "no flux")],
)
def test_unusable_flux_is_named(flux, message):
    with pytest.raises(LibraryError, match=rf"bad\.fits: .*{message}"):
        selection.normalised(np.array([flux]), ["bad.fits"])


def test_clipping_is_counted():
    flux, peak, clipped = selection.normalised(np.array([[-1.0, 2.0, 4.0]]), ["s"])
    assert flux.tolist() == [[0.0, 0.5, 1.0]]
    assert (peak.tolist(), clipped.tolist()) == ([4.0], [1])


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


def test_size_limits(tmp_path, monkeypatch):
    path = tar(tmp_path / "bomb.tgz", (tarfile.TarInfo("a.fits"), bytes(10_000)))
    monkeypatch.setattr(archives, "MAX_MEMBER", 9_999)
    with pytest.raises(LibraryError, match="size limit"):
        list(archives.members(path, ["*"]))


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


def test_log_axis_read_as_linear_is_an_error(tmp_path):
    hdu = fits.PrimaryHDU(np.ones(20, dtype="f4"))
    hdu.header.update(CRVAL1=3.1, CDELT1=0.01, CRPIX1=1)
    hdu.writeto(tmp_path / "log.fits")
    source = {"reader": "fits_image", "members": ["*.fits"], "axis": "linear"}
    with pytest.raises(LibraryError, match=r"log\.fits: .* not plausible"):
        list(readers.read(tmp_path, source))
    (spectrum,) = readers.read(tmp_path, source | {"axis": "log10"})
    np.testing.assert_allclose(spectrum.wavelength[[0, 10]], [10**3.1, 10**3.2])


def test_truncated_fits_is_named(tmp_path):
    fits.PrimaryHDU(np.ones(5000)).writeto(tmp_path / "cut.fits")
    content = (tmp_path / "cut.fits").read_bytes()
    (tmp_path / "cut.fits").write_bytes(content[:6000])
    source = {"reader": "fits_image", "members": ["*.fits"], "axis": "log10"}
    with pytest.raises(LibraryError, match=r"cut\.fits: not a whole FITS file"):
        list(readers.read(tmp_path, source))


def test_a_flipped_bit_is_an_error_where_the_file_has_a_checksum(tmp_path):
    hdu = fits.PrimaryHDU(np.ones(720))
    hdu.header.update(CRVAL1=3.1, CDELT1=0.001)
    hdu.writeto(tmp_path / "flipped.fits", checksum=True)
    content = bytearray((tmp_path / "flipped.fits").read_bytes())
    content[-1000] ^= 1
    (tmp_path / "flipped.fits").write_bytes(content)
    source = {"reader": "fits_image", "members": ["*.fits"], "axis": "log10"}
    with pytest.raises(LibraryError, match=r"flipped\.fits: .*[Cc]hecksum"):
        list(readers.read(tmp_path, source))


def test_junk_rds_is_an_error(tmp_path):
    (tmp_path / "junk.rds").write_bytes(b"not an R file")
    with pytest.raises(LibraryError, match=r"junk\.rds: not the subset's R list"):
        list(readers.read(tmp_path / "junk.rds", {"reader": "rds_subset"}))
