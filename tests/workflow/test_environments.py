"""One set of versions, and every key documented."""

import ast
import importlib
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from astropy.table import Table

import spectralunmix
from served import served
from spectralunmix import workflow
from spectralunmix.figures import pages
from spectralunmix.libraries import entry
from spectralunmix.pages_of_keys import generated

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.txt", "cuda.txt")


def blocks(lock):
    """Name, version and checksums of each requirement."""
    text = (ROOT / "envs" / lock).read_text()
    pattern = r"^([a-z][\w.-]*)==(\S+) ((?:\\\n +--hash=sha256:[0-9a-f]{64} ?)+)$"
    found = re.findall(pattern, text, flags=re.M)
    return {name: (version, re.findall(r"sha256:(\w+)", hashes)) for name, version, hashes in found}


def pinned():
    return {name: version for name, (version, _) in blocks("requirements.txt").items()}


def test_conda_has_the_versions_of_the_lock():
    names = {"pytorch-cpu": "torch", "ruamel.yaml": "ruamel-yaml"}
    lock = pinned()
    conda = yaml.safe_load((ROOT / "envs/environment.yaml").read_text())["dependencies"]
    versions = dict(d.split("=") for d in conda if "=" in d and not d.startswith("python="))
    versions = {names.get(name, name): version for name, version in versions.items()}
    assert versions == {name: lock[name] for name in versions}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["workflow"]]
    direct = {re.match(r"[\w.-]+", requirement)[0].replace(".", "-") for requirement in wanted}
    # a job has Snakemake from the environment that started it
    assert set(versions) == {name for name in direct if not name.startswith("snakemake")}


def test_the_lock_holds_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w.-]+", requirement)[0] for requirement in wanted}
    names = {name.lower().replace(".", "-") for name in names}
    assert names <= set(pinned())


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_has_a_version_and_checksums(lock):
    lines = (ROOT / "envs" / lock).read_text().splitlines()
    named = [line for line in lines if re.match("[a-zA-Z]", line)]
    assert len(named) > 15
    assert len(named) == len(blocks(lock))


def test_the_lock_has_torch_of_both_indexes_and_what_it_needs():
    """The CPU build for this Python on Linux, and what is for CUDA in a list of its own."""
    version, hashes = blocks("requirements.txt")["torch"]
    assert version == "2.13.0"
    for build in (
        "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",  # CPU, cp311, x86_64
        "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",  # CPU, cp311, aarch64
        "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",  # the package index's
        "e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8",  # macOS
    ):
        assert build in hashes
    assert "setuptools" in pinned()
    cuda = re.compile("(nvidia|cuda)-|triton")
    assert all(map(cuda.match, blocks("cuda.txt")))
    # pip would take an option here for one of the lock's packages as well
    assert "\n--" not in (ROOT / "envs/cuda.txt").read_text()
    assert not any(map(cuda.match, pinned()))


def test_a_renewed_lock_has_torchs_cpu_builds(tmp_path, monkeypatch):
    """Of its version and its Pythons; where their index is out of reach, those known already."""
    monkeypatch.syspath_prepend(ROOT / "envs")
    lock = importlib.import_module("lock")
    files = {
        "torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl": "1" * 64,
        "torch-2.13.0%2Bcpu-cp313-cp313-manylinux_2_28_aarch64.whl": "2" * 64,
        "torch-2.13.0%2Bcpu-cp310-cp310-manylinux_2_28_x86_64.whl": "3" * 64,
        "torch-2.13.0%2Bcpu-cp311-cp311-win_amd64.whl": "4" * 64,
        "torch-2.12.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl": "5" * 64,
    }
    (tmp_path / "torch").mkdir()
    links = [f'<a href="/whl/cpu/{name}#sha256={digest}">it</a>' for name, digest in files.items()]
    (tmp_path / "torch/index.html").write_text("<br/>".join(links))
    known = set(blocks("requirements.txt")["torch"][1])
    torch = "torch==2.13.0 \\\n    --hash=sha256:" + "6" * 64
    with served(tmp_path) as address:
        monkeypatch.setattr(lock, "CPU_INDEX", address)
        renewed = lock.with_cpu_builds(torch)
    assert set(re.findall(r"sha256:(\w+)", renewed)) == known | {c * 64 for c in "126"}
    assert set(re.findall(r"sha256:(\w+)", lock.with_cpu_builds(torch))) == known | {"6" * 64}
    newer = lock.with_cpu_builds(torch.replace("2.13.0", "2.99.0"))
    assert re.findall(r"sha256:(\w+)", newer) == ["6" * 64]


def test_the_version_stands_in_one_place():
    """And the changelog begins with it; test_release.py compares it with the citation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    latest = re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)[1]
    assert latest == spectralunmix.__version__


@pytest.mark.parametrize("path", generated(ROOT), ids=lambda path: path.name)
def test_pages_and_schemas_have_the_keys_of_the_models(path):
    """Else `make keys` renews them."""
    assert path.read_text() == generated(ROOT)[path]


def test_the_page_on_libraries_says_which_entries_were_run():
    page = (ROOT / "docs/workflow/libraries.md").read_text()
    said = page.split("## What was run")[1].split("##")[0]
    lines = [line for line in said.splitlines() if line.startswith("| `")]
    layout = [line for line in lines if "not** the library's own" in line]
    original = [line for line in lines if line not in layout]
    for path in (ROOT / "config/libraries").glob("*.yaml"):
        run_on = yaml.safe_load(path.read_text())["run_on"]
        for where, what in ((original, "original"), (layout, "layout")):
            assert (f"`{path.stem}`" in "".join(where)) == (run_on == what)


def test_an_entry_that_does_not_say_what_it_was_run_on_claims_nothing():
    assert entry.Entry.model_fields["run_on"].get_default() is None


def run(tree):
    """The nodes of a file that are run: not those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from run(node)


def imported(path):
    """The modules of the package that a file imports, by their path in it."""
    names = set()
    for node in run(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = path.relative_to(ROOT / "src").with_suffix("").parts if node.level else ()
            base = ".".join([*parts[: len(parts) - node.level], node.module or ""]).strip(".")
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    for name, module in spectralunmix.MODULE_OF.items():
        if f"spectralunmix.{name}" in names:
            names.add(f"spectralunmix.{module}")  # which the package imports at their first use
    files = {ROOT / "src" / f"{name.replace('.', '/')}.py" for name in names}
    files |= {ROOT / "src" / name.replace(".", "/") / "__init__.py" for name in names}
    return {
        file for file in files if file.is_file() and file != ROOT / "src/spectralunmix/__init__.py"
    }


def used(path):
    found, new = set(), imported(path)
    while new - found:
        found |= new
        new = set().union(*map(imported, found))
    return found


def test_rules_name_all_the_code_that_they_use():
    """Its checksum is their parameter: an edit of a part left out would rerun nothing."""
    calls = calls_of_code()
    assert len(calls) == len(list((ROOT / "workflow/scripts").glob("*.py")))
    package = ROOT / "src/spectralunmix"
    for script, *parts in calls:
        named = {package / "__init__.py", package / "version.py", package / "figures/__init__.py"}
        files = workflow.package_files(*workflow.ALWAYS, *parts)
        assert used(ROOT / "workflow/scripts" / script) <= named | set(files.values()), script


def files_of(part):
    """The files of a part alone, without the `__init__.py` of the packages that it lies in."""
    files = workflow.package_files(part)
    folder = part.replace(".", "/")
    return {path for name, path in files.items() if name.startswith((f"{folder}.", f"{folder}/"))}


def test_rules_name_no_code_that_they_do_not_use():
    """An edit of it would run them again for nothing. A sub-package is named as a whole."""
    for script, *parts in calls_of_code():
        needed = used(ROOT / "workflow/scripts" / script)
        for part in parts:
            if not part.endswith(".html"):
                assert needed & files_of(part), (script, part)


def test_rules_name_the_templates_of_their_pages():
    """And those that these extend."""
    folder = ROOT / "src/spectralunmix/figures/templates"
    for script, *parts in calls_of_code():
        found, new = set(), {script}
        while new:
            name = new.pop()
            path = ROOT / "workflow/scripts" / name if name == script else folder / name
            others = set(re.findall(r'"(\w+\.html)"', path.read_text()))
            new |= others - found
            found |= others
        named = {part for part in parts if part.endswith(".html")}
        assert named == {f"figures/templates/{name}" for name in found}, script


def calls_of_code():
    """What the rules call `code` with: a script and parts of the package."""
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    found = set()
    for call in re.findall(r"code=(code\((?:[^()]|\([^()]*\))*\))", rules):
        node = ast.parse(call, mode="eval").body
        found.add(tuple(map(ast.literal_eval, node.args)))
    return found


def test_names_that_are_taken_are_the_columns_of_the_selection():
    assert set(pages.BOOKKEEPING) == entry.OF_SELECTION
    selection = ROOT / "tests/reference/pickles1998/selection.ecsv"
    columns = set(Table.read(selection, format="ascii.ecsv").colnames)
    parameters = yaml.safe_load((ROOT / "config/libraries/pickles1998.yaml").read_text())
    assert columns - set(parameters["parameters"]["columns"]) == entry.OF_SELECTION
