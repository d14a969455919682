"""`spectralunmix cube` from an entry to maps, figure and page, on a small cube."""

import json
import os
import re
import subprocess

import matplotlib.image
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import tiny_cube
from browser import Page, chromium, curves
from project import Project
from spectralunmix import read_cube, unmix_cube
from tiny_cube import TinyCube


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What one run of the command printed, and its folder."""
    cube = TinyCube(Project(tmp_path_factory.mktemp("cube")).folder).create()
    code, printed = cube.run()
    assert code == 0, printed
    return cube, printed


def test_what_is_made_and_said(made):
    cube, printed = made
    names = {path.name for path in cube.results.iterdir() if path.is_file()}
    assert names >= {
        *("maps.fits", "cube.json", "lines.ecsv", "cube.pdf", "cube.png", "cube.svg", "cube.html"),
        *("spectra.fits", "spaxels.fits", "selection.ecsv", "manifest.json"),
        *("nmf_components.ecsv", "nmf_weights.ecsv", "nmf_fit.json"),
    }
    said = json.loads((cube.results / "cube.json").read_text())
    assert said["n_spectra"] == 41
    assert said["n_resamples"] == 4
    assert said["chi2_per_voxel"] == pytest.approx(1, abs=0.1)
    for sentence in said["in_words"]:
        assert f"{sentence}." in printed
    assert "results/tinycube/maps.fits" in printed
    assert matplotlib.image.imread(cube.results / "cube.png").shape[1] == 2130
    assert not list(cube.folder.glob("results/**/.*"))


def test_it_is_what_the_functions_give(made):
    cube, _ = made
    maps = unmix_cube(read_cube(cube.path), 2, 0.01)
    with fits.open(cube.results / "maps.fits") as hdus:
        np.testing.assert_allclose(hdus["WEIGHTS"].data, maps.maps, rtol=1e-6)
        np.testing.assert_allclose(hdus["COMPONENTS"].data, maps.components, atol=1e-6)
        np.testing.assert_allclose(hdus["CHI2"].data, maps.chi2, rtol=1e-5)
        errors = hdus["COMPONENT_ERRORS"].data
        assert errors.shape == maps.components.shape
        assert 0 < errors.mean() < 0.1
        assert WCS(hdus["WEIGHTS"].header).celestial.pixel_to_world(2, 1).ra.deg == pytest.approx(
            150
        )


def test_results_are_what_their_manifest_says_and_not_made_again(made):
    cube, _ = made
    code, printed = cube.run("verify", "--library", "tinycube")
    assert code == 0, printed
    before = (cube.results / "maps.fits").stat().st_mtime_ns
    code, printed = cube.run()
    assert code == 0
    assert (cube.results / "maps.fits").stat().st_mtime_ns == before
    assert "smooth_nmf " not in printed


def test_the_page_holds_every_spaxel(made):
    cube, _ = made
    page = (cube.results / "cube.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, flags=re.S)[1])
    assert len(data["places"]) == len(data["weights"]) == 41
    assert len(data["images"]) == 3  # two components, and what is left
    assert data["images"][0][0][0] is None  # the spaxel without a spectrum
    weights = Table.read(cube.results / "nmf_weights.ecsv", format="ascii.ecsv")
    assert data["weights"][5] == pytest.approx(
        [weights[n][5] for n in weights.colnames[2:]], rel=1e-4
    )


def test_choose_works_on_a_cube(made):
    cube, _ = made
    ranks = (
        "--set",
        "cubes.choose.n_components=[1, 2, 3]",
        "--set",
        "cubes.choose.smoothness=[0.01]",
    )
    code, printed = cube.run("choose", *ranks)
    assert code == 0, printed
    said = json.loads((cube.results / "choose.json").read_text())
    assert said["chosen"]["n_components"] == 2
    assert "noise" in printed or "chi" in printed


def test_the_report_has_the_figure(made):
    cube, _ = made
    code, printed = cube.run("report")
    assert code == 0, printed
    assert "cube.html" in printed
    assert (
        "Tiny cube" in (cube.results / "report.html").read_text()
        or "tinycube" in (cube.results / "report.html").read_text()
    )


def test_another_copy_elsewhere_is_taken(made, tmp_path):
    cube, _ = made
    copy = tmp_path / "tiny.fits"
    flux, sigma, bad = tiny_cube.values()
    tiny_cube.cube_layouts.muse(copy, 2 * flux, 2 * sigma, bad)
    code, printed = cube.run("run", "results/tinycube/spaxels.fits", "--cube-path", str(copy))
    assert code == 0, printed
    with fits.open(cube.results / "spectra.fits") as hdus:
        assert hdus[0].data[0, 0] == pytest.approx(2 * flux[0, 0, 1], rel=1e-6)
    code, printed = cube.run("run", "results/tinycube/spaxels.fits", "--cube-path", "/no/where")
    assert code == 1
    assert "cube_path: /no/where does not exist" in printed
    assert os.path.exists(copy)
    code, printed = cube.run("run", "results/tinycube/spaxels.fits")
    assert code == 1
    assert f"give CUBE_PATH={copy} again" in printed
    asked_for = "run", "results/tinycube/spaxels.fits", "--set", "cube_path=null"
    code, printed = cube.run(*asked_for)
    assert code == 0, printed
    with fits.open(cube.results / "spectra.fits") as hdus:
        assert hdus[0].data[0, 0] == pytest.approx(flux[0, 0, 1], rel=1e-6)


def test_a_cube_of_any_name_without_an_entry_of_its_own(made, tmp_path):
    """As `make cube CUBE=mine CUBE_PATH=...`, here in another layout."""
    cube, _ = made
    copy = tmp_path / "ngc 1.fits"
    tiny_cube.cube_layouts.kcwi(copy, *tiny_cube.values())
    words = "run", "results/mine/cube.json", "--cube-path", str(copy), "--n-components", "2"
    code, printed = cube.run(*words, name="mine")
    assert code == 0, printed
    said = json.loads((cube.folder / "results/mine/cube.json").read_text())
    assert said["n_spectra"] == 41
    assert said["redshift"] is None
    assert said["medium"] == "vacuum"
    assert [path.name for path in tmp_path.iterdir()] == ["ngc 1.fits"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "muse"}, "'layout' was unexpected"),
        ({"redshift": -2}, r"redshift: -2 is not more than -1"),
        ({"window": [5000]}, "window: has 1 entries"),
        ({"leave_out": [[5010, 5000]]}, "leave_out.0: 5010 to 5000: the first wavelength is not"),
        ({"bin_spaxels": 0}, "bin_spaxels: 0 is less than 1"),
        ({"maps": "fluxes"}, "maps: 'fluxes' is none of"),
        ({"sources": []}, "sources: has 0 entries"),
    ],
)
def test_mistakes_of_an_entry_are_named_before_any_work(change, message, made):
    cube, _ = made
    before = dict(cube.entry)
    cube.entry.update(change)
    cube.save()
    code, printed = cube.run()
    cube.entry = before
    cube.save()
    assert code == 1
    assert "config/cubes/tinycube.yaml" in printed
    assert re.search(message, printed), printed
    assert "Traceback" not in printed


def test_a_redshift_given_later_fits_nothing_again(made):
    cube, _ = made
    code, printed = cube.run()
    assert code == 0, printed
    before = (cube.results / "nmf_fit.json").stat().st_mtime_ns
    cube.entry["redshift"] = 0.001
    cube.save()
    code, printed = cube.run()
    assert code == 0, printed
    assert (cube.results / "nmf_fit.json").stat().st_mtime_ns == before
    assert json.loads((cube.results / "cube.json").read_text())["redshift"] == 0.001
    cube.entry["redshift"] = 0.0
    cube.save()


def test_without_a_cube_there_is_nothing_to_make(made):
    cube, _ = made
    python = cube.folder / ".venv/bin/python"
    command = [python, "-m", "snakemake", "--cores", "1", "cube_figure"]
    done = subprocess.run(command, cwd=cube.folder, capture_output=True, text=True)
    assert done.returncode != 0
    assert "cube: none is configured" in done.stderr
    code, printed = cube.run("report", "--metric", "angle")
    assert code == 1
    assert "--metric is for a library" in printed


def test_library_and_cube_are_not_both(made):
    cube, _ = made
    code, printed = cube.run("choose", "--library", "pickles1998")
    assert code == 1
    assert "name one of them" in printed


@pytest.mark.slow
def test_a_click_on_the_map_shows_the_spaxel(made):
    cube, _ = made
    maps = unmix_cube(read_cube(cube.path), 2, 0.01)
    with chromium() as browser:
        for viewport in ({"width": 1200, "height": 1000}, {"width": 390, "height": 844}):
            with Page(browser, cube.results / "cube.html", viewport=viewport) as page:
                page.wait_for_selector("#components .scatterlayer")
                for name, curve in curves(page, "components"):
                    h = maps.components[int(name.split(":")[0].split()[1]) - 1]
                    np.testing.assert_allclose(curve, h, atol=1e-5)
                box = page.locator("#image .nsewdrag").first.bounding_box()
                # of 7 x 6 spaxels, the second from the left in the lowest row
                at = box["x"] + box["width"] * 1.5 / 7, box["y"] + box["height"] * 5.5 / 6
                page.mouse.click(*at)
                page.wait_for_function(
                    "document.getElementById('place').textContent === 'spaxel x 1, y 0'"
                )
                drawn = dict(curves(page, "one"))
                row = maps.cube.row(0, 1)
                model = maps.weights[row] @ maps.components
                np.testing.assert_allclose(drawn["spectrum"], maps.cube.spectra[row], rtol=1e-5)
                np.testing.assert_allclose(drawn["model"], model, rtol=1e-3)
                np.testing.assert_allclose(
                    drawn["residual"], maps.cube.spectra[row] - model, atol=2e-2
                )
                assert f"{maps.weights[row, 0]:.4g}" in page.locator("#values").text_content()
                page.get_by_label("up").click()
                assert page.locator("#place").text_content() == "spaxel x 1, y 1"
                page.select_option("#map", "2")
                assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
