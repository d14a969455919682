"""One set of versions, and every key documented."""

import ast
import re
import tomllib
from itertools import chain
from pathlib import Path

import yaml
from astropy.table import Table

import pages
import spectralunmix

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


def test_the_version_stands_in_one_place():
    """And the changelog begins with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text()
    latest = re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)[1]
    assert latest == spectralunmix.__version__


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
        assert value == child["default"]
        assert child["description"]
        assert f"`{key}`" in page
    assert len(re.findall(r"^\| `[a-z_.]+` \|", page, flags=re.M)) == len(list(leaves(schema)))


def rows(schema, prefix=""):
    """The lines of the page's table that a schema makes."""
    for key, child in schema["properties"].items():
        required, description = key in schema.get("required", []), child["description"]
        if "enum" in child:
            values = ["null" if value is None else value for value in child["enum"]]
            description += f" ({', '.join(f'`{value}`' for value in values)})"
        if required:
            default = "-"
        elif "default" in child:
            value = child["default"]
            default = f"`{'null' if value is None else value}`"
        else:
            assert "default" in description
            default = "see meaning"
        yield f"| `{prefix}{key}` | {default} | {description} |"
        for end, inner in (
            (".", child),
            ("[].", child.get("items", {})),
            (".*.", child.get("additionalProperties", {})),
        ):
            if isinstance(inner, dict) and "properties" in inner:
                assert inner["additionalProperties"] is False
                yield from rows(inner, f"{prefix}{key}{end}")


def test_the_page_on_libraries_has_the_schemas_keys():
    schema = yaml.safe_load((ROOT / "workflow/schemas/library.schema.yaml").read_text())
    assert schema["additionalProperties"] is False
    page = (ROOT / "config/libraries/README.md").read_text()
    table = page.split("## Every key")[1].split("| --- | --- | --- |\n")[1]
    assert table.splitlines() == list(rows(schema))


def test_the_page_on_libraries_says_which_entries_were_run():
    page = (ROOT / "config/libraries/README.md").read_text()
    said = page.split("## What was run")[1].split("##")[0]
    lines = [line for line in said.splitlines() if line.startswith("| `")]
    layout = [line for line in lines if "not** the library's own" in line]
    original = [line for line in lines if line not in layout]
    for path in (ROOT / "config/libraries").glob("*.yaml"):
        run_on = yaml.safe_load(path.read_text())["run_on"]
        for where, what in ((original, "original"), (layout, "layout")):
            assert (f"`{path.stem}`" in "".join(where)) == (run_on == what)


def test_an_entry_that_does_not_say_what_it_was_run_on_claims_nothing():
    schema = yaml.safe_load((ROOT / "workflow/schemas/library.schema.yaml").read_text())
    assert schema["properties"]["run_on"]["default"] is None


# What starts runs and looks at their results; no step imports it.
COMMANDS = {"front_door.py", "terminal.py", "altered.py", "closing.py", "verify.py", "addresses.py"}


def test_the_modules_listed_for_the_workflow_are_all_there_are():
    text = (ROOT / "workflow/rules/common.smk").read_text()
    listed = re.search(r'MODULES = """(.*?)"""', text, flags=re.S)[1].split()
    scripts = ROOT / "workflow/scripts"
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    modules = {str(path.relative_to(scripts)) for path in scripts.rglob("*.py")}
    steps = {name for name in modules if f'"../scripts/{name}"' in rules}
    assert set(listed) == modules - steps - COMMANDS
    assert len(listed) == len(set(listed))


def test_names_that_are_taken_are_the_columns_of_the_selection():
    text = (ROOT / "workflow/rules/common.smk").read_text()
    taken = ast.literal_eval(re.search(r"OF_SELECTION = (\{.*?\})", text)[1])
    assert taken == set(pages.BOOKKEEPING)
    selection = ROOT / "tests/reference/pickles1998/selection.ecsv"
    columns = set(Table.read(selection, format="ascii.ecsv").colnames)
    parameters = yaml.safe_load((ROOT / "config/libraries/pickles1998.yaml").read_text())
    assert taken == columns - set(parameters["parameters"]["columns"])
