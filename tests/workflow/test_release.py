"""What a release and the repository's pages on GitHub need."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import spectralunmix

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = [p for p in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config"]


def test_version_and_date_are_the_same_everywhere():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    version, date = re.search(r"^## (\S+) \((\S+)\)$", changelog, flags=re.M).groups()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert version == citation["version"] == spectralunmix.__version__
    assert date == str(citation["date-released"])
    assert citation["cff-version"] == "1.2.0"
    # goes when the authors are named
    assert any("placeholder" in author.get("name", "") for author in citation["authors"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash(path):
    """With the version beside it, for people."""
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_the_package_is_tested_on_every_python_that_it_is_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    start = "Programming Language :: Python :: "
    pythons = [line.removeprefix(start) for line in project["classifiers"] if start in line]
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    matrix = jobs["package"]["strategy"]["matrix"]
    assert matrix["python"] == pythons
    assert len(matrix["system"]) == 3
    (tests,) = [
        step["run"] for step in jobs["package"]["steps"] if "pytest -m" in step.get("run", "")
    ]
    for name in re.findall(r"tests/\S+", tests):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_one(path):
    form = yaml.safe_load(path.read_text())
    assert form["name"]
    assert form["description"]
    ids = [part["id"] for part in form["body"] if "id" in part]
    assert len(ids) == len(set(ids))
    for part in form["body"]:
        assert part["type"] in {"textarea", "input", "dropdown", "checkboxes", "markdown"}
        text = "value" if part["type"] == "markdown" else "label"
        assert part["attributes"][text]
        assert (part["type"] == "dropdown") == ("options" in part["attributes"])


def test_the_release_is_published_without_a_password():
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets" not in (ROOT / ".github/workflows/release.yml").read_text()


def test_links_of_the_readme_lead_to_the_version_s_files(tmp_path):
    """On the package's page, which has no other files."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    (script,) = [step["run"] for step in jobs["build"]["steps"] if "README" in step.get("name", "")]
    shutil.copy(ROOT / "README.md", tmp_path)
    environment = os.environ | {"GITHUB_REPOSITORY": "who/what", "GITHUB_REF_NAME": "v9.9.9"}
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=environment, check=True)
    before, after = ((folder / "README.md").read_text() for folder in (ROOT, tmp_path))
    targets = [re.findall(r"\]\((.*?)\)", text) for text in (before, after)]
    for old, new in zip(*targets, strict=True):
        kind = "raw" if old.endswith(".png") else "blob"
        own = f"https://github.com/who/what/{kind}/v9.9.9/{old}"
        assert new == (old if old.startswith("https:") else own)
    assert re.sub(r"\]\(.*?\)", "", before) == re.sub(r"\]\(.*?\)", "", after)


def test_the_hooks_are_those_of_make_lint():
    """But for Snakemake's own, which reads all rules."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    of_lint = re.findall(r"\$\(VENV\)/bin/(\w+(?: format)?)", lint)
    of_hooks = [re.match(r"\.venv/bin/(\w+(?: format)?)", hook["entry"])[1] for hook in hooks]
    assert sorted(of_hooks) == sorted(set(of_lint) - {"snakemake"})
