"""Reading the workflow changes nothing: neither the run's folder nor one that it is loaded into."""

import fcntl
import json
import os
import re
import subprocess

import pytest

from spectralunmix import workflow
from spectralunmix.command import altered

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
    """And says which results are not what their records say."""
    before = content(spoilt.folder)
    held = os.open(spoilt.folder / "results", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    for argument in ONLY_LOOKS:
        code, printed = spoilt.snakemake(argument)
        assert code == 0, (argument, printed)
        assert content(spoilt.folder) == before, argument
        assert warned(printed) == ["records/pca.json", "summary.json"], argument
    os.close(held)


def warned(printed):
    """The results of `tiny` that are named, each with the way out."""
    found = re.findall(
        r"WARNING: results/tiny/(\S+): not what the record of its step says", printed
    )
    for name in found:
        assert f"`spectralunmix run results/tiny/{name} --library tiny` sets it aside" in printed
        assert printed.count(f"results/tiny/{name}: not what") == 1
    return sorted(found)


def test_a_bare_run_warns_once_and_our_own_not_at_all(spoilt):
    """Jobs parse the workflow, too, and our command has set the results aside."""
    code, printed = spoilt.snakemake("figure")
    assert code == 0, printed
    assert warned(printed) == ["records/pca.json", "summary.json"]
    assert warned(spoilt.run_dry()[1]) == []  # made again, as their records say
    (spoilt.results / "summary.json").write_text("mine")
    assert warned(spoilt.snakemake("--dry-run", SPECTRALUNMIX_AT_WORK="1")[1]) == []
    code, printed = spoilt.run()
    assert code == 0, printed
    assert "results/tiny/summary.json was altered: moved to" in printed
    output = (spoilt.folder / ".snakemake/output.log").read_text()
    assert warned(printed + output) == []


def test_results_of_other_libraries_are_no_matter_of_a_run(spoilt):
    for name in ("miles", "comparison"):
        (spoilt.folder / f"results/{name}/records").mkdir(parents=True)
        (spoilt.folder / f"results/{name}/records/pca.json").write_text("null")
    printed = spoilt.run_dry()[1]
    assert warned(printed) == ["records/pca.json", "summary.json"]
    assert "results/miles" not in printed
    assert "results/comparison" not in printed
    printed = spoilt.snakemake("--dry-run", "--config", "compare=[tiny, miles]")[1]
    for name in ("miles", "comparison"):
        assert f"WARNING: results/{name}/records/pca.json: not what" in printed


def test_a_large_result_is_read_only_if_it_was_touched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(altered, "LARGE", 3)
    (tmp_path / "results/tiny/records").mkdir(parents=True)
    path = tmp_path / "results/tiny/spectra.fits"
    path.write_text("large")
    record = {"outputs": {"results/tiny/spectra.fits": "0"}}
    (tmp_path / "results/tiny/records/select.json").write_text(json.dumps(record))
    config = {"library": "tiny", "compare": []}
    assert workflow.warnings_of_altered(config) == []
    assert len(list(altered.altered("tiny"))) == 1  # our own command reads all
    monkeypatch.setattr(altered, "TOGETHER", -60)  # as if it was changed a minute later
    assert len(workflow.warnings_of_altered(config)) == 1


def test_a_result_that_cannot_be_read_does_not_stop_a_run(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(altered, "sha256", refuse)
    (tmp_path / "results/tiny/records").mkdir(parents=True)
    (tmp_path / "results/tiny/figure.png").write_text("")
    record = {"outputs": {"results/tiny/figure.png": "0"}}
    (tmp_path / "results/tiny/records/plot.json").write_text(json.dumps(record))
    (said,) = workflow.warnings_of_altered({"library": "tiny", "compare": []})
    assert said.startswith("WARNING: results/tiny: not compared with its records: ")
    assert "Permission denied" in said


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
