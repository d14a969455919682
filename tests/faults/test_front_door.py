"""A caller's environment, files and earlier results: they do nothing to a run, or are named."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from astropy.table import Table

from environment import environment
from spectralunmix.command import altered, closing, run
from spectralunmix.command.verify import against_manifest, verify
from spectralunmix.errors import LibraryError
from spectralunmix.files import replacing, write_table

ROOT = Path(__file__).parents[2]
SELECTION = "results/tiny/selection.ecsv"
FOLDERS = [
    pytest.param(name, marks=pytest.mark.slow) for name in ('a "b" c', "1e4", "[a, b]", "ä é")
]


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty results folder of the library `tiny`, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/tiny/records").mkdir(parents=True)
    return tmp_path / "results/tiny"


def record(results, outputs, name="assign"):
    (results / f"records/{name}.json").write_text(json.dumps({"outputs": outputs}))


def test_a_record_names_only_results_of_its_own_library(results, tmp_path):
    """A record from somebody else cannot have any other file moved."""
    victims = [tmp_path / "thesis.tex", results.parent / "other/figure.png", results / "x/y"]
    for victim in victims:
        victim.parent.mkdir(exist_ok=True)
        victim.write_text("mine")
    (results / "way_out").symlink_to(tmp_path)
    names = [
        str(victims[0]),
        "thesis.tex",
        "results/tiny/../../thesis.tex",
        "results/tiny/way_out/thesis.tex",
        "results/other/figure.png",
        "results/tiny/x",
        "results/tiny/..",
    ]
    record(results, dict.fromkeys(names, "0"))
    assert list(altered.altered("tiny")) == [Path("results/tiny/x")]


NESTED = "[" * 200_000


@pytest.mark.parametrize(
    "text", ["null", "[]", "{", '{"outputs": []}', '{"outputs": 3}', "\xff", NESTED], ids=range(7)
)
def test_a_damaged_record_is_one_that_is_missing(results, text):
    path = results / "records/pca.json"
    path.write_bytes(text.encode("latin-1"))
    assert list(altered.altered("tiny")) == [Path("results/tiny/records/pca.json")]
    step = STEP | {"versions": {}, "platform": {}}
    (results / "manifest.json").write_text(json.dumps({"steps": [step]}))
    wrong = against_manifest(Path("results/tiny"))
    assert "results/tiny/records/pca.json: not a record" in wrong


STEP = {"step": "pca", "inputs": {}, "outputs": {}, "sources": {}}
NO_MANIFESTS = ["[]", "null", "3", '{"steps": [1]}', '{"steps": {"a": 1}}', "{", '{"steps": []}']
NO_MANIFESTS += [
    NESTED,
    json.dumps({"steps": [STEP]}),
    json.dumps({"steps": [STEP | {"step": []}]}),
]


@pytest.mark.parametrize("text", NO_MANIFESTS, ids=range(len(NO_MANIFESTS)))
def test_a_damaged_manifest_is_named(results, text):
    (results / "manifest.json").write_text(text)
    with pytest.raises(LibraryError, match=r"results/tiny/manifest.json: not a manifest .*again"):
        against_manifest(Path("results/tiny"))


def test_a_reference_that_is_damaged_is_named(results, tmp_path):
    step = STEP | {"versions": {"matplotlib": "1"}, "platform": {}}
    for folder, version in ((results, "1"), (tmp_path / "theirs", "2")):
        folder.mkdir(exist_ok=True)
        steps = [step | {"versions": {"matplotlib": version}}]
        (folder / "manifest.json").write_text(json.dumps({"steps": steps}))
        (folder / "nmf_fit.json").write_text("[]")
    (results / "records/manifest.json").write_text("{}")
    with pytest.raises(LibraryError, match="theirs: the results are not complete"):
        verify(Path("results/tiny"), tmp_path / "theirs")


def test_a_link_in_the_place_of_a_result_is_moved_itself(results, tmp_path):
    target = tmp_path / "elsewhere.png"
    (results / "figure.png").symlink_to(target)  # dangling
    record(results, {"results/tiny/figure.png": "0"})
    (path,) = altered.altered("tiny")
    aside = altered.set_aside(path)
    assert aside.is_symlink()
    assert not os.path.lexists(path)
    target.write_bytes(b"mine")
    path.symlink_to(target)
    assert altered.set_aside(path).name == "figure.png.altered.altered"
    assert target.read_bytes() == b"mine"
    path.symlink_to(target)  # with the very bytes that were recorded it is no alteration
    record(results, {"results/tiny/figure.png": hashlib.sha256(b"mine").hexdigest()})
    assert list(altered.altered("tiny")) == []


def test_a_run_heals_links_and_what_was_deleted(made):
    tiny = made
    figure = (tiny.results / "figure.png").read_bytes()
    (tiny.results / "figure.png").unlink()
    (tiny.results / "figure.png").symlink_to("nowhere")
    shutil.rmtree(tiny.results / "download")
    (tiny.results / "records/pca.json").write_text("null")
    foreign = tiny.folder / "results/exp/records/run1.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text('{"mine": 1}')
    code, printed = tiny.run()
    assert code == 0, printed
    assert (tiny.results / "figure.png").read_bytes() == figure
    assert tiny.verify()[0] == 0
    assert foreign.read_text() == '{"mine": 1}'


def test_the_callers_code_and_settings_stay_outside(tiny):
    """Modules of the names of ours; a backend that is none; a plain POSIX locale."""
    theirs = tiny.folder / "theirs"
    theirs.mkdir()
    for name in ("step", "numpy", "snakemake", "spectralunmix", "provenance"):
        (theirs / f"{name}.py").write_text("raise SystemExit('not yours to run')")
    shutil.copyfile(theirs / "numpy.py", tiny.folder / "numpy.py")
    code, printed = tiny.run(
        SELECTION,
        PYTHONPATH=str(theirs),
        MPLBACKEND="nonsense",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        LC_ALL="POSIX",
    )
    assert code == 0, printed


def test_links_in_the_place_of_files_of_a_run(results, tmp_path):
    """Snakemake would write the times of a step through the link, and a killed run's part too."""
    victim = tmp_path / "thesis.tex"
    victim.write_text("mine")
    (results / "benchmarks").mkdir()
    for link in (results / "benchmarks/plot.tsv", results / ".part-figure.svg"):
        link.symlink_to(victim)
    with replacing(results / "figure.svg") as part:
        part.write_text("figure")
    altered.clear("tiny")
    assert victim.read_text() == "mine"
    assert not (results / "figure.svg").is_symlink()
    assert [path.name for path in results.rglob("*") if path.is_symlink()] == []


def test_records_that_are_a_link_to_another_folder(results, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/private.json").write_text('{"mine": 1}')
    (results / "records").rmdir()
    (results / "records").symlink_to(tmp_path / "docs")
    assert list(altered.altered("tiny")) == []


@pytest.mark.parametrize("target", ["-n", "--list-rules", "--unlock"])
def test_only_targets_are_run(tiny, target):
    tiny.results.mkdir(parents=True)
    code, printed = tiny.run("--", target)
    assert code != 0
    assert f"{target}: neither a target nor KEY=VALUE" in printed


def test_the_last_words_on_classes_of_any_name(tmp_path):
    names = ["M's", 'a "b"', "back\\slash", "two words"]
    write_table(tmp_path / "t.ecsv", Table({"class": names, "n": [1, 2, 3, 4]}))
    assert [line.rsplit(maxsplit=1)[0] for line in closing.table(tmp_path / "t.ecsv")[1:]] == names


def test_a_configuration_without_a_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run.library_of({}) == "coelho2014"
    (tmp_path / "config").mkdir()
    for text in ("", "library: [", "3", "plot: {width: 7}"):
        (tmp_path / "config/config.yaml").write_text(text)
        assert run.library_of({}) == "coelho2014"


def makes(folder, target, **settings):
    set_up = [f"VENV={sys.prefix}", "-o", f"{sys.prefix}/ready"]
    return subprocess.run(
        ["make", *set_up, target, *(f"{key}={value}" for key, value in settings.items())],
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "name",
    ["x; touch y", "$(shell touch y)", "$$(touch y)", "`touch y`", "x' ; touch y ; '", '"', "-x"],
)
def test_a_librarys_name_is_no_command(tiny, name):
    shutil.copyfile(ROOT / "Makefile", tiny.folder / "Makefile")
    done = makes(tiny.folder, "figure", LIBRARY=name)
    assert done.returncode != 0
    assert f"no config/libraries/{name}.yaml" in done.stderr
    assert not (tiny.folder / "y").exists()


def test_no_name_of_a_result_is_a_command_of_clean(tmp_path):
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    for name in ("results/a b", "results/$(touch y)", "results/.altered", "b", "'; touch y '"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "results/README.md").write_text("page")
    done = subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["README.md"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "'; touch y '",
        "Makefile",
        "b",
        "results",
    ]


def test_the_number_of_killed_runs_is_no_command(tmp_path):
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "venv/bin").mkdir(parents=True)
    pytest_of_ours = tmp_path / "venv/bin/pytest"
    pytest_of_ours.write_text('#!/bin/sh\nprintf %s "$KILLS" > kills\n')
    pytest_of_ours.chmod(0o755)
    set_up = ["VENV=venv", "-o", "venv/ready"]
    for text in ("'; touch y; '", "$(shell touch y)", "3"):
        command = ["make", *set_up, "faults", f"KILLS={text}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "kills").read_text() == text
    subprocess.run(["make", *set_up, "faults"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "kills").read_text() == "10"
    assert not (tmp_path / "y").exists()


def test_the_help_of_make_names_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", text, flags=re.M)[1].split()) - {"help", "FORCE"}
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    for target in targets:
        assert re.search(rf"(make|;|,) {target}\b", done.stdout), target
    assert max(map(len, done.stdout.splitlines())) <= 90
    named = set(re.findall(r"\bmake (\S+)", done.stdout))
    assert named <= targets


@pytest.mark.parametrize(
    "name",
    ["o'brien", *FOLDERS],
)
def test_a_copy_in_a_folder_of_any_name(tiny, name):
    shutil.copyfile(ROOT / "Makefile", tiny.folder / "Makefile")
    copy = tiny.folder / name
    tiny.spectra.rename(copy)
    done = makes(tiny.folder, "validate", LIBRARY="tiny", LIBRARY_PATH=name)
    assert done.returncode == 0, done.stderr
    assert "Tiny: 14 spectra" in done.stdout
    (copy / "t4000.txt").write_bytes((copy / "t4300.txt").read_bytes())
    done = makes(tiny.folder, "validate", LIBRARY="tiny", LIBRARY_PATH=name)
    assert "the same fluxes as" in done.stderr  # another copy there is noticed


def test_a_copy_in_a_folder_with_braces(tiny):
    shutil.copyfile(ROOT / "Makefile", tiny.folder / "Makefile")
    tiny.spectra.rename(tiny.folder / "{x}")
    done = makes(tiny.folder, "validate", LIBRARY="tiny", LIBRARY_PATH="{x}")
    assert done.returncode != 0
    message = r"^ERROR: \{x\}/t\d+\.txt: Snakemake cannot read a file with \{ or \} .* link to it$"
    assert re.search(message, done.stderr, flags=re.M)
    assert "Traceback" not in done.stderr


def test_a_working_folder_that_snakemake_cannot_work_in(tiny):
    folder = tiny.folder / "{x}"
    shutil.copytree(tiny.folder / "config", folder / "config")
    tiny.folder = folder
    for name in ("workflow", "Snakefile", ".venv"):
        (folder / name).symlink_to(f"../{name}")
    code, printed = tiny.run()
    assert code != 0
    assert "with { or } in its name" in printed
    assert "Traceback" not in printed


def test_more_components_than_spectra_is_one_line(tiny):
    tiny.entry["selection"] = {"mode": "all"}  # how many that are only reading them tells
    tiny.save()
    path = tiny.folder / "config/config.yaml"
    path.write_text(path.read_text().replace("n_components: 2", "n_components: 99"))
    code, printed = tiny.run("results/tiny/pca_fit.json")
    assert code != 0
    assert "n_components: 99 is more than 14 spectra of 60 channels can give" in printed
    assert "Traceback" not in printed


def test_a_file_of_the_future_is_named_with_the_way_out(tiny):
    path = tiny.spectra / "t4000.txt"
    ahead = time.time() + 1e6
    os.utime(path, (ahead, ahead))
    code, printed = tiny.run(SELECTION)
    assert code != 0
    assert "spectra/t4000.txt: its date lies in the future" in printed
    assert "touch 'spectra/t4000.txt'" in printed


def test_aliases_that_multiply_end_at_once(tiny):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    path = tiny.folder / "config/libraries/tiny.yaml"
    path.write_text("\n".join(lines))
    began = time.time()
    code, printed = tiny.run()
    assert code != 0
    assert "tiny.yaml: more than 100000 values" in printed
    assert time.time() - began < 30


def test_verify_looks_at_what_was_made_last(results, monkeypatch):
    monkeypatch.setattr(closing, "RESULTS", results.parent)
    assert closing.made_last() is None
    for age, name in enumerate(["pickles1998", "coelho2014"]):
        folder = results.parent / name
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
        os.utime(folder / "manifest.json", (1000 - age, 1000 - age))
    assert closing.made_last() == "pickles1998"


def test_settings_that_make_does_not_know_and_those_of_the_environment(tiny, monkeypatch):
    shutil.copyfile(ROOT / "Makefile", tiny.folder / "Makefile")
    done = makes(tiny.folder, "figure", library="tiny")
    assert done.returncode != 0
    assert "library: no such setting; there are LIBRARY" in done.stderr
    monkeypatch.setenv("LIBRARY_PATH", "/opt/lib:/usr/lib")  # the linker's
    done = makes(tiny.folder, "validate", LIBRARY="tiny")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_folder_and_an_environment_with_spaces_and_quotes(tiny):
    folder = tiny.folder.rename(tiny.folder.with_name("it's a folder"))
    shutil.rmtree(folder / ".venv")
    command = [environment(folder), "-I", "-m", "spectralunmix.cli", "figure"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "figure: results/tiny/figure.pdf" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("notes: [2020-13-45]", "tiny.yaml: citation: is missing"),
        ("name: x\n<<: {a: 1}", "tiny.yaml: <<: '<<' was unexpected"),
        ("name: x\nname: y", "tiny.yaml: name is there twice, in lines 1 and 2"),
        (None, "results/comparison is for something else: choose another name"),
    ],
)
def test_a_mistake_in_an_entry_names_its_file(tiny, text, message):
    if text:
        (tiny.folder / "config/libraries/tiny.yaml").write_text(text)
    else:
        path = tiny.folder / "config/config.yaml"
        path.write_text(path.read_text().replace("library: tiny", "library: comparison"))
    code, printed = tiny.run()
    assert code != 0
    assert message in printed


def test_a_copy_that_is_not_there_is_told_before_anything_is_lost(made):
    run = [made.python, "-I", "-m", "spectralunmix.cli", "figure", "--library-path", "nothere"]
    done = subprocess.run(run, cwd=made.folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("library_path: nothere does not exist\n")
    assert made.verify()[0] == 0
