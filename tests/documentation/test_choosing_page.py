"""The tables of docs/choosing.md are those of the measurements kept in docs/synthetic.json."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/choosing.md").read_text()
MEASURED = json.loads((ROOT / "docs/synthetic.json").read_text())


def kept():
    """What runs of the shipped libraries said."""
    folder = ROOT / "tests/reference"
    return {
        name: {
            what: json.loads((folder / name / f"{what}.json").read_text())
            for what in ("choose", "summary")
        }
        for name in ("coelho2014", "pickles1998", "miles")
    }


@pytest.fixture
def validity(monkeypatch):
    """The modules that measure and write the tables."""
    monkeypatch.syspath_prepend(ROOT / "tests/validity")
    import as_markdown
    import bands
    import choice

    yield choice, bands, as_markdown
    for name in ("choice", "bands", "as_markdown", "synthetic"):
        sys.modules.pop(name, None)


def test_the_page_has_the_tables_of_the_measurements_and_no_other(validity):
    _, _, as_markdown = validity
    made = [as_markdown.libraries(kept()), *as_markdown.tables(MEASURED)]
    in_page = re.findall(r"(?:^\|.*\|\n)+", PAGE, flags=re.M)[1:]  # after that of commands
    assert [table.strip() for table in in_page] == made


def test_a_changed_measurement_changes_the_tables(validity):
    _, _, as_markdown = validity
    changed = json.loads(json.dumps(MEASURED))
    changed["choice"][0]["chosen"]["two standard errors"] += 1
    changed["coverage"][0]["held"]["standard error 68 truth"][0] += 0.02
    changed["rare"][0]["chosen"]["two standard errors"] += 1
    before, after = as_markdown.tables(MEASURED), as_markdown.tables(changed)
    assert sum(ours != theirs for ours, theirs in zip(before, after, strict=True)) == 4


def test_the_measurements_are_of_what_is_measured_today(validity):
    choice, bands, as_markdown = validity
    made = [{k: v for k, v in entry.items() if k != "chosen"} for entry in MEASURED["choice"]]
    assert made == list(choice.sets())
    for entry in MEASURED["choice"]:
        assert set(entry["chosen"]) == set(as_markdown.RULES)
        assert set(entry["chosen"].values()) <= {0, *choice.TRIED}
    assert sorted({entry["carriers"] for entry in MEASURED["rare"]}) == list(choice.CARRIERS)
    cases = {
        (case["resample"], case["mixture"], case["smoothness"]) for case in MEASURED["coverage"]
    }
    both = {(mixture, value) for mixture in bands.MIXTURES for value in bands.SMOOTHNESS}
    assert {case[1:] for case in cases if case[0] == "spectra"} == both
    drawn = {case["resample"]: case["n_draws"] for case in MEASURED["coverage"]}
    assert drawn == {"spectra": bands.N_DRAWS, "noise": bands.N_DRAWS_OF_NOISE}


@pytest.mark.slow
def test_a_set_measured_again_gives_the_same(validity):
    choice, _, _ = validity
    for i in (0, 37):
        made = list(choice.sets())[i]
        assert choice.of_set(made) == MEASURED["choice"][i]["chosen"]
