"""Results of the user's own copy stay, where a run is not told of that copy."""

import json

import pytest

from spectralunmix.command.own_copies import check_own_copies
from spectralunmix.errors import RunError


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """`mine` and `cube` were made from a copy, `other` from its entry's addresses."""
    monkeypatch.chdir(tmp_path)
    for name, path in (("mine", "/data/mine"), ("cube", "/data/cube.fits"), ("other", None)):
        record = tmp_path / "results" / name / "records/download.json"
        record.parent.mkdir(parents=True)
        record.write_text(json.dumps({"settings": {"library_path": path}}))
    return tmp_path


@pytest.mark.parametrize(
    ("configured", "changes"),
    [
        ({}, {"library": "mine", "library_path": "/data/mine"}),
        ({}, {"library": "mine", "library_path": "/data/another"}),
        ({}, {"library": "mine", "library_path": None}),  # --set library_path=null
        ({"library": "mine", "library_path": "/data/mine"}, {}),
        ({"library_path": {"mine": "/data/mine"}}, {"library": "mine"}),
        ({}, {"library": "other"}),
        ({}, {"library": "new"}),
    ],
)
def test_a_run_that_knows_what_it_is_of(configured, changes, recorded):
    given = configured | changes
    check_own_copies(given, changes, [given["library"]], None)


@pytest.mark.parametrize(
    ("configured", "changes"),
    [
        ({}, {"library": "mine"}),
        ({"library": "mine"}, {}),
        ({"library": "other", "library_path": None}, {"library": "mine"}),
        ({"library_path": {"other": "/data/other"}}, {"library": "mine"}),
    ],
)
def test_a_run_that_would_lose_results(configured, changes, recorded):
    given = configured | changes
    with pytest.raises(RunError, match=r"results/mine is of .* LIBRARY_PATH=/data/mine again") as e:
        check_own_copies(given, changes, [given["library"]], None)
    assert "`library_path: {mine: /data/mine}` in config/config.yaml" in str(e.value)


def test_a_path_is_for_one_of_the_libraries(recorded):
    given = {"library": "other", "library_path": "/data/other", "compare": ["mine", "other"]}
    with pytest.raises(RunError, match="results/mine"):
        check_own_copies(given, given, given["compare"], None)
    check_own_copies(given | {"library": "mine"}, given, given["compare"], None)


def test_a_cube_of_ones_own(recorded):
    with pytest.raises(RunError, match=r"CUBE_PATH=/data/cube.fits again, .*`cube_path: /data/"):
        check_own_copies({"cube": "cube"}, {"cube": "cube"}, [], "cube")
    for path in ("/data/cube.fits", None):
        changes = {"cube": "cube", "cube_path": path}
        check_own_copies(changes, changes, [], "cube")


@pytest.mark.parametrize("text", ["", "[", "{}", "[1]", '{"settings": {"library_path": 3}}'])
def test_a_record_that_says_nothing(text, recorded):
    (recorded / "results/mine/records/download.json").write_text(text)
    check_own_copies({"library": "mine"}, {}, ["mine"], None)


def test_a_forgotten_path_loses_nothing(tiny):
    """Of a library whose addresses lead nowhere."""
    tiny.spectra.rename(tiny.folder / "elsewhere")
    target, path = "results/tiny/selection.ecsv", ("--set", "library_path=elsewhere")
    code, printed = tiny.run(target, *path)
    assert code == 0, printed
    kept = {path: path.stat().st_mtime_ns for path in tiny.results.rglob("*") if path.is_file()}
    code, printed = tiny.run(target)
    assert code == 1
    assert "give LIBRARY_PATH=elsewhere again" in printed
    now = {path: path.stat().st_mtime_ns for path in tiny.results.rglob("*") if path.is_file()}
    assert now == kept
    code, printed = tiny.run(target, *path)
    assert code == 0, printed
