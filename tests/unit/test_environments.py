"""One set of versions, and every key documented."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def pinned():
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith(" "))


def test_conda_has_the_versions_of_the_lock():
    names = {"pytorch-cpu": "torch"}
    lock = pinned()
    conda = yaml.safe_load((ROOT / "envs/environment.yaml").read_text())["dependencies"]
    versions = dict(d.split("=") for d in conda if "=" in d and not d.startswith("python="))
    assert len(versions) > 8
    for name, version in versions.items():
        assert lock[names.get(name, name)] == version


def test_the_lock_holds_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted}
    assert names <= set(pinned())


def leaves(schema, prefix=""):
    for key, child in schema["properties"].items():
        if child.get("type") == "object":
            yield from leaves(child, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", child


def test_configuration_schema_and_page_agree():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    page = (ROOT / "config/README.md").read_text()
    for key, child in leaves(schema):
        value = config
        for part in key.split("."):
            value = value[part]
        assert child["description"]
        assert f"`{key}`" in page
    assert len(re.findall(r"^\| `[a-z_.]+` \|", page, flags=re.M)) == len(list(leaves(schema)))
