"""A library that only the page on libraries describes, added as a user does."""

import json

import pytest
from astropy.table import Table

COMPARISON = "results/comparison/manifest.json"


@pytest.mark.slow
def test_the_page_s_library_gives_a_figure(own):
    own.edit("config/config.yaml", "n_components: 4\n  smooth", "n_components: 2\n  smooth")
    run = own.run("library=mystars")
    assert run.returncode == 0, run.stderr
    results = own.results("mystars")
    selection = Table.read(results / "selection.ecsv", format="ascii.ecsv")
    assert len(selection) == 20
    assert selection.meta["medium"] == "air"
    assert str(selection["teff"].unit) == "K"
    for row in selection:
        assert row["file"].endswith(f"_{row['teff']:.0f}K.txt")
        assert (row["log_g"] > 4) == (row["class"] == "dwarf")
    summary = json.loads((results / "summary.json").read_text())
    assert summary["library"] == "My stars"
    assert (results / "figure.png").read_bytes().startswith(b"\x89PNG")
    own.edit("spectra/stars.csv", "HD1,2.0", "HD1,4.4")
    again = own.run("library=mystars", target="results/mystars/selection.ecsv")
    assert again.returncode == 0, again.stderr
    changed = Table.read(results / "selection.ecsv", format="ascii.ecsv")
    assert changed["class_size"].max() == 21


def test_validate_prints_and_draws_what_the_library_holds(own):
    run = own.run("library=mystars", target="results/mystars/library.png")
    assert run.returncode == 0, run.stderr
    for line in (
        "My stars: 40 spectra",
        "class dwarf: 20",
        "class giant: 20",
        "selected: 20 spectra",
        "log_g: 2 to 4.4, 40 known",
        "wavelengths: from 3800 to 9000 Angstrom",
    ):
        assert line in (own.results("mystars") / "library.txt").read_text()
    assert (own.results("mystars") / "library.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_come_in_one_message_before_any_fit(own):
    own.edit("spectra/stars.csv", "HD1,2.0", "HD111,2.0")
    own.edit("config/libraries/mystars.yaml", "per_class: 10", "per_class: 30")
    for target in ("all", "results/mystars/library.png"):
        run = own.run("library=mystars", target=target)
        assert run.returncode != 0
        for part in (
            "config/libraries/mystars.yaml does not fit the library",
            "stars.csv: no row for the spectrum HD1_",
            "stars.csv: no spectrum for the key HD111",
        ):
            assert part in run.stderr
        assert "Traceback" not in run.stderr
    assert not list(own.results("mystars").glob("*.*"))


@pytest.mark.slow
def test_two_libraries_side_by_side(own):
    """The demo's components and another's, from the optical range that both have."""
    own.edit("config/libraries/mystars.yaml", "dwarf: {label", "cool_dwarf: {label")
    run = own.run("library=mystars", "compare=[pickles1998,mystars]", target=COMPARISON)
    assert run.returncode == 0, run.stderr
    results = own.results("comparison")
    assert own.verify("comparison", reference=False).returncode == 0
    distances = Table.read(results / "distances.ecsv", format="ascii.ecsv")
    assert len(distances) == 8  # four components each, both ways
    for a in distances[distances["library"] == "mystars"]:
        (b,) = distances[
            (distances["library"] == "pickles1998")
            & (distances["component"] == a["other_component"])
        ]
        assert (b["other_component"], b["distance"]) == (a["component"], a["distance"])
    shares = Table.read(results / "transfer.ecsv", format="ascii.ecsv")
    share = {(row["spectra"], row["components"]): row["explained"] for row in shares}
    assert len(share) == 4
    for name in ("pickles1998", "mystars"):
        assert 0.9 < share[name, name] <= 1
    assert share["mystars", "pickles1998"] < share["mystars", "mystars"]
    assert (results / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_one_library_cannot_be_compared(own):
    run = own.run("library=mystars", "compare=[mystars]", target=COMPARISON)
    assert run.returncode != 0
    assert "compare: two libraries or more are needed, not mystars" in run.stderr
