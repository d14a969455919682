"""Results of the user's own copy stay, where a run is not told of that copy."""

import json
import re
import shlex

import pytest
import yaml

from spectralunmix.command import run
from spectralunmix.command.own_copies import check_own_copies
from spectralunmix.command.parser import parsed
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
        ({}, {"library": "mine", "library_path": ""}),
    ],
)
def test_a_run_that_would_lose_results(configured, changes, recorded):
    given = configured | changes
    with pytest.raises(RunError, match=r"results/mine is of .* LIBRARY_PATH=/data/mine again") as e:
        check_own_copies(given, changes, [given["library"]], None)
    (line,) = re.findall(r"`(.*)` in config/config.yaml", str(e.value))
    assert yaml.safe_load(line) == {"library_path": {"mine": "/data/mine"}}


def test_a_path_is_for_one_of_the_libraries(recorded):
    given = {"library": "other", "library_path": "/data/other", "compare": ["mine", "other"]}
    with pytest.raises(RunError, match=r"mine is of your own copy: write `library_path: {.*}` in"):
        check_own_copies(given, given, given["compare"], None)
    check_own_copies(given | {"library": "mine"}, given, given["compare"], None)


def test_a_cube_of_ones_own(recorded):
    with pytest.raises(RunError, match=r"CUBE_PATH=/data/cube.fits again, .*`cube_path: \"/data/"):
        check_own_copies({"cube": "cube"}, {"cube": "cube"}, [], "cube")
    for path in ("/data/cube.fits", None):
        changes = {"cube": "cube", "cube_path": path}
        check_own_copies(changes, changes, [], "cube")


@pytest.mark.parametrize("path", ["/my stars, 2026", "/a: b", "/a #1", "/{a}", "/a'b\"c", "/ä"])
@pytest.mark.parametrize("kind", ["library", "cube"])
def test_ways_out_can_be_typed_as_they_are(path, kind, recorded):
    name = "mine" if kind == "library" else "cube"
    record = recorded / "results" / name / "records/download.json"
    record.write_text(json.dumps({"settings": {"library_path": path}}))
    with pytest.raises(RunError) as e:
        check_own_copies({kind: name}, {}, *([["mine"], None] if kind == "library" else [[], name]))
    typed, line = re.findall(r"give (.*) again, or write `(.*)` in config", str(e.value))[0]
    assert shlex.split(typed) == [f"{kind.upper()}_PATH={path}"]
    assert yaml.safe_load(line)[f"{kind}_path"] == ({name: path} if kind == "library" else path)


@pytest.mark.parametrize(
    ("command", "libraries", "cube"),
    [
        ("run figure", ["mine"], None),
        ("run results/other/figure.pdf", ["other"], None),
        ("run results/other/cube.json results/cube/cube.json", ["other"], "cube"),
        ("run results/comparison/figure.pdf", ["a", "b"], None),
        ("run cube_figure", [], "cube"),
        ("run cube_figure --cube another", [], "another"),
        ("figure", ["mine"], None),
        ("figure --library other", ["other"], None),
        ("compare --libraries other mine", ["other", "mine"], None),
        ("report --cube other", [], "other"),
        ("cube", [], "cube"),
    ],
)
def test_what_a_command_is_for(command, libraries, cube, recorded):
    (recorded / "config").mkdir()
    text = "{library: mine, cube: cube, compare: [a, b]}"
    (recorded / "config/config.yaml").write_text(text)
    options = parsed(command.split())
    assert run.of_run(options, run.settings(options)) == (libraries, cube)


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
