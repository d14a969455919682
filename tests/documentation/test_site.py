"""The site: its pages, and the examples of the API reference."""

import doctest
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import spectralunmix

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EQUATION = re.compile(r"^\$\$ \((\w+)\)$", re.M)


def test_every_public_name_has_its_place_in_the_reference():
    pages = "".join(path.read_text() for path in (DOCS / "api").glob("*.md"))
    listed = re.findall(r"^\.\. auto\w+:: (\w+)$", pages, flags=re.M)
    assert sorted(listed) == sorted(set(spectralunmix.__all__) - {"__version__"})


@pytest.mark.parametrize("name", [n for n in spectralunmix.__all__ if n != "__version__"])
def test_the_examples_of_the_reference_run(name):
    found = getattr(spectralunmix, name)
    tests = doctest.DocTestFinder(recurse=True).find(found, name)
    assert any(test.examples for test in tests)
    for test in tests:
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
        assert result.failed == 0, test.name


def test_equations_have_the_numbers_that_docstrings_name():
    names = EQUATION.findall((DOCS / "method.md").read_text())
    number = {name: i + 1 for i, name in enumerate(names)}
    assert len(number) == 12
    named = {
        "objective.py": {"objective": "as in (1)", "gauge": "component (5)", "value": "fit (3)"},
        "updates.py": {"weights": "spectrum (6)", "components": "neighbours (7)"},
        "linear_algebra.py": {"newton": "factorised (8)"},
        "anticipation.py": {"response": "components by (9)", "anticipated": "where (10)"},
        "compression.py": {"compressed": "fit (11)"},
        "proximal_gradient.py": {"proximal": "steps (12)"},
    }
    for module, phrases in named.items():
        text = (ROOT / "src/spectralunmix/nmf" / module).read_text()
        for name, phrase in phrases.items():
            assert phrase in text, (module, phrase)
            assert phrase.endswith(f"({number[name]})")


@pytest.fixture
def docs(monkeypatch):
    """The modules that make and check the site."""
    monkeypatch.syspath_prepend(DOCS)
    import check_links
    import generated_pages

    yield generated_pages, check_links
    for name in ("check_links", "generated_pages"):
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("nope.html", "no such page"),
        ("other.html#nope", "no such part"),
        ("/etc/passwd", "no file of the site"),
        ("../outside.html", "no file of the site"),
        ("folder", "no page"),
        ("gallery/nope.png", "no such picture"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link, why, docs, tmp_path):
    site = tmp_path / "gallery/site"
    (site / "folder").mkdir(parents=True)
    (site.parent / "outside.html").write_text("")
    (site / "other.html").write_text('<p id="part">')
    good = '<a href="other.html#part"></a><a href="https://example.org/nope.html"></a>'
    (site / "index.html").write_text(good)
    assert docs[1].broken(site) == []
    (site / "index.html").write_text(f'{good}<a href="{link}"></a>')
    assert docs[1].broken(site) == [f"index.html: {link}"]


def test_a_site_without_pages_is_no_good_one(docs, tmp_path):
    assert docs[1].broken(tmp_path / "nowhere") == [f"{tmp_path / 'nowhere'}: no pages"]


def test_every_setting_is_on_the_page_of_a_step(docs, tmp_path):
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    docs[0].write_steps(tmp_path)
    pages = {path.stem: path.read_text() for path in (tmp_path / "docs").rglob("*.md")}
    rules = (ROOT / "workflow/rules").glob("*.smk")
    names = [name for path in rules for name in re.findall(r"^rule (\w+):", path.read_text(), re.M)]
    assert sorted(pages) == sorted([*names, "index"])
    assert "`bootstrap.n_resamples`" in pages["resample"]
    written = "".join(pages.values())
    for key in docs[0].meanings():
        if "." in key and not key.startswith("cubes."):  # which are those of cubes in their place
            assert f"- `{key}`: " in written, key


@pytest.fixture
def results(tmp_path):
    """A copy of two entries, and files of a run of one of them."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "config/cubes").mkdir(parents=True)
    (tmp_path / "config/libraries").mkdir()
    for name in ("miles", "mastarhc"):
        shutil.copy(ROOT / f"config/libraries/{name}.yaml", tmp_path / "config/libraries")
    made = tmp_path / "results/miles"
    made.mkdir(parents=True)
    names = ("nmf_components.ecsv", "assignments.ecsv", "figure.png", "report.html")
    for i, name in enumerate([*names, "manifest.json"]):
        (made / name).write_text(name)
        os.utime(made / name, (1000 + i, 1000 + i))
    return tmp_path


def test_the_gallery_shows_pages_of_the_fit_that_is_there(docs, results):
    shown = results / "docs/_site/gallery/miles"
    docs[0].write_gallery(results)
    assert {path.name for path in shown.iterdir()} == {"figure.png", "report.html"}
    cards = (results / "docs/_cards.md").read_text()
    assert "## Cubes" not in cards  # there are none, and no empty grid
    assert cards.index("LIBRARY=miles") < cards.index("LIBRARY=mastarhc")
    os.utime(results / "results/miles/assignments.ecsv", (2000, 2000))
    docs[0].write_gallery(results)
    assert [path.name for path in shown.iterdir()] == ["figure.png"]
    (results / "results/miles/manifest.json").unlink()
    docs[0].write_gallery(results)
    assert not shown.exists()


def test_an_entry_puts_no_markup_in_the_gallery(docs, results):
    """Angle brackets are no valid text of an entry, but quotes and marks of Markdown are."""
    path = results / "config/libraries/miles.yaml"
    markup = """'x" onerror="alert(1)" *a* [b](c)'"""
    path.write_text(
        re.sub(r"^(name|citation): .*$", rf"\1: {markup}", path.read_text(), flags=re.M)
    )
    docs[0].write_gallery(results)
    cards = (results / "docs/_cards.md").read_text()
    assert 'alt="x&quot; onerror=&quot;alert(1)&quot; *a* [b](c)"' in cards
    in_markdown = r"x\" onerror\=\"alert\(1\)\" \*a\* \[b\]\(c\)"
    assert f"grid-item-card}} {in_markdown}\n" in cards
    assert f"\n{in_markdown}\n" in cards


@pytest.mark.parametrize("text", ["", "name: Only", "name: [a", "- a", "name: <script>"])
def test_an_unfinished_entry_is_left_out_of_the_gallery(text, docs, results, capsys):
    (results / "config/libraries/own.yaml").write_text(text)
    docs[0].write_gallery(results)
    assert "own.yaml" in capsys.readouterr().err
    assert "own" not in re.findall(r"LIBRARY=(\w+)", (results / "docs/_cards.md").read_text())


def test_what_the_glossary_explains_is_explained_once():
    terms = re.findall(r"^(\w[\w -]*)$", (DOCS / "glossary.md").read_text(), flags=re.M)
    assert len(terms) > 20
    assert len(terms) == len(set(terms))


def test_the_readme_is_short():
    """And begins with what it is, a picture, an installation and five lines of Python."""
    text = (ROOT / "README.md").read_text()
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    assert len(re.sub(r"\]\([^)]*\)", "]", prose).split()) <= 250
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    assert len([line for line in block.splitlines() if line]) == 5
