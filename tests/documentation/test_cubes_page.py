"""What docs/cubes.md and docs/workflow/cube_entries.md show runs, and is checked as an entry."""

import re
from pathlib import Path

import numpy as np
import yaml

import tiny_cube
from spectralunmix.cubes.entry import CubeEntry
from spectralunmix.models import checked

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/cubes.md").read_text()


def test_the_python_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_cube.cube_layouts.muse(tmp_path / "ngc1275.fits", *tiny_cube.values())
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    names = {}
    exec(code, names)
    assert names["maps"].maps.shape == (3, tiny_cube.Y, tiny_cube.X)
    assert np.isnan(names["maps"].maps[:, 0, 0]).all()
    assert (tmp_path / "maps.fits").is_file()


def test_the_entry_of_the_page_is_right():
    page = (ROOT / "docs/workflow/cube_entries.md").read_text()
    entry, of_image = re.findall(r"```yaml\n(.*?)```", page, flags=re.S)
    about = {"name": "A field", "citation": "nobody"}
    checked(CubeEntry, about | yaml.safe_load(of_image), "the page")
    found = checked(CubeEntry, yaml.safe_load(entry), "the page")
    assert found["sources"][0]["options"]["uncertainty_kind"] == "sigma"


def test_the_page_says_which_entries_were_run():
    page = (ROOT / "docs/workflow/cube_entries.md").read_text()
    said = page.split("## What was run")[1].split("##")[0]
    for path in (ROOT / "config/cubes").glob("*.yaml"):
        lines = [line for line in said.splitlines() if f"`{path.stem}`" in line]
        assert len(lines) == 1, path.stem
        original = yaml.safe_load(path.read_text()).get("run_on") == "original"
        assert ("the cube itself" in lines[0]) == original


def test_no_page_has_a_place_that_was_to_be_filled_in():
    folders = ("docs", "config", "results", "src")
    pages = [*ROOT.glob("*.md"), *(p for name in folders for p in (ROOT / name).rglob("*.md"))]
    assert len(pages) >= 8
    for path in pages:
        assert not re.search(r"\b(?:TIME|PEAK|RATIO|TODO)_?\w* ", path.read_text()), path
