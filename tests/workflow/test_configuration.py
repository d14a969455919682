"""Settings, from the file and from the command line."""

import json


def test_numbers_as_people_write_them(tiny):
    """1e-7, which YAML 1.1 takes for text, and settings on the command line."""
    path = tiny.folder / "config/config.yaml"
    assert "tol: 1.0e-8" in path.read_text()
    path.write_text(path.read_text().replace("tol: 1.0e-8", "tol: 1e-7"))
    tiny.entry["classes"] = {"hot": {"label": "Hot", "where": {"teff": {"min": "5e3"}}}}
    tiny.save()
    assert "min: 5e3" in (tiny.folder / "config/libraries/tiny.yaml").read_text()
    fit = "results/tiny/nmf_fit.json"
    code, printed = tiny.run(fit, "--config", "smooth_nmf={smoothness: 2e1, strict: false}")
    assert code == 0, printed
    settings = json.loads((tiny.results / "records/smooth_nmf.json").read_text())["settings"]
    assert (settings["tol"], settings["smoothness"], settings["strict"]) == (1e-7, 20, False)
    assert settings["n_components"] == 2
