"""Commands of the workflow: set altered results aside, start Snakemake, print a summary."""

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from spectralunmix.command.altered import RESULTS, altered, clear, set_aside
from spectralunmix.command.closing import LAST_WORDS
from spectralunmix.command.isolation import (
    WORKING,
    note_locks,
    python_by_a_plain_path,
    results_held,
    snakemakes_lock,
)
from spectralunmix.command.own_copies import check_own_copies
from spectralunmix.errors import RunError
from spectralunmix.yaml_files import parse_yaml, read_yaml

SNAKEFILE = Path("Snakefile")
STYLESHEET = Path("workflow/report/report.css")
SETTINGS = WORKING / "settings.json"
OUTPUT = WORKING / "output.log"
DEFAULT_LIBRARY = "coelho2014"  # where the configuration names no library
DEFAULT_CUBE = "abell478"  # where the configuration names no cube
EXECUTORS = "local", "dryrun", "touch"  # Snakemake's own
OWN_CUBE = "mine"  # the entry for a path that is given without a name


def run(options: argparse.Namespace) -> None:
    """Make what the command names, and print a summary.

    Raises
    ------
    RunError
        The run cannot begin, or failed.
    """
    check_working_folder()
    check_executor(options.profile)
    with results_held(), snakemakes_lock(), python_by_a_plain_path():
        for name in sorted(entries()):
            clear(name)
            for path in list(altered(name)):
                print(f"{path} was altered: moved to {set_aside(path)}, made again", flush=True)
        changes = settings(options)
        check_own_copies(configuration() | changes, changes, *of_run(options, changes))
        SETTINGS.write_text(json.dumps(changes), encoding="utf-8")
        make(options, changes)


def of_run(options: argparse.Namespace, changes: dict) -> tuple[list[str], str | None]:
    """The libraries and the cube that the command is for."""
    library, cube = library_of(changes), changes.get("cube")
    if options.command != "run":
        return [] if cube else changes.get("compare") or [library], cube
    given = configuration() | changes
    cube = str(given.get("cube"))
    names = {name for t in options.targets for name in _made_for(t, library, cube, given)}
    return sorted(names - {cube}), cube if cube in names else None


def _made_for(target: str, library: str, cube: str, given: dict) -> list[str]:
    """The libraries or the cube that a target is for: a file below `results`, or a rule."""
    folder, *below = Path(target).parts or [""]
    if folder != RESULTS.name or not below:
        return [cube if target == "cube_figure" else library]
    compared = given.get("compare")
    of_several = compared if isinstance(compared, list) else []
    return [str(name) for name in of_several] if below[0] == "comparison" else [below[0]]


def make(options: argparse.Namespace, changes: dict) -> None:
    """Start Snakemake with these changes of the configuration, and print a summary."""
    cube = changes.get("cube") if "cube" in vars(options) else None  # of commands that take one
    library = str(cube or library_of(changes))
    compared = options.command == "compare"
    folder = RESULTS / ("comparison" if compared else library)
    targets = {
        "figure": ["figure"],
        "cube": ["cube_figure"],
        "report": ["cube_figure" if cube else "report"],
        "scan": [f"{folder}/scan.ecsv"],
        "choose": [f"{folder}/choose.json"],
        "validate": [f"{folder}/library.png"],
        "compare": [f"{folder}/manifest.json"],
        "run": getattr(options, "targets", []),
    }[options.command]
    if options.command != "run":
        of = ", ".join(options.libraries) if compared else library
        print(f"{options.command} of {of}:", flush=True)
    snakemake(targets, options.profile, options.cores)
    if options.command == "report":
        page = ["--report", str(folder / "report.html"), "--report-stylesheet", str(STYLESHEET)]
        snakemake([*targets, *page], options.profile, options.cores)
    said = "cube_report" if cube and options.command == "report" else options.command
    if said in LAST_WORDS:
        print("", *LAST_WORDS[said](folder), sep="\n")


def check_working_folder() -> None:
    """Raise a RunError where Snakemake cannot work in this folder."""
    here = Path.cwd()
    if "{" in str(here) or "}" in str(here):
        raise RunError(f"{here}: Snakemake cannot work below a folder with {{ or }} in its name")
    if not SNAKEFILE.is_file():
        raise RunError(f"{here}: no Snakefile: work in a clone of the project")


def check_executor(profile: str | None) -> None:
    """Raise a RunError where the executor that a profile names is not installed."""
    try:
        content = read_yaml(Path(profile) / "config.yaml") if profile else None
    except (OSError, ValueError):  # which Snakemake reports later
        return
    executor = content.get("executor", "local") if isinstance(content, dict) else "local"
    plugin = f"snakemake_executor_plugin_{str(executor).replace('-', '_')}"
    if executor not in EXECUTORS and not find_spec(plugin):
        lock = Path("envs") / f"{executor}.txt"
        what = f"--no-deps --requirement {lock}" if lock.is_file() else plugin.replace("_", "-")
        raise RunError(
            f"{profile}: the executor {executor} is not installed: "
            f"{sys.prefix}/bin/pip install {what}"
        )


def entries() -> set[str]:
    """The names of folders with results: of libraries and cubes, and `comparison`."""
    folders = (Path("config") / name for name in ("libraries", "cubes"))
    return {"comparison"} | {path.stem for folder in folders for path in folder.glob("*.yaml")}


def configuration() -> dict:
    """The content of config/config.yaml; Snakemake reports mistakes in that later."""
    try:
        content = read_yaml("config/config.yaml")
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def library_of(changes: dict) -> str:
    """The library of the run."""
    return str(changes.get("library") or configuration().get("library") or DEFAULT_LIBRARY)


def settings(options: argparse.Namespace) -> dict:
    """The changes that the options make to the configuration."""
    given = vars(options)
    library = given.get("library")
    if options.command == "compare" and not library:
        library = options.libraries[0]
    cube = given.get("cube")
    if options.command == "cube" and not cube:
        default = OWN_CUBE if given.get("cube_path") else DEFAULT_CUBE
        cube = str(configuration().get("cube") or default)
    if cube and library:
        raise RunError(f"--library {library} and --cube {cube}: name one of them")
    for option in ("library_path", "metric") if cube else ("cube_path",):
        if given.get(option) is not None:
            kind = "a library" if cube else "a cube, which --cube names"
            raise RunError(f"--{option.replace('_', '-')} is for {kind}: leave it out")
    n_components = {"n_components": given.get("n_components")}
    smooth_nmf = n_components | {"smoothness": given.get("smoothness")}
    content = {
        "library": library,
        "library_path": given.get("library_path"),
        "compare": given.get("libraries"),
        "cube": cube,
        "cube_path": given.get("cube_path"),
        "pca": {} if cube else n_components,
        "smooth_nmf": {} if cube else smooth_nmf,
        "cubes": {"smooth_nmf": smooth_nmf if cube else {}},
        "assign": {"metric": given.get("metric")},
    }
    changes = _stated(content)
    for stated in options.set:
        key, value = stated.split("=", 1)
        *path, last = key.split(".")
        place = changes
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise RunError(f"--set {key}: another option sets {part} as a whole")
        place[last] = parse_yaml(value, f"--set {key}")
    return changes


def _stated(content: dict) -> dict:
    """The content without keys whose value, or every value below them, is None."""
    kept = {k: _stated(v) if isinstance(v, dict) else v for k, v in content.items()}
    return {key: value for key, value in kept.items() if value not in (None, {})}


def snakemake(arguments: list[str], profile: str | None, cores: int) -> None:
    """Run Snakemake, with a line for each step on the terminal.

    Raises
    ------
    RunError
        It failed; the message is that of the step, or of the configuration, that is at fault.
    """
    from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry
    from snakemake_interface_logger_plugins.registry.plugin import Plugin

    from spectralunmix.command.terminal import Output, StepLines

    failed = True
    with Output(OUTPUT) as terminal, StepLines(terminal, OUTPUT, note_locks) as lines:
        registry = LoggerPluginRegistry()
        registry.plugins["steps"] = Plugin(
            _name="steps", log_handler=lambda *_: lines, _logger_settings_cls=None
        )
        from snakemake.cli import main

        command = ["--configfile", str(SETTINGS), "--snakefile", str(SNAKEFILE)]
        command += ["--profile", profile] if profile else []
        command += ["--logger", "steps", "--cores", str(cores)]
        try:
            main([*command, *arguments])
        except SystemExit as end:
            failed = bool(end.code)
    if lines.stopped:
        raise KeyboardInterrupt
    if failed:
        raise RunError(lines.error or f"Snakemake failed: {OUTPUT} has its output")
