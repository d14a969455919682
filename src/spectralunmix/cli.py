"""The command that makes what `make` names: figure, report, scan, validate, compare, verify.

It keeps the results folder to itself while it runs, sets altered results aside, gives the jobs an
environment of their own, starts Snakemake, shows a line a step, and ends with what was made.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from spectralunmix.command.altered import RESULTS, altered, clear, set_aside
from spectralunmix.command.closing import LAST_WORDS, made_last
from spectralunmix.errors import ConfigurationError, LibraryError
from spectralunmix.yaml_files import parse_yaml, read_yaml

SNAKEFILE = Path("Snakefile")
STYLESHEET = Path("workflow/report/report.css")
WORKING = Path(".snakemake")  # Snakemake's folder in the run's
SETTINGS = WORKING / "settings.json"
OUTPUT = WORKING / "output.log"
# One thread: the same numbers on every machine, and no contention on shared ones.
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
DEFAULT_LIBRARY = "coelho2014"  # where the configuration names none
OURS = WORKING / "front_door"  # there while a run is at work; after a kill it stays
# Of the caller's, these would put other code, or other settings, in the place of the run's own.
FOREIGN = re.compile("PYTHON.*|MATPLOTLIBRC|SNAKEMAKE_PROFILE")


class RunError(Exception):
    """A run that cannot begin, or failed; its text says why, and the way out."""


COMMANDS = {
    "figure": "the four panels, and all that they are drawn from",
    "report": "one page of figure, pictures, methods and tables, and one to zoom into",
    "scan": "fits over numbers of components, smoothnesses and starts",
    "validate": "what a library holds, and what of it does not fit its entry",
    "compare": "the components of several libraries side by side",
    "verify": "whether results are what their manifest says, or equal to another run's",
    "run": "any file or rule of the workflow",
}


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="spectralunmix", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in COMMANDS.items():
        add = commands.add_parser(name, help=what, description=what).add_argument
        if name == "verify":
            add("--library", metavar="NAME", help="default: the one made last")
            add("--reference", metavar="FOLDER", help="the results of another run")
            continue
        add("--library", metavar="NAME", help="an entry of config/libraries")
        add("--library-path", metavar="PATH", help="your copy of it, or the address of a mirror")
        add("--n-components", metavar="K", type=int, help="components, of PCA and NMF alike")
        add("--smoothness", metavar="LAMBDA", type=float, help="0 is plain NMF")
        add("--metric", choices=("rms", "angle"), help="distance of a component to a class")
        add("--cores", metavar="N", default="1", help="jobs at once; default 1")
        add("--profile", metavar="FOLDER", help="a profile of Snakemake's, as for a cluster")
        if name == "compare":
            add("--libraries", metavar="NAME", nargs="+", required=True, help="two or more")
        add("--set", metavar="KEY=VALUE", action="append", default=[], help="as plot.width=10")
        if name == "run":
            add("targets", metavar="TARGET", nargs="+", help="such as results/miles/summary.json")
    options = parser.parse_args(arguments)
    wrong = [stated for stated in getattr(options, "set", []) if "=" not in stated]
    wrong += [target for target in getattr(options, "targets", []) if target.startswith("-")]
    if wrong:
        parser.error(f"{wrong[0]}: neither a target nor KEY=VALUE")
    return options


def settings(options: argparse.Namespace) -> dict:
    """What the options change of the configuration."""
    library = options.library or (options.libraries[0] if options.command == "compare" else None)
    n_components = {"n_components": options.n_components}
    content = {
        "library": library,
        "library_path": options.library_path,
        "compare": getattr(options, "libraries", None),
        "pca": n_components,
        "smooth_nmf": n_components | {"smoothness": options.smoothness},
        "assign": {"metric": options.metric},
    }
    changes = _stated(content)
    for key, value in (stated.split("=", 1) for stated in options.set):
        *path, last = key.split(".")
        place = changes
        for part in path:
            place = place.setdefault(part, {})
        place[last] = parse_yaml(value, f"--set {key}")
    return changes


def _stated(content: dict) -> dict:
    """Without the keys whose value, or every value below, is None."""
    kept = {k: _stated(v) if isinstance(v, dict) else v for k, v in content.items()}
    return {key: value for key, value in kept.items() if value not in (None, {})}


def environment_of_its_own() -> None:
    """What the caller's environment would put in the place of the run's own code and settings."""
    for name in filter(FOREIGN.fullmatch, list(os.environ)):
        del os.environ[name]
    cache = WORKING.resolve() / "cache"  # a home that cannot be written to does no harm
    os.environ |= THREADS | {
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",  # no module from the folder that the run is in
        "PYTHONUTF8": "1",
        "XDG_CACHE_HOME": str(cache),
    }


@contextlib.contextmanager
def results_held():
    """The results folder to oneself: a lock that ends with the process, however that ends."""
    RESULTS.mkdir(exist_ok=True)
    folder = os.open(RESULTS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(
            f"another run is at work in {RESULTS.resolve()}: wait for it to end"
        ) from None
    try:
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def snakemakes_lock():
    """Clear Snakemake's lock where a run of ours was killed: with the results held, none goes on.

    The lock of a plain `snakemake` stays: that may be at work.
    """
    WORKING.mkdir(exist_ok=True)
    if OURS.exists():
        for lock in (WORKING / "locks").glob("*"):
            lock.unlink()
    OURS.touch()
    try:
        yield
    finally:  # after a failure, too: the next lock may be a plain run's
        OURS.unlink()


@contextlib.contextmanager
def python_by_a_plain_path():
    """Snakemake starts the jobs by a path that it does not quote: one without spaces, then."""
    if re.fullmatch(r"[\w@%+=:,./-]+", sys.executable, re.ASCII):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="spectralunmix-") as folder:
        link = Path(folder) / "env"
        link.symlink_to(sys.prefix)
        before, sys.executable = sys.executable, str(link / "bin" / Path(sys.executable).name)
        try:
            yield
        finally:
            sys.executable = before


def entries() -> set[str]:
    """The names that results of our own have: of libraries with an entry, and `comparison`."""
    return {"comparison"} | {path.stem for path in Path("config/libraries").glob("*.yaml")}


def snakemake(arguments: list[str], profile: str | None, cores: str) -> None:
    """Run Snakemake with a line a step on the terminal.

    Raises
    ------
    RunError
        It failed; the message is that of the step or the configuration at fault.
    """
    from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry
    from snakemake_interface_logger_plugins.registry.plugin import Plugin

    from spectralunmix.command.terminal import Output, StepLines

    failed = True
    with Output(OUTPUT) as terminal, StepLines(terminal, OUTPUT) as lines:
        registry = LoggerPluginRegistry()
        registry.plugins["steps"] = Plugin(
            _name="steps", log_handler=lambda *_: lines, _logger_settings_cls=None
        )
        from snakemake.cli import main

        command = ["--configfile", str(SETTINGS), "--snakefile", str(SNAKEFILE)]
        command += ["--profile", profile] if profile else []
        command += ["--logger", "steps", "--cores", cores]
        try:
            main([*command, *arguments])
        except SystemExit as end:
            failed = bool(end.code)
    if lines.stopped:
        raise KeyboardInterrupt
    if failed:
        raise RunError(lines.error or f"Snakemake failed: {OUTPUT} has its words")


def make(options: argparse.Namespace) -> None:
    """Make what the command names, and say what was made."""
    if "{" in str(Path.cwd()) or "}" in str(Path.cwd()):
        raise RunError(
            f"{Path.cwd()}: Snakemake cannot work below a folder with {{ or }} in its name"
        )
    if not SNAKEFILE.is_file():
        raise RunError(f"{Path.cwd()}: no Snakefile: work in a clone of the project")
    with results_held(), snakemakes_lock(), python_by_a_plain_path():
        for name in sorted(entries()):
            clear(name)
            for path in list(altered(name)):
                print(f"{path} was altered: moved to {set_aside(path)}, made again", flush=True)
        changes = settings(options)
        SETTINGS.write_text(json.dumps(changes), encoding="utf-8")
        library = changes.get("library") or configured_library()
        folder = RESULTS / ("comparison" if options.command == "compare" else library)
        targets = {
            "figure": ["figure"],
            "report": ["report"],
            "scan": [f"{folder}/scan.ecsv"],
            "validate": [f"{folder}/library.png"],
            "compare": [f"{folder}/manifest.json"],
            "run": getattr(options, "targets", []),
        }[options.command]
        if options.command != "run":
            print(
                f"{options.command} of {', '.join(changes.get('compare', [library]))}:", flush=True
            )
        snakemake(targets, options.profile, options.cores)
        if options.command == "report":
            page = ["--report", str(folder / "report.html"), "--report-stylesheet", str(STYLESHEET)]
            snakemake([*targets, *page], options.profile, options.cores)
        if options.command in LAST_WORDS:
            print("", *LAST_WORDS[options.command](folder), sep="\n")


def configured_library() -> str:
    """The library of the configuration; the mistakes of that are Snakemake's to name."""
    try:
        return str(read_yaml("config/config.yaml")["library"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_LIBRARY


def check(options: argparse.Namespace) -> None:
    """Check the results of a library, by default those that were made last."""
    from spectralunmix.command import verify

    name = options.library or made_last()
    if name is None:
        raise RunError("nothing to verify: results/ has no manifest; make a figure first")
    if not options.library:
        print(f"results/{name}, made last:")
    verify.verify(RESULTS / name, options.reference and Path(options.reference))


def main() -> None:
    options = parsed(sys.argv[1:])
    environment_of_its_own()
    try:
        check(options) if options.command == "verify" else make(options)
    except (RunError, LibraryError, ConfigurationError, OSError) as error:
        text = str(error)
        sys.exit(text if text.startswith("ERROR: ") else f"ERROR: {text}")
    except KeyboardInterrupt:
        sys.exit("stopped; the next run goes on from here")


if __name__ == "__main__":
    main()
