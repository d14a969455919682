"""Images in reflectance: ENVI files and matrices, read as the entry says, unmixed to abundances."""

import numpy as np
import pytest
from scipy.io import savemat
from spectral.io import envi

from spectralunmix import unmix_cube
from spectralunmix.cubes import images
from spectralunmix.cubes.observed import read
from spectralunmix.cubes.reader import Selection, selected
from spectralunmix.errors import LibraryError

ROWS, COLUMNS, N_WAVE = 12, 9, 40


@pytest.fixture(scope="module")
def scene():
    """Reflectances (rows, columns, channels), abundances (rows, columns, 3) and end-members."""
    random = np.random.default_rng(1)
    steps = np.linspace(0, 1, N_WAVE)
    members = np.array([0.1 + 0.5 * steps, 0.6 * np.exp(-3 * steps), 0.05 + 0.55 * (steps > 0.5)])
    members /= members.max(axis=1, keepdims=True)
    abundances = random.dirichlet([0.4] * 3, (ROWS, COLUMNS))
    abundances[:2, :2] = np.eye(3)[[[0, 1], [2, 0]]]  # pure pixels
    return abundances @ members, abundances, members


def entry(**changes):
    keys = {"redshift": None, "window": None, "leave_out": [], "bin_spaxels": 1}
    return keys | {"bin_channels": 1, "medium": None} | changes


def source(reader, members, **options):
    return {"reader": reader, "members": members, "options": options, "largest_member": 2**20}


@pytest.mark.parametrize("interleave", ["bip", "bil", "bsq"])
def test_envi(interleave, scene, tmp_path):
    reflectance, *_ = scene
    folder = tmp_path / "files"
    folder.mkdir()
    stored = np.round(1e4 * reflectance).astype(np.int16)
    stored[3, 3] = -9999
    about = {
        "wavelength": list(np.linspace(400, 900, N_WAVE)),
        "wavelength units": "Nanometers",
        "reflectance scale factor": 10000,
        "data ignore value": -9999,
        "bbl": [0 if i == 5 else 1 for i in range(N_WAVE)],
    }
    envi.save_image(str(folder / "a.hdr"), stored, metadata=about, interleave=interleave)
    cube = read(folder, source("envi", ["a.hdr", "a.img"]), entry())
    assert cube.spaxels.sum() == ROWS * COLUMNS - 1
    assert not cube.spaxels[3, 3]
    assert not cube.channels[5]
    np.testing.assert_allclose(cube.wavelength, np.linspace(4000, 9000, N_WAVE))
    expected = reflectance[cube.spaxels]
    np.testing.assert_allclose(
        cube.spectra[:, cube.channels], expected[:, cube.channels], atol=6e-5
    )
    assert not cube.has_uncertainties


def matrix(folder, name, array):
    folder.mkdir()
    if name.endswith(".npy"):
        np.save(folder / name, array)
    else:
        savemat(folder / name, {"V": array, "nRow": ROWS, "other": np.ones(3)})
    return folder


@pytest.mark.parametrize("name", ["scene.npy", "scene.mat"])
@pytest.mark.parametrize("layout", ["image", "rows", "columns", "channels first"])
def test_matrices(name, layout, scene, tmp_path):
    reflectance, *_ = scene
    options = {"first": 400, "last": 900}
    array = {
        "image": reflectance,
        "rows": reflectance.reshape(-1, N_WAVE),
        "columns": reflectance.transpose(1, 0, 2).reshape(-1, N_WAVE),
        "channels first": reflectance.transpose(1, 0, 2).reshape(-1, N_WAVE).T,
    }[layout]
    if layout != "image":
        options |= {"rows": ROWS, "columns": COLUMNS}
        options["order"] = "row" if layout == "rows" else "column"
    folder = matrix(tmp_path / "files", name, array)
    cube = read(folder, source("matrix", [name], **options), entry())
    np.testing.assert_allclose(cube.image(cube.spectra), np.moveaxis(reflectance, 2, 0))
    np.testing.assert_allclose(cube.wavelength, np.linspace(4000, 9000, N_WAVE))


def test_wavelengths_in_a_file_of_text(scene, tmp_path):
    folder = matrix(tmp_path / "files", "scene.npy", scene[0])
    np.savetxt(folder / "axis.txt", np.linspace(0.4, 0.9, N_WAVE) ** 2)
    options = {"wavelength_file": "axis.txt", "wavelength_unit": "um"}
    cube = read(folder, source("matrix", ["scene.npy"], **options), entry())
    np.testing.assert_allclose(cube.wavelength, 1e4 * np.linspace(0.4, 0.9, N_WAVE) ** 2)


def test_abundances_are_those_of_the_scene(scene, tmp_path):
    """Which sum to one, where components have maximum 1: as the field publishes them."""
    reflectance, abundances, members = scene
    folder = matrix(tmp_path / "files", "scene.npy", reflectance)
    cube = read(folder, source("matrix", ["scene.npy"], first=400, last=900), entry())
    maps = unmix_cube(cube, 3, 0.0, init="spa")
    order = [int(np.argmin(np.abs(maps.components - m).sum(axis=1))) for m in members]
    assert sorted(order) == [0, 1, 2]
    found = maps.abundances[order].transpose(1, 2, 0)
    np.testing.assert_allclose(found.sum(axis=2), 1)
    assert np.sqrt(np.mean((found - abundances) ** 2)) < 0.05


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.ones((3, 4)), {}, "state `rows` and `columns`"),
        (np.ones((3, 4)), {"rows": 2, "columns": 3}, "no axis of 2 x 3 = 6 pixels"),
        (np.array([[["a"] * 3]]), {}, "not numbers"),
        (np.array([[{}]]), {}, "not an array of numbers"),
    ],
)
def test_matrices_of_another_shape_or_kind(array, options, message, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    np.save(folder / "scene.npy", array, allow_pickle=True)
    options = options | {"first": 400, "last": 900}
    with (
        pytest.raises(LibraryError, match=message),
        images.opened_matrix([folder / "scene.npy"], options),
    ):
        pass


def test_files_that_are_missing_or_no_images(tmp_path):
    with (
        pytest.raises(LibraryError, match=r"one \.npy or \.mat file"),
        images.opened_matrix([], {}),
    ):
        pass
    with pytest.raises(LibraryError, match=r"a header, \.hdr"), images.opened_envi([], {}):
        pass
    header, values = tmp_path / "a.hdr", tmp_path / "a.img"
    header.write_text("not ENVI")
    values.write_bytes(b"1")
    with (
        pytest.raises(LibraryError, match="header of an ENVI image"),
        images.opened_envi([header, values], {}),
    ):
        pass
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with (
        pytest.raises(LibraryError, match=r"version 7\.3"),
        images.opened_matrix([tmp_path / "new.mat"], {"first": 1, "last": 2}),
    ):
        pass


def test_wavelengths_that_do_not_fit(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 2, 5)))
    np.savetxt(tmp_path / "axis.txt", [1, 2, 3])
    files = [tmp_path / "a.npy", tmp_path / "axis.txt"]
    options = {"wavelength_file": "axis.txt"}
    with (
        pytest.raises(LibraryError, match="3 wavelengths for 5 channels"),
        images.opened_matrix(files, options) as contents,
    ):
        selected(contents, Selection())


def test_the_medium_is_the_entrys(scene, tmp_path):
    folder = matrix(tmp_path / "files", "scene.npy", scene[0])
    what = source("matrix", ["scene.npy"], first=400, last=900)
    assert read(folder, what, entry(medium="air")).medium == "air"
    assert read(folder, what, entry()).medium == "unknown"
