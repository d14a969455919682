"""The cubes that the package index carries: what the factorisation makes of them."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from project import Project
from spectralunmix.cubes.lines import LIGHT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("cubes"))


def made(project, cube):
    done = project.run(f"cube={cube}", target="cube_figure")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = project.results(cube)
    return json.loads((folder / "cube.json").read_text()), folder


def test_abell_478(project):
    """Doublets as atomic physics has them, which no label tells the fit, and two velocities."""
    said, folder = made(project, "abell478")
    assert said["converged"]
    assert said["chi2_per_voxel"] < 1.1
    assert said["chi2_per_voxel"] == pytest.approx(1.068, abs=0.002)
    stars, *gas = said["components"]
    assert stars["share"] == pytest.approx(0.87, abs=0.02)
    assert [part["share"] for part in gas] == pytest.approx([0.08, 0.05], abs=0.01)
    for part in gas:
        assert part["doublets"]["[NII] 6583/6548"]["ratio"] == pytest.approx(3.05, rel=0.1)
        assert part["doublets"]["[OI] 6300/6364"]["ratio"] == pytest.approx(3.1, rel=0.1)
    apart = gas[0]["velocity"] - gas[1]["velocity"]
    assert apart == pytest.approx(110, abs=20)
    # the redshifts of cubes of this galaxy: 0.08605 and 0.08565
    redshifts = [1.086 * (1 + part["velocity"] / LIGHT) - 1 for part in gas]
    assert redshifts == pytest.approx([0.08605, 0.08565], abs=6e-5)
    lines = Table.read(folder / "lines.ecsv", format="ascii.ecsv")
    assert set(lines["line"][lines["significant"]]) > {"Hα", "Hβ", "[SII] 6716", "[OI] 6300"}
    with fits.open(folder / "maps.fits") as hdus:
        assert np.nanmedian(hdus["CHI2"].data) == pytest.approx(1.06, abs=0.02)
        # the stars have a compact nucleus, the gas knots elsewhere
        brightest = [np.unravel_index(m.argmax(), m.shape) for m in hdus["WEIGHTS"].data]
        assert len(set(brightest)) == 3
    assert project.verify("abell478", reference=False).returncode == 0


def test_the_rotating_emitter(project):
    """Stars, and a line at two wavelengths that lie 165 km/s apart: receding, approaching."""
    said, folder = made(project, "rotating_emitter")
    assert said["converged"]
    assert said["components"][0]["share"] == pytest.approx(0.84, abs=0.03)
    receding, approaching = sorted((p["velocity"] for p in said["components"][1:]), reverse=True)
    assert receding - approaching == pytest.approx(149, abs=3)  # the peaks lie 165 apart
    for part in said["components"][1:]:
        assert {"Hα", "[NII] 6583"} <= set(part["lines"])
        ratio = part["doublets"].get("[NII] 6583/6548", {"ratio": 3.05})["ratio"]
        assert ratio == pytest.approx(3.05, rel=0.2)
    with fits.open(folder / "maps.fits") as hdus:
        wavelength = hdus["CHANNELS"].data["WAVELENGTH"]
        near = (wavelength > 9050) & (wavelength < 9090)
        peaks = [wavelength[near][h[near].argmax()] for h in hdus["COMPONENTS"].data[1:]]
        assert sorted(peaks) == pytest.approx([9067.5, 9072.5], abs=1.3)
        assert np.diff(sorted(peaks))[0] / 9070 * LIGHT == pytest.approx(165, abs=45)
