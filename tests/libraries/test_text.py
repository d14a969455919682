"""Text of entries and of data is text: in pictures no mathematics, in pages no markup."""

import importlib.util
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from spectralunmix import assignment as assign
from spectralunmix.errors import ConfigurationError
from spectralunmix.figures import scan, weights
from spectralunmix.figures import style as figures
from spectralunmix.files import (
    component_names,
    write_curves,
    write_json,
    write_spectra,
    write_table,
)
from spectralunmix.libraries.entry import Entry
from spectralunmix.models import checked
from tiny import ENTRY

MATHEMATICS = ["costs $5", "$x_{", "a $\\alpha$ b", "\\frac{", "$$"]
ONE_LINE = "'.*' is not one line of text, without angle brackets and control characters"
MARKUP = "</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize("name", MATHEMATICS)
def test_signs_of_mathematics_are_shown_as_they_are(name, tmp_path):
    fig, ax = plt.subplots()
    figures.heading(ax, "A", name)
    ax.set_xticks([0], [name])
    ax.plot([0, 1], label=name)
    ax.legend()
    fig.suptitle(name)
    figures.save(fig, *(str(tmp_path / f"figure.{end}") for end in ("pdf", "png", "svg")))
    plt.close(fig)
    # matplotlib writes what the outlines of letters say as comments
    said = re.findall(r"<!-- (.*) -->", (tmp_path / "figure.svg").read_text())
    assert said.count(name) == 3
    (title,) = [text for text in said if text.startswith("$\\bf{A}$")]
    assert title.endswith(name.replace("$", "\\$"))


def test_pictures_of_a_library_with_such_a_name(tmp_path):
    fits = pd.DataFrame({"n_components": [2, 3], "smoothness": [0.0, 0.0], "start": [0, 0]})
    for name, _, _ in scan.PANELS:
        fits[name] = [1e-3, 2e-4]
    with figures.mpl.rc_context(figures.STYLE):
        fig = scan.draw(fits, "$x_{", "rms")
        fig.draw_without_rendering()
    for ax in fig.axes:
        assert not any("$" in label.get_text() for label in ax.get_yticklabels(which="both"))
    assert "10⁻³" in [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert figures.PowersOfTen()(2e-8) == "2\u00d710⁻⁸"
    members, labels = np.array(["hot", "cool"] * 5), {"hot": "$_{", "cool": "\\frac{"}
    pairs = {"component_1": {"class": "hot", "doubtful": False}}
    with figures.mpl.rc_context(figures.STYLE):
        drawn = weights.draw(
            np.full((10, 2), 0.5), component_names(2), members, list(labels), labels, pairs, "$"
        )
        drawn.draw_without_rendering()
    plt.close("all")


def with_text(key, text):
    """An entry with the text under that key."""
    entry = json.loads(json.dumps(ENTRY))
    at = entry
    *path, last = key
    for part in path:
        at = at[part]
    at[last] = text
    return entry


@pytest.mark.parametrize(
    "text",
    [MARKUP, "two\nlines", "a\x07bell", "a\u2028b"],
    ids=["markup", "lines", "bell", "u2028"],
)
@pytest.mark.parametrize(
    "key",
    [
        ("name",),
        ("citation",),
        ("licence",),
        ("doi",),
        ("sources", 0, "description"),
        ("classes", "hot", "label"),
    ],
    ids=lambda key: key[-1],
)
def test_an_entry_s_texts_are_one_line_without_markup(key, text):
    checked(Entry, with_text(key, "Fine: Å, $, & and 'λ'"), "tiny.yaml")
    place = ".".join(map(str, key))
    with pytest.raises(ConfigurationError, match=f"^tiny.yaml: {place}: {ONE_LINE}") as error:
        checked(Entry, with_text(key, text), "tiny.yaml")
    assert len(str(error.value).splitlines()) == 1


def test_a_class_s_key_and_notes_are_too():
    for key, wrong in (
        (r"notes\.1", with_text(("notes",), ["fine", MARKUP])),
        ("classes.*", with_text(("classes", MARKUP), {"label": "Hot", "where": {}})),
        (
            r"parameters\.columns\.teff\.description",
            with_text(("parameters", "columns"), {"teff": {"description": MARKUP}}),
        ),
    ):
        with pytest.raises(ConfigurationError, match=f"^tiny.yaml: {key}: {ONE_LINE}"):
            checked(Entry, wrong, "tiny.yaml")


@pytest.fixture
def made(tmp_path):
    """Results of two classes whose files, parameters and their values are hostile."""
    wavelength, flux = np.linspace(4000, 7000, 20), np.full((4, 20), 0.5)
    selection = Table(
        {
            "file": [f"{MARKUP}{i}.fits" for i in range(4)],
            "class": ["hot", "hot", "cool", "cool"],
            MARKUP: [MARKUP, "$x_{", "&lt;", "<b>"],
        }
    )
    files = {name: str(tmp_path / name) for name in ("spectra", "selection", "prototypes")}
    write_spectra(files["spectra"], wavelength, flux, None, "air")
    write_table(files["selection"], selection)
    write_curves(files["prototypes"], wavelength, {"hot": flux[0], "cool": flux[1]})
    names = component_names(2)
    for name in ("nmf_components", "pca_components", "components"):
        files[name] = str(tmp_path / name)
        write_curves(files[name], wavelength, dict(zip(names, flux[:2], strict=True)))
    pairs = [
        (method, name, of, 0.1, 1, 0.02, np.nan, 1.0)
        for method in ("nmf", "pca")
        for name in names
        for of in ("hot", "cool")
    ]
    tables = {
        "nmf_weights": Table({name: np.ones(4) for name in names}),
        "distances": Table(rows=pairs, names=assign.OF_DISTANCES),
        "assignments": Table(
            rows=[(*row, "hot", 0.1, 0.5, True) for row in pairs[::3]], names=assign.OF_ASSIGNMENTS
        ),
    }
    for name, table in tables.items():
        files[name] = str(tmp_path / name)
        write_table(files[name], table)
    files["summary"] = str(tmp_path / "summary")
    write_json(files["summary"], {"warnings": [MARKUP]})
    return SimpleNamespace(
        input=SimpleNamespace(**files),
        params=SimpleNamespace(labels={"hot": MARKUP, "cool": "Cool"}, library=MARKUP),
        output=SimpleNamespace(page=str(tmp_path / "page.html")),
    )


ROOT = Path(__file__).parents[2]


def script(name):
    """A step's script as a module."""
    path = ROOT / f"workflow/scripts/{name}.py"
    spec = importlib.util.spec_from_file_location(f"script_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hostile_file_names_and_values_are_text_in_the_interactive_page(made):
    script("interactive").main(made, logging.getLogger())
    page = Path(made.output.page).read_text(encoding="utf-8")
    assert "<img" not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1]
    assert json.loads(data)["spectra"]["label"][0] == f"{MARKUP}0.fits ({MARKUP})"
    assert json.loads(data)["spectra"]["parameters"][MARKUP][0] == MARKUP


def test_hostile_file_names_and_values_are_text_in_the_page_of_methods(made, tmp_path):
    fit = {"roughness": [1, 1], "smoothness": 1, "weighted": False, "converged": True, "n_iter": 1}
    fit |= {"objective": 1, "optimality": 1, "tol": 1, "sum_of_squared_residuals": 1}
    total = {"total_distance": 1, "total_distance_standard_error": 0.1, "assignment": []}
    total["assignment"] = [{"same_assignment": 1.0}]
    fit |= {"explained_sum_of_squares": 1, **total}
    fit["dominant_component_is_own_class"] = 1
    pca = {"explained_variance_ratio": [0.5, 0.5], **total}
    difference = {"mean": 1, "standard_error": 0.1, "least": 0.5}
    resamples = {"n_resamples": 4, "n_not_converged": 1, "pca_minus_nmf": difference}
    source = {"description": MARKUP, "files": [MARKUP], "sha256": ""}
    summary = {"n_spectra": 4, "n_wave": 20, "metric": "rms", "source": source, "nmf": fit}
    of_resamples = {"pca": pca, "warnings": [MARKUP], "bootstrap": resamples}
    write_json(made.input.summary, summary | of_resamples)
    row = {"file": MARKUP, "class": MARKUP, "component": MARKUP, "relative_residual": 0.1}
    row |= {"change": 0.1, "chi2": None, "leverage": 0.1}
    said = {
        "uniqueness": {"statement": MARKUP},
        "diagnostics": {
            "statement": MARKUP,
            "worst_explained": [row],
            "most_influential": [row],
        },
    }
    for name, content in said.items():
        setattr(made.input, name, str(tmp_path / name))
        write_json(getattr(made.input, name), content)
    made.params.choice = [MARKUP]
    step = {"versions": {"numpy": MARKUP}, "platform": {"machine": MARKUP}, "sources": {}}
    step |= {"inputs": {MARKUP: MARKUP}, "outputs": {}}
    steps = [
        step | {"step": "smooth_nmf", "settings": {"init": MARKUP, "library": MARKUP}},
        step | {"step": "select", "settings": {"normalisation": MARKUP}},
    ]
    made.input.manifest = str(tmp_path / "manifest")
    write_json(made.input.manifest, {"steps": steps, "cite": [MARKUP], "doi": MARKUP})
    made.params.citation, made.wildcards = MARKUP, SimpleNamespace(library=MARKUP)
    script("methods").main(made, logging.getLogger())
    page = Path(made.output.page).read_text(encoding="utf-8")
    assert page.count("&lt;/script&gt;&lt;img") > 15
    assert "<img" not in page
