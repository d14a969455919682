"""The package as a wheel that is installed somewhere else."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/spectralunmix"
# Names of packages on the index that are imported by another one.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "ruamel": "ruamel.yaml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built without the index."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_carries_all_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    kept = {".py", ".html", ".typed"}
    files = [path for path in SOURCE.rglob("*") if path.suffix in kept or path.name == "py.typed"]
    assert names == {str(path.relative_to(ROOT / "src")) for path in files}


def test_a_wheel_works_where_it_is_unpacked(wheel, tmp_path):
    """Its public names are those of __all__; nothing heavy is imported before one is used."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == [
        "spectralunmix",
        "spectralunmix",  # and its metadata
    ]
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import spectralunmix
heavy = {"numpy", "torch", "scipy", "sklearn", "astropy", "matplotlib", "pandas", "snakemake"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert spectralunmix.__file__.startswith(sys.argv[1])
assert dir(spectralunmix) == spectralunmix.__all__
for name in spectralunmix.__all__:
    assert getattr(spectralunmix, name) is not None
print(spectralunmix.SmoothNMF(2).fit([[1.0, 0, 2], [0, 3, 1]]).converged_)
"""
    command = [sys.executable, "-I", "-W", "error", "-c", code, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("True\n", "")


def imported(folder):
    """The top-level names that the Python files of a folder import, but for Python's own."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"spectralunmix"}


def test_all_that_is_imported_is_a_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]["workflow"]
    stated = {text.partition(">")[0].partition("=")[0] for text in project["dependencies"] + extras}
    needed = imported(SOURCE) | imported(ROOT / "workflow")
    assert {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in needed} <= stated
