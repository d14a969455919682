"""The tables of docs/benchmarks.md are those of the measurements kept in docs/benchmark.json."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/benchmarks.md").read_text()
MEASURED = json.loads((ROOT / "docs/benchmark.json").read_text())


@pytest.fixture
def benchmark(monkeypatch):
    """The modules that measure and write the tables."""
    monkeypatch.syspath_prepend(ROOT / "tests/benchmark")
    import benchmark_tables
    import problems

    yield benchmark_tables, problems
    for name in ("benchmark_tables", "problems", "markdown_tables"):
        sys.modules.pop(name)


def test_the_page_has_the_tables_of_the_measurements_and_no_other(benchmark):
    in_page = re.findall(r"(?:^\|.*\|\n)+", PAGE, flags=re.M)
    assert [table.strip() for table in in_page] == benchmark[0].tables(MEASURED)


def test_a_changed_measurement_changes_its_table(benchmark):
    changed = json.loads(json.dumps(MEASURED))
    changed["gaps"]["problems"][0]["methods"][0]["1e-06"] *= 2
    changed["versions"]["tasks"][0]["ratio"] *= 2
    changed["costs"][0]["ratio"] *= 2
    before, after = (benchmark[0].tables(content) for content in (MEASURED, changed))
    assert all(ours != theirs for ours, theirs in zip(before, after, strict=True))


def test_tables_of_the_parts_that_were_measured(benchmark):
    only = {"costs": MEASURED["costs"]}
    assert benchmark[0].tables(only) == benchmark[0].tables(MEASURED)[2:]


def test_the_measurements_are_of_the_problems_of_today(benchmark):
    today = benchmark[1].problems(np.zeros((80, 2250))).values()
    titles = [" ".join(problem.title.split()) for problem in today]
    assert [problem["title"] for problem in MEASURED["gaps"]["problems"]] == titles


def test_the_memory_that_the_page_names():
    (peak,) = [
        problem["peak_memory"]
        for problem in MEASURED["gaps"]["problems"]
        if "peak_memory" in problem
    ]
    assert f"{peak:.2f} times the memory of X" in " ".join(PAGE.split())


def test_a_cell_names_the_fastest_of_the_others(benchmark):
    others = [
        {"method": "slow", "g": 3.0},
        {"method": "fast", "g": 2.04},
        {"method": "no", "g": None},
    ]
    assert benchmark[0].cell(0.5, "g", others, 9) == "**0.5 s**; 2 s, fast"
    assert benchmark[0].cell(0.123, "g", others[2:], 9) == "**0.12 s**; none in 9 s"
    assert benchmark[0].cell(None, "g", others, 0.75) == "**none in 0.75 s**; 2 s, fast"
