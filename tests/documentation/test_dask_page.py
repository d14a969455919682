"""What docs/dask.md shows runs, and its tables are those of the measurements in docs/dask.json."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mixtures import spectra
from two_processes import local_cluster

zarr = pytest.importorskip("zarr")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/dask.md").read_text()
MEASURED = json.loads((ROOT / "docs/dask.json").read_text())


@pytest.fixture
def survey_tables(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests/benchmark")
    import survey_tables

    yield survey_tables
    sys.modules.pop("survey_tables")


def test_the_page_has_the_tables_of_the_measurements(survey_tables):
    for table in survey_tables.tables(MEASURED):
        assert table in PAGE


def test_bytes_are_those_of_the_formula():
    """Which the page gives: without what an idle cluster sends, within a tenth."""
    moved = [case for case in MEASURED["cases"] if "loopback_b" in case]
    assert [case["workers"] for case in moved] == [1, 2]
    k, n_wave = MEASURED["n_components"], MEASURED["n_wave"]
    for case in moved:
        products = round(case["values"] / n_wave / k - (k + 1) / 2 - 2, 1)
        numbers = (k * (k + 1) / 2 + k * (2 + products)) * n_wave
        assert case["values"] == pytest.approx(numbers, rel=0.01)
        of_client = 2 * 2 * numbers  # up and down, each by way of the scheduler
        of_worker = (case["workers"] - 1) * (2 * numbers - k * n_wave)
        assert case["loopback_b"] == pytest.approx(8 * (of_client + of_worker), rel=0.1)


def test_predictions_follow_from_what_was_measured(survey_tables):
    changed = json.loads(json.dumps(MEASURED))
    for case in changed["cases"]:
        if "iteration_s" in case:
            case["iteration_s"] *= 2
    before = [survey_tables.of_iteration(MEASURED, 10**7, n) for n in (8, 64)]
    after = [survey_tables.of_iteration(changed, 10**7, n) for n in (8, 64)]
    assert before[0][0] == pytest.approx(8 * before[1][0])
    for (work, sums), (twice, same) in zip(before, after, strict=True):
        assert twice == pytest.approx(2 * work)
        assert same == sums
    assert survey_tables.depth(1) == 0
    assert [survey_tables.depth(n) for n in (2, 5, 6, 21, 22, 512)] == [1, 1, 2, 2, 3, 5]


def test_the_block_of_python_runs(tmp_path):
    X, V = spectra()
    group = zarr.open_group(tmp_path / "survey.zarr", mode="w")
    group.create_array("flux", data=X, chunks=(100, 120))
    group.create_array("inverse_variance", data=V, chunks=(100, 120))
    block = re.search(r"```python\n(.*?)```", PAGE, flags=re.S)[1]
    with local_cluster(2) as cluster:
        block = block.replace("tcp://10.0.0.1:8786", cluster.scheduler_address)
        block = block.replace("smooth_nmf(X, 10", "smooth_nmf(X, 3").replace("/data", str(tmp_path))
        (tmp_path / "block.py").write_text(block)
        done = subprocess.run(
            [sys.executable, "block.py"], cwd=tmp_path, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    W = zarr.open_array(tmp_path / "weights.zarr", mode="r")
    assert W.shape == (300, 3)
    assert np.asarray(W[:]).max() > 0
