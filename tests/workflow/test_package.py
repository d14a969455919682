"""The package as it is installed: what a wheel holds, what it needs, what importing it does."""

import ast
import importlib
import json
import re
import rlcompleter
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

import spectralunmix

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/spectralunmix"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What the factorisation consists of: it needs the dependencies without any extra.
CORE = [
    PACKAGE / f"{name}.py"
    for name in ("__init__", "errors", "estimator", "factorisation", "inputs", "threads", "version")
]
CORE += (PACKAGE / "nmf").glob("*.py")

# Imports every module of the package; prints them, and what their own code writes meanwhile.
IMPORT_ALL = """
import importlib, importlib.util, json, os, pkgutil, sys
package = os.path.dirname(importlib.util.find_spec("spectralunmix").origin)
written = []

def is_ours(frame):
    while frame is not None and "importlib" not in frame.f_code.co_filename:
        if frame.f_code.co_filename.startswith(package):
            return True
        frame = frame.f_back
    return False

def hook(event, arguments):
    writes = event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink")
    if event == "open":
        writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes and is_ours(sys._getframe(1)):
        written.append(str(arguments[0]))

sys.addaudithook(hook)
names = ["spectralunmix"]
names += [module.name for module in pkgutil.walk_packages([package], "spectralunmix.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, written]))
"""


def copied(folder):
    """What a wheel is made of, in a folder of its own: building leaves files behind."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
    return folder


def wheel_of(source, folder):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", folder, source]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = copied(tmp_path_factory.mktemp("source"))
    return wheel_of(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel's content, as in site-packages, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(folder, code, *options):
    """Run code that finds the package in a folder."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"
    command = [sys.executable, "-I", *options, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    files = [path for path in PACKAGE.rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts and path.suffix != ".md"]
    expected = {str(path.relative_to(ROOT / "src")): path.read_bytes() for path in files}
    assert {"py.typed", "text.py", "base.html"} < {path.name for path in files}
    found = contents(wheel)
    records = f"spectralunmix-{spectralunmix.__version__}.dist-info/"
    assert {n: text for n, text in found.items() if not n.startswith(records)} == expected
    assert found[records + "top_level.txt"].split() == [b"spectralunmix"]
    # an editable installation has all that lies in src on its path
    there = {path.name for path in (ROOT / "src").iterdir() if path.suffix != ".egg-info"}
    assert there - {"__pycache__"} == {"spectralunmix"}


def test_the_source_distribution_makes_the_same_wheel(wheel, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "wheel").mkdir()
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        cwd=copied(tmp_path / "source"),
        check=True,
        capture_output=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    assert contents(wheel_of(source, tmp_path / "wheel")) == contents(wheel)


def test_importing_the_package_needs_no_other(installed):
    """Without site-packages: nothing of the 2 s that torch takes, before it is asked for."""
    code = "import spectralunmix, json; print(json.dumps([*sys.modules]))"
    modules = json.loads(run(installed, code, "-S"))
    assert {name for name in modules if name.startswith("spectralunmix")} == {
        "spectralunmix",
        "spectralunmix.version",
    }
    others = {name.partition(".")[0] for name in modules} - {"spectralunmix", "__main__"}
    assert others <= set(sys.stdlib_module_names)


def test_no_module_warns_or_writes_when_imported(installed):
    names, written = json.loads(run(installed, f"exec({IMPORT_ALL!r})", "-W", "error", "-B"))
    assert {"spectralunmix.estimator", "spectralunmix.libraries.readers.text"} <= set(names)
    assert len(names) == len([*PACKAGE.rglob("*.py")])
    assert written == []


def test_a_wheel_works_where_it_is_unpacked(installed):
    """Every public name is there, and a fit is made without a warning."""
    code = """
import spectralunmix
assert spectralunmix.__file__.startswith(sys.path[0])
for name in spectralunmix.__all__:
    assert getattr(spectralunmix, name) is not None
print(spectralunmix.SmoothNMF(2).fit([[1.0, 0, 2], [0, 3, 1]]).converged_)
"""
    assert run(installed, code, "-W", "error") == "True\n"


def test_the_public_names_are_those_that_are_seen():
    public = set(spectralunmix.__all__)
    assert dir(spectralunmix) == spectralunmix.__all__
    completer = rlcompleter.Completer({"spectralunmix": spectralunmix})
    completed = {name.rstrip("()") for name in completer.attr_matches("spectralunmix.")}
    assert completed == {f"spectralunmix.{name}" for name in public if name[0] != "_"}
    starred: dict = {}
    exec("from spectralunmix import *", starred)
    assert starred.keys() - {"__builtins__"} == public
    with pytest.raises(AttributeError, match="has no attribute 'smooth'"):
        _ = spectralunmix.smooth


def test_the_command_that_is_installed_says_what_it_does(installed):
    (records,) = installed.glob("*.dist-info")
    line = (records / "entry_points.txt").read_text().split("\n")[1]
    name, module, function = re.split(" = |:", line)
    code = f"from {module} import {function}; sys.argv[1:] = ['--help']; {function}()"
    assert run(installed, f"sys.argv[0] = {name!r}; {code}").startswith("usage: spectralunmix ")


def imported(path):
    """What a file of Python or of rules imports that is no part of Python or of this project."""
    text = path.read_text()
    if path.suffix == ".py":
        nodes = [*ast.walk(ast.parse(text))]
        names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
        names |= {n.module for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}
    else:
        names = set(re.findall(r"^\s*(?:import|from) ([\w.]+)", text, flags=re.M))
    folders = (ROOT / "tests", ROOT / "envs", ROOT / "docs")
    ours = {"spectralunmix", *(file.stem for folder in folders for file in folder.rglob("*.py"))}
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - ours


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(paths):
    """The distributions that files import from."""
    of_module = packages_distributions() | {"ruamel": ["ruamel.yaml"]}  # which others share
    return {normal(of_module[name][0]) for path in paths for name in imported(path)}


def listed(*extras):
    """The names in the project's dependencies and extras."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][name] for name in extras)]
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in chain(*lists)}


def test_the_factorisation_and_the_command_fit_import_the_dependencies():
    of_fit = ("command/fit.py", "figures/components.py", "figures/style.py", "files.py")
    of_fit += ("matrix_files.py", "matrix_fits.py")
    assert needed([*CORE, *(PACKAGE / name for name in of_fit)]) == listed()


def test_the_package_and_the_workflow_import_what_their_extra_lists():
    rules = [path for path in (ROOT / "workflow").rglob("*") if path.suffix in (".py", ".smk")]
    rules += [ROOT / "Snakefile", ROOT / "workflow/Snakefile"]
    assert needed([*PACKAGE.rglob("*.py"), *rules]) == listed("workflow", "dask")


def test_the_tests_import_what_is_listed():
    files = [path for path in (ROOT / "tests").rglob("*.py") if "benchmark" not in path.parts]
    assert needed(files) <= listed("workflow", "dask", "test")


def test_the_pythons_are_the_same_everywhere(monkeypatch):
    """The package is for one more than the lock, where one of Snakemake's parts has no wheel."""
    monkeypatch.syspath_prepend(ROOT / "envs")
    first, end = importlib.import_module("set_up").PYTHONS
    start = "Programming Language :: Python :: 3."
    minors = [int(line.removeprefix(start)) for line in PROJECT["classifiers"] if start in line]
    assert minors == list(range(first[1], end[1] + 1))
    assert PROJECT["requires-python"] == f">={first[0]}.{first[1]}"
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["environments"]
    assert all(f"python_version < '{end[0]}.{end[1]}'" in line for line in uv)
