"""The demo: real observed stars, from the package index."""

import json
import re

import pytest
from astropy.table import Table


def test_the_demo(project):
    run = project.run("library=pickles1998")
    assert run.returncode == 0, run.stderr
    results = project.results("pickles1998")
    selection = Table.read(results / "selection.ecsv", format="ascii.ecsv")
    assert len(selection) == 80
    assert sorted(selection["spectral_type"][selection["class"] == "cool_dwarf"])[0] == "K2V"
    summary = json.loads((results / "summary.json").read_text())
    assert summary["nmf"]["converged"]
    for row in summary["nmf"]["assignment"]:
        assert row["distance"] < 0.3
    assert summary["nmf"]["total_distance"] < summary["pca"]["total_distance"]
    steps = ("download", "select", "prototypes", "pca", "smooth_nmf", "assign", "plot")
    for step in steps:
        assert (results / "logs" / f"{step}.log").is_file()
        assert (results / "benchmarks" / f"{step}.tsv").is_file()
    assert (results / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert (results / "figure.pdf").read_bytes().startswith(b"%PDF")
    verified = project.verify("pickles1998")
    assert verified.returncode == 0, verified.stderr
    again = project.run("library=pickles1998")
    assert "nothing to be done" in again.stdout + again.stderr


def test_one_librarys_settings_do_not_make_anothers_figure(project):
    run = project.run("library=pickles1998", target="results/coelho2014/figure.pdf")
    assert run.returncode != 0
    assert "No rule to produce results/coelho2014/figure.pdf" in run.stderr
    assert not project.results("coelho2014").exists()


@pytest.mark.parametrize(
    ("edit", "config", "message"),
    [
        (("n_components: 4\n  smooth", "rnak: 4\n  smooth"), [], "smooth_nmf.rnak: 'rnak' was"),
        (("smoothness: 10", "smoothness: -1"), [], "smooth_nmf.smoothness: -1"),
        (("metric: rms", "metric: cosine"), [], "assign.metric: 'cosine'"),
        (None, ["nonsense=1"], "'nonsense' was unexpected"),
        (None, ["library=kurucz"], "there are bosz2024, ck04, coelho2014,"),
        (("n_components: 4\n  smooth", "n_components: 81\n  smooth"), [], "81 is more than the 80"),
        (None, ["library_path=nowhere"], "nowhere does not exist"),
    ],
)
def test_a_mistake_ends_in_one_error(project, edit, config, message):
    if edit:
        project.edit("config/config.yaml", *edit)
    run = project.run(*config)
    assert run.returncode != 0
    assert re.search(message, run.stderr), run.stderr
    assert "Traceback" not in run.stderr
    assert not list((project.folder / "results").rglob("spectra.fits"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("doi:", "dio:"), "'dio' was unexpected"),
        (("reader: fits_table", "reader: fits"), "sources.0.reader: 'fits'"),
        (
            ("reader: fits_table", "reader: text\n    options: {row: 1}"),
            "sources.0.options.row: 'row' was unexpected",
        ),
        (
            ("sha256:", "# sha256:"),
            "a wheel is pypi:name==version, with `name`, a .whl, and",
        ),
        (("order: [spectral_class]", "per_class: 23"), "there are 22 of hot_star, 30 of"),
        (("order: [spectral_class]", "classes: [hot_stars]"), "no class hot_stars"),
    ],
)
def test_a_mistake_in_a_librarys_entry(project, edit, message):
    project.edit("config/libraries/pickles1998.yaml", *edit)
    run = project.run("library=pickles1998")
    assert run.returncode != 0
    assert message in run.stderr
    assert "config/libraries/pickles1998.yaml" in run.stderr
