"""Spectra of Zarr stores and FITS files as Dask arrays, and `spectralunmix fit` of them."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mixtures import spectra
from spectralunmix import cli, dask_from_fits, smooth_nmf
from two_processes import local_cluster

zarr = pytest.importorskip("zarr")


def write_fits(path, X, name="FLUX", **others):
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(X, name=name)]
    hdus += [fits.ImageHDU(Z, name=key) for key, Z in others.items()]
    fits.HDUList(hdus).writeto(path)
    return path


def write_zarr(path, **arrays):
    group = zarr.open_group(path, mode="w")
    for name, Z in arrays.items():
        of = group.create_array(name, data=Z, chunks=(min(100, Z.shape[0]), *Z.shape[1:]))
        if name == "wavelength":
            of.attrs["unit"] = "Angstrom"
    return path


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "i4"])
def test_images_of_several_files_are_read_in_chunks(tmp_path, dtype):
    X = (100 * spectra()[0]).astype(dtype)
    paths = [write_fits(tmp_path / f"{i}.fits", part) for i, part in enumerate((X[:110], X[110:]))]
    found = dask_from_fits(paths, "FLUX", chunk_bytes=50 * 120 * 8)
    assert found.dtype == ("f4" if dtype in ("f4", "i2") else "f8")
    assert max(found.chunks[0]) <= 100
    assert sum(found.chunks[0][:3]) == 110 or sum(found.chunks[0][:2]) == 110
    np.testing.assert_array_equal(found.compute(), X)
    assert found[:3].compute().dtype.isnative


def test_scaled_integers_are_read_as_what_they_mean(tmp_path):
    X = spectra()[0]
    hdu = fits.ImageHDU(X.copy(), name="FLUX")
    hdu.scale("int32", bscale=1e-6, bzero=0)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(dask_from_fits(tmp_path / "a.fits", 1).compute(), X, atol=1e-6)


def test_columns_of_tables(tmp_path):
    X = spectra()[0].astype("f4")
    Table({"ID": np.arange(300), "FLUX": X}).write(tmp_path / "a.fits")
    found = dask_from_fits(tmp_path / "a.fits", 1, "FLUX", chunk_bytes=40000)
    assert len(found.chunks[0]) > 2
    np.testing.assert_array_equal(found.compute(), X)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("IVAR",), "no extension IVAR; there are 0 PRIMARY, 1 FLUX"),
        ((0,), r"is of shape \(\)"),
        (("FLUX", "X"), "is no table with a column X"),
    ],
)
def test_a_file_without_such_spectra_is_named(tmp_path, arguments, said):
    path = write_fits(tmp_path / "a.fits", spectra()[0])
    with pytest.raises(ValueError, match=said) as caught:
        dask_from_fits(path, *arguments)
    assert str(path) in str(caught.value)


def test_files_with_other_channels_are_named(tmp_path):
    X = spectra()[0]
    paths = [write_fits(tmp_path / "a.fits", X), write_fits(tmp_path / "b.fits", X[:, 1:])]
    with pytest.raises(ValueError, match=r"b.fits: 119 channels, .*a.fits has 120"):
        dask_from_fits(paths, 1)
    with pytest.raises(ValueError, match="at least one file"):
        dask_from_fits([])


@pytest.fixture(scope="module")
def address():
    with local_cluster(2) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def survey(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, V = spectra()
    X[3, 5] = np.nan
    wavelength = np.linspace(4000, 8000, 120)
    write_zarr("survey.zarr", flux=X, inverse_variance=V + 0.1, wavelength=wavelength)
    write_fits("survey.fits", X, INVERSE_VARIANCE=V + 0.1, WAVELENGTH=wavelength)
    (tmp_path / "there").mkdir()
    return X, V + 0.1


def run(capfd, *arguments):
    """Exit status, and what was printed."""
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["spectralunmix", "fit", *arguments])
        try:
            cli.main()
        except SystemExit as end:
            print(end.code)
            code = 1
    return code, "".join(capfd.readouterr())


@pytest.mark.parametrize("file", ["survey.zarr", "survey.fits"])
@pytest.mark.parametrize("on_cluster", [False, True])
def test_the_command_fits_where_the_spectra_are(survey, address, capfd, tmp_path, file, on_cluster):
    X, V = survey
    extra = ["--hdu", "FLUX"] if file.endswith("fits") else []
    extra += ["--scheduler", address] if on_cluster else []
    code, printed = run(capfd, file, "-k", "3", "--mask-nan", "-o", "found", *extra)
    assert code == 0, printed
    expected = smooth_nmf(np.nan_to_num(X), 3, inverse_variance=np.where(np.isnan(X), 0, V))
    table = Table.read("found/components.ecsv")
    assert table["wavelength"][0] == 4000
    H = np.array([table[name] for name in table.colnames[1:]])
    np.testing.assert_allclose(H, expected.components, atol=1e-9)
    large = on_cluster or file.endswith("zarr")
    if large:
        W = fits.getdata("found/weights.fits")
        np.testing.assert_allclose(W, expected.weights, atol=1e-9 * expected.weights.max())
    said = json.loads((tmp_path / "found/fit.json").read_text())
    assert said["objective"] == pytest.approx(expected.objective[-1], rel=1e-9)
    assert said["n_spectra"] == 300
    assert (tmp_path / "found/components.png").stat().st_size > 10000
    assert not list(tmp_path.glob("*checkpoint*"))


def test_a_store_that_is_one_array(survey, capfd):
    zarr.save("one.zarr", np.nan_to_num(survey[0]))
    code, printed = run(capfd, "one.zarr", "-k", "2", "-o", "found")
    assert code == 0, printed


def test_a_fit_goes_on_from_the_components_of_another(survey, capfd, tmp_path):
    arguments = "survey.zarr", "-k", "3", "--mask-nan"
    assert run(capfd, *arguments, "-o", "first")[0] == 0
    table = Table.read("first/components.ecsv")
    np.save("kept.npy", [[table[name] for name in table.colnames[1:]]])
    for start in ("first/components.ecsv", "kept.npy"):
        code, printed = run(capfd, *arguments, "-o", "second", "--init", start)
        assert code == 0, printed
        found = [
            json.loads((tmp_path / f"{of}/fit.json").read_text()) for of in ("first", "second")
        ]
        assert found[1]["n_iter"] <= 1
        assert found[1]["objective"] == pytest.approx(found[0]["objective"], rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["survey.zarr"], "survey.zarr: X has NaN or infinite values"),
        (["survey.zarr", "--hdu", "x"], "no array x; there are flux, inverse_variance, wavelength"),
        (["there.zarr"], "there.zarr"),
        (["survey.zarr", "--error", "x"], "--error"),
        (["survey.zarr", "--init", "x.npy"], "--init x.npy"),
        (["survey.zarr", "-k", "500"], "500 components"),
        (["survey.zarr", "--scheduler", "nowhere"], "--scheduler nowhere"),
        (["survey.fits", "--scheduler", "AT", "--hdu", "x"], "no extension x"),
        (["survey.zarr", "-o", "there"], "there"),
    ],
)
def test_what_does_not_do_is_said_in_one_line(survey, address, capfd, arguments, said, tmp_path):
    (tmp_path / "there/mine.txt").touch()
    code, printed = run(capfd, *[address if of == "AT" else of for of in arguments])
    assert code != 0
    errors = [line for line in printed.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in printed
    assert sorted(path.name for path in tmp_path.glob("*_fit")) == []


def test_the_command_says_how_a_fit_goes_on_whose_cluster_is_lost(survey, capfd, monkeypatch):
    from spectralunmix.cluster import conductor

    told = conductor._Conductor._told
    with local_cluster(2) as cluster:

        def lose(self, turn, reply):
            if turn == 60:
                cluster.close()
            return told(self, turn, reply)

        monkeypatch.setattr(conductor._Conductor, "_told", lose)
        arguments = "survey.zarr", "-k", "3", "--mask-nan", "-o", "found"
        code, printed = run(capfd, *arguments, "--scheduler", cluster.scheduler_address)
    assert code != 0
    assert "--init found_checkpoint.npy" in printed
    assert np.load("found_checkpoint.npy").shape == (1, 3, 120)
    code, printed = run(capfd, *arguments, "--init", "found_checkpoint.npy")
    assert code == 0, printed
