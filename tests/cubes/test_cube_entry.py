"""The entries of cubes: those shipped, and what of one may be said together."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from scipy.io import savemat

from spectralunmix.cubes.entry import CubeEntry, read_entry
from spectralunmix.cubes.layouts import LAYOUTS, Layout
from spectralunmix.cubes.observed import layout_of, read
from spectralunmix.errors import ConfigurationError
from spectralunmix.models import checked
from tiny_cube import ENTRY

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(ROOT.glob("config/cubes/*.yaml"))
SCHEMA = json.loads((ROOT / "config/schema/cube.schema.json").read_text())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_entries_are_right(path):
    entry = read_entry(path)
    assert entry["run_on"] in ("original", "layout") or path.stem == "mine"
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)
    for source in entry["sources"]:
        if source["reader"] == "fits_cube":
            layout = layout_of(source["options"])
            assert layout is None or layout in LAYOUTS or isinstance(layout, Layout)


def mistakes(**options):
    entry = json.loads(json.dumps(ENTRY))
    entry["sources"][0]["options"] = options
    with pytest.raises(ConfigurationError) as error:
        checked(CubeEntry, entry, "c.yaml")
    return str(error.value)


def test_what_options_do_not_go_together():
    assert "leave one of the two out" in mistakes(layout="muse", flux="DATA")
    assert "flux: is missing" in mistakes(uncertainty="STAT")
    assert "none of" in mistakes(layout="sdss")
    assert "mask_bits" in mistakes(flux=0, mask_bits=[99])


def test_options_are_the_layout():
    options = {"flux": "F", "uncertainty": 2, "uncertainty_kind": "variance", "mask_bits": [0]}
    assert layout_of(options) == Layout("F", 2, "variance", None, [0], None)
    assert layout_of({"layout": "muse"}) == "muse"
    assert layout_of({}) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": 1}, "last: is missing"),
        ({}, "first: is missing"),
        ({"first": 1, "last": 2, "wavelength_file": "a.txt"}, "leave it or these out"),
        ({"first": 1, "last": 2, "rows": 3}, "columns: is missing"),
    ],
)
def test_options_of_a_matrix(options, message):
    entry = json.loads(json.dumps(ENTRY))
    entry["sources"][0] |= {"reader": "matrix", "members": ["a.npy"], "options": options}
    with pytest.raises(ConfigurationError, match=message):
        checked(CubeEntry, entry, "c.yaml")


def test_samson_is_read_in_the_layout_that_it_has(tmp_path):
    """As it is handed around: V (156, 9025), a pixel a column, column by column of the image."""
    scene = np.random.default_rng(0).random((95, 95, 156))
    matrix = scene.transpose(1, 0, 2).reshape(-1, 156).T
    savemat(tmp_path / "samson_1.mat", {"V": matrix, "nRow": 95, "nCol": 95, "nBand": 156})
    entry = read_entry(ROOT / "config/cubes/samson.yaml")
    cube = read(tmp_path, entry["sources"][0], entry)
    np.testing.assert_allclose(cube.image(cube.spectra), np.moveaxis(scene, 2, 0))
    assert cube.wavelength[[0, -1]].tolist() == pytest.approx([4010, 8890])
