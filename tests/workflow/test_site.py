"""The site: its pages, and the examples of the API reference."""

import doctest
import re
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
