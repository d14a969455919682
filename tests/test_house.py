"""The layout: thin scripts, small files and functions, and imports that go one way."""

import ast
import itertools
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/spectralunmix"
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))
BENCHMARK = sorted((ROOT / "tests/benchmark").glob("*.py"))
LINES_OF_A_SCRIPT = range(5, 41)
MOST_LINES = 400  # of a file
MOST_LINES_OF_A_FUNCTION = 60
WRITTEN = {".py", ".smk", ".html", ".css", ".rst", ".md", ".sh", ""}  # and no data, no lock file
FOREIGN_TO_NMF = {"numpy", "scipy", "torch"}  # that it may import
# Of the solver's package, for all: the rest is for the estimator.
OVER_NMF = {  # what is built on it, and what else of the package each imports
    "inputs.py": set(),
    "factorisation.py": {"inputs", "threads"},
    "estimator.py": {"factorisation", "inputs"},
    "held_out.py": set(),
    "model_selection.py": {"comparison", "factorisation", "held_out", "inputs", "threads"},
    "published.py": {"factorisation", "threads"},
    "uncertainty.py": {"comparison", "factorisation", "inputs", "threads"},
    "cluster/arrays.py": {"factorisation", "inputs"},
    "cluster/conductor.py": {"cluster"},
    "cluster/fits.py": {"cluster", "factorisation", "inputs"},
    "cluster/rank.py": set(),
    "cluster/resampled.py": {"cluster", "model_selection", "threads", "uncertainty"},
}
PUBLIC_OF_NMF = {  # the benchmark's passes and batches among them
    "spectralunmix.nmf.communication": {"ALONE"},
    "spectralunmix.nmf.data": {"Spectra"},
    "spectralunmix.nmf.solver": {"solve"},
    "spectralunmix.nmf.starts": {"random_starts", "starting_components"},
}


def name_of(path):
    return str(path.relative_to(ROOT))


def written_files():
    """What people write in these folders, and read."""
    found = []
    for folder in ("src", "workflow", "tests", "envs"):
        for path in (ROOT / folder).rglob("*"):
            made = "__pycache__" in path.parts  # by Python
            if path.is_file() and path.suffix in WRITTEN and not made:
                found.append(path)
    return sorted(found)


def functions(path):
    """Name and number of lines of each function of a file; in Python without its docstring."""
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = ast.get_docstring(node, clean=False)
                of_docstring = len(said.splitlines()) if said else 0
                yield node.name, node.end_lineno - node.lineno + 1 - of_docstring
    elif path.suffix == ".smk" or path.name == "Snakefile":
        lines = path.read_text().splitlines()
        for i, line in enumerate(lines):
            if line.startswith("def "):
                body = itertools.takewhile(lambda x: not x or x[0].isspace(), lines[i + 1 :])
                yield line, 1 + len("\n".join(body).rstrip().splitlines())


def imports(path):
    """(module, name) of each import of a file; the name is None of `import module`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parts = path.relative_to(ROOT / "src").with_suffix("").parts
                module = ".".join([*parts[: len(parts) - node.level], *filter(None, [module])])
            found += [(module, alias.name) for alias in node.names]
    return found


def imported(path):
    """The modules that a file imports, and the names in them, which may be modules too."""
    return {".".join(filter(None, pair)) for pair in imports(path)} | {m for m, _ in imports(path)}


def within(name, *modules):
    """Whether a dotted name is one of the modules, or lies in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def modules_in(*places):
    """The files of modules and sub-packages of the package."""
    wanted = [PACKAGE / place for place in places]
    return [path for path in MODULES if any(path == w or w in path.parents for w in wanted)]


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_a_script_is_short(path):
    assert len(path.read_text().splitlines()) in LINES_OF_A_SCRIPT


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_a_script_imports_nothing_of_another(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.ImportFrom) and node.level)
    others = {"workflow", "scripts", *(script.stem for script in SCRIPTS)}
    assert not {module.split(".")[0] for module, _ in imports(path)} & others


def test_no_file_is_long():
    files = written_files()
    assert {PACKAGE / "figures/style.py", ROOT / "workflow/Snakefile"} < set(files)
    counted = {name_of(path): len(path.read_text().splitlines()) for path in files}
    assert {name: n for name, n in counted.items() if n > MOST_LINES} == {}


def test_no_function_is_long():
    counted = [(name_of(p), name, n) for p in written_files() for name, n in functions(p)]
    assert len(counted) > 500
    assert any(name.startswith("def code(script") for _, name, _ in counted)
    assert [found for found in counted if found[2] > MOST_LINES_OF_A_FUNCTION] == []


@pytest.mark.parametrize("path", modules_in("nmf"), ids=name_of)
def test_the_solver_imports_arrays_and_itself_alone(path):
    allowed = FOREIGN_TO_NMF | sys.stdlib_module_names
    for module, _ in imports(path):
        assert within(module, "spectralunmix.nmf") or module.split(".")[0] in allowed, module


@pytest.mark.parametrize("name", OVER_NMF)
def test_what_is_built_on_the_solver_imports_no_other_part(name):
    ours = {found for found in imported(PACKAGE / name) if within(found, "spectralunmix")}
    assert ours
    others = {found for found in ours if not within(found, "spectralunmix.nmf")}
    parts = {found.removeprefix("spectralunmix.").split(".")[0] for found in others}
    assert parts <= OVER_NMF[name]


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p not in modules_in("nmf", *OVER_NMF)] + SCRIPTS + BENCHMARK,
    ids=name_of,
)
def test_nobody_else_reaches_into_the_solver(path):
    for module, name in imports(path):
        assert (module, name) != ("spectralunmix", "nmf")
        if within(module, "spectralunmix.nmf"):
            assert name in PUBLIC_OF_NMF.get(module, set()), (module, name)


@pytest.mark.parametrize("path", modules_in("figures", "libraries"), ids=name_of)
def test_figures_and_libraries_do_not_know_the_command(path):
    assert not any(
        within(name, "spectralunmix.cli", "spectralunmix.command") for name in imported(path)
    )


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p not in modules_in("figures", "command", "cli.py")], ids=name_of
)
def test_what_computes_does_not_import_what_draws(path):
    assert not any(within(name, "spectralunmix.figures", "matplotlib") for name in imported(path))
