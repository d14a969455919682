"""Reading the workflow changes nothing: neither the run's folder nor one that it is loaded into."""

import fcntl
import json
import os
import subprocess

import pytest

ONLY_LOOKS = [
    "--dry-run",
    "--list-rules",
    "--dag",
    "--summary",
    "--lint",
    "--unlock",
    "--rulegraph",
]


def content(folder):
    """Every file by path, but for Snakemake's own notes."""
    files = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else os.readlink(path)
        for path in files
        if ".snakemake" not in path.parts and "__pycache__" not in path.parts
    }


@pytest.fixture
def spoilt(tiny):
    """Results that were altered, beside a record that is damaged."""
    records = tiny.results / "records"
    records.mkdir(parents=True)
    (tiny.results / "summary.json").write_text("mine")
    record = {"outputs": {"results/tiny/summary.json": "0"}}
    (records / "assign.json").write_text(json.dumps(record))
    (records / "pca.json").write_text("null")
    return tiny


def test_what_only_looks_writes_nothing_even_while_a_run_is_at_work(spoilt):
    before = content(spoilt.folder)
    held = os.open(spoilt.folder / "results", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    for argument in ONLY_LOOKS:
        code, printed = spoilt.snakemake(argument)
        assert code == 0, (argument, printed)
        assert content(spoilt.folder) == before, argument
    os.close(held)


def test_a_report_alone_renames_nothing(spoilt):
    before = content(spoilt.folder)
    spoilt.snakemake("report", "--report", "report.html")
    after = content(spoilt.folder)
    after.pop("report.html", None)
    assert after == before


FOREIGN = """
module unmix:
    snakefile: "{folder}/workflow/Snakefile"
    config: {{"library": "tiny"}}

use rule * from unmix as unmix_*

rule mine:
    default_target: True
    output: "results/exp/made.txt"
    shell: "echo made > {{output}}"
"""


def test_a_project_that_loads_it_keeps_its_own_files(tiny, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "Snakefile").write_text(FOREIGN.format(folder=tiny.folder))
    (other / "config/libraries").mkdir(parents=True)
    entry = (tiny.folder / "config/libraries/tiny.yaml").read_text()
    (other / "config/libraries/tiny.yaml").write_text(entry)
    (other / "results/exp/records").mkdir(parents=True)
    (other / "results/exp/records/run1.json").write_text('{"mine": 1}')
    before = content(other)
    done = subprocess.run(
        [tiny.python, "-m", "snakemake", "--cores", "1"],
        cwd=other,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    after = content(other)
    assert after.pop("results/exp/made.txt") == b"made\n"
    assert after == before


def test_a_working_folder_needs_no_configuration(tiny, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    code, printed = tiny.snakemake(
        "--dry-run", "--directory", str(empty), "--config", "library=pickles1998"
    )
    assert code == 0, printed
    assert "results/pickles1998/figure.pdf" in printed
    assert content(empty) == {}
