"""Settings, from the file and from the command line."""

import json

import pytest


@pytest.mark.slow
def test_numbers_as_people_write_them(tiny):
    """1e-7, which YAML 1.1 takes for text, and settings on the command line."""
    path = tiny.folder / "config/config.yaml"
    assert "tol: 1.0e-8" in path.read_text()
    path.write_text(path.read_text().replace("tol: 1.0e-8", "tol: 1e-7"))
    tiny.entry["classes"] = {"hot": {"label": "Hot", "where": {"teff": {"min": "5e3"}}}}
    tiny.save()
    assert "min: 5e3" in (tiny.folder / "config/libraries/tiny.yaml").read_text()
    summary = "results/tiny/summary.json"
    code, printed = tiny.run(summary, "--set", "smooth_nmf={smoothness: 2e1, strict: false}")
    assert code == 0, printed
    settings, of_assign = (
        json.loads((tiny.results / f"records/{step}.json").read_text())["settings"]
        for step in ("smooth_nmf", "assign")
    )
    assert (settings["tol"], settings["smoothness"], of_assign["strict"]) == (1e-7, 20, False)
    assert settings["n_components"] == 2
