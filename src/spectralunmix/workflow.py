"""Functions for the rules of the workflow: entries, checksums of code, user's own files."""

import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from spectralunmix.command.altered import AT_WORK, altered
from spectralunmix.configuration import check_ranks, number_of_spectra
from spectralunmix.cubes.entry import read_entry as read_cube_entry
from spectralunmix.errors import ConfigurationError
from spectralunmix.libraries.entry import read_entry

CODE = ("*.py", "*.html")
OTHERS = ("comparison", "downloads")  # folders of results/ that belong to no library or cube
ENTRIES: dict[str, tuple[str, Callable[[Path], dict], str]] = {
    "library": ("libraries", read_entry, "cubes"),
    "cube": ("cubes", read_cube_entry, "libraries"),
}
ALWAYS = ("errors", "files", "provenance", "steps", "version")  # modules that every step uses


def package_files(*parts: str) -> dict[str, Path]:
    """The files of sub-packages and modules of this package, by their path in it.

    Nothing is imported, so that an edited file is noticed without running it.

    Parameters
    ----------
    *parts : str
        Modules and sub-packages, such as "files" or "libraries.readers", and paths of other
        files, such as "figures/templates/base.html".

    Returns
    -------
    dict of Path

    Raises
    ------
    ValueError
        A name is no part of the package.
    """
    root = Path(__file__).parent
    found: dict[str, Path] = {}
    for part in parts:
        found |= _files_of(root, part)
        for above in Path(part.replace(".", "/")).parents:  # importing it imports these, too
            file = root / above / "__init__.py"
            if file.is_file():
                found[str(above / "__init__.py")] = file
    return dict(sorted(found.items()))


def _files_of(root: Path, part: str) -> dict[str, Path]:
    folder = root / part.replace(".", "/")
    alone = [path for path in (root / part, folder.with_suffix(".py")) if path.is_file()]
    files = alone or [file for pattern in CODE for file in folder.rglob(pattern)]
    if not files:
        raise ValueError(f"{part} is no part of the package")
    return {str(file.relative_to(root)): file for file in files}


@functools.cache
def checksum(script: Path, lock: Path, *parts: str) -> str:
    """The checksum of a script, the lock file and the parts of the package that a rule uses."""
    files = [script, lock, *package_files(*ALWAYS, *parts).values()]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def entry_of(name: str, shipped: Callable[[str], Path | None], kind: str = "library") -> dict:
    """Read the entry of a library or a cube, with its defaults.

    Parameters
    ----------
    name : str
        Name of the library or the cube.
    shipped : function
        Gives the workflow's own file for a path, or None. That file is read where the working
        folder has no such file.
    kind : {"library", "cube"}, default "library"

    Raises
    ------
    ConfigurationError
        There is no such entry, or it has mistakes.
    """
    if name in OTHERS:
        raise ConfigurationError(
            f"{kind}: results/{name} is for something else: choose another name"
        )
    folder, read, others = ENTRIES[kind]
    own = Path(f"config/{folder}/{name}.yaml")
    file = own if own.exists() else shipped(str(own))
    if file is None:
        known = sorted(path.stem for path in own.parent.glob("*.yaml"))
        there = f"; there are {', '.join(known)}" if known else ""
        raise ConfigurationError(f"{kind}: no {own}{there}")
    other = Path(f"config/{others}/{name}.yaml")
    if other.exists():
        raise ConfigurationError(
            f"{own} and {other}: both would write to results/{name}: rename one of them"
        )
    return read(file)


def settings(config: dict, cube: dict | None) -> dict:
    """The configuration for a library, or for the cube with this entry."""
    if cube is None:
        return config
    of_entry = {key: cube[key] for key in ("n_components", "smoothness")}
    given = {k: v for k, v in config["cubes"]["smooth_nmf"].items() if v is not None}
    return config | config["cubes"] | {"smooth_nmf": of_entry | given}


def warnings_of_altered(config: dict) -> list[str]:
    """Warnings of a plain `snakemake` about results that differ from their records.

    There are none while the command is at work, because it set such results aside before it
    started Snakemake.
    """
    libraries = [config["library"], *config["compare"], *filter(None, [config.get("cube")])]
    if config["compare"]:
        libraries.append("comparison")
    warnings: list[str] = []
    if AT_WORK in os.environ:
        return warnings
    for library in dict.fromkeys(libraries):
        try:
            for path in altered(library, read_all=False):
                warnings.append(
                    f"WARNING: {path}: not what the record of its step says: "
                    f"`spectralunmix run {path} --library {library}` sets it aside and makes it "
                    "again"
                )
        except OSError as error:  # no reason to stop the run
            warnings.append(f"WARNING: results/{library}: not compared with its records: {error}")
    return warnings


def own_copy(config: dict, name: str) -> str | None:
    """The user's own copy of a library or a cube.

    Parameters
    ----------
    config : dict
        The configuration. Its `library_path` is a path for the configured library, or a dict with
        a path for each library.
    name : str
        The library or cube of the job.
    """
    if name == config["cube"]:
        return config["cube_path"]
    paths = config["library_path"]
    if isinstance(paths, dict):
        return paths.get(name)
    return paths if name == config["library"] else None


def configured_cubes(cubes: dict) -> list[str]:
    """The names of the cubes that are configured.

    Raises
    ------
    ConfigurationError
        No cube is configured.
    """
    if not cubes:
        raise ConfigurationError("cube: none is configured: name one, as in --config cube=abell478")
    return list(cubes)


def one_of(names: Iterable[str]) -> str:
    """A regular expression that matches these names alone; without names it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def class_labels(libraries: list[dict]) -> dict[str, str]:
    """The labels of all selected classes; the first entry with a class decides on its label."""
    labels: dict[str, str] = {}
    for library in libraries:
        for name in library["selection"]["classes"]:
            labels.setdefault(name, library["classes"][name]["label"])
    return labels


def index_file(library: dict) -> list[str]:
    """The file with the table of parameters, which is fetched beside the spectra."""
    index = library.get("parameters", {}).get("index")
    return [index["file"]] if index else []


def kind(config: dict, name: str) -> str:
    """Whether a name is that of a library or of a cube."""
    return "cube" if name == config["cube"] else "library"


def local_copies(config: dict, name: str, entry: dict) -> list[str]:
    """The user's own files; they are inputs of rules, so that a changed file is noticed.

    Parameters
    ----------
    config : dict
        The configuration.
    name, entry : str, dict
        The library or cube, and its entry.

    Raises
    ------
    ConfigurationError
        A file cannot be an input of Snakemake; the message says why, and the way out.
    """
    found, own = [], own_copy(config, name)
    for source in entry["sources"]:
        names = [Path(pattern).name for pattern in [*source["members"], *index_file(entry)]]
        names += [file["name"] for file in source["files"] if "name" in file]
        names += [Path(a).name for file in source["files"] for a in file["addresses"]]
        places = [a for file in source["files"] for a in file["addresses"] if ":" not in a]
        for place in filter(None, [own, *places]):
            path = Path(place).expanduser()
            if place == own and ":" not in place and not path.exists():
                raise ConfigurationError(f"{kind(config, name)}_path: {path} does not exist")
            files = [path] if path.is_file() else [p for n in names if n for p in path.rglob(n)]
            found += [file for file in files if file.is_file()]
    for file in found:
        if "{" in str(file) or "}" in str(file):
            raise ConfigurationError(
                f"{file}: Snakemake cannot read a file with {{ or }} in its path: rename the "
                "folder, or name a link to it"
            )
        if file.stat().st_mtime > time.time() + 60:
            raise ConfigurationError(
                f"{file}: its date lies in the future, so that all that is made of it would look "
                f"outdated: touch '{file}'"
            )
    return sorted(set(map(str, found)))


def compared(names: list[str], file: str) -> list[str]:
    """The paths of a result for each of the compared libraries."""
    if len(names) < 2:
        named = ", ".join(names) or "none"
        raise ConfigurationError(f"compare: two libraries or more are needed, not {named}")
    return [f"results/{name}/{file}" for name in names]


def scan_jobs(scan: dict, name: str, library: dict) -> dict[str, list[int]]:
    """The wildcards of all jobs of a scan: numbers of components, and the first start of a job.

    Parameters
    ----------
    scan : dict
        The key `scan` of the configuration.
    name, library : str, dict
        The library, and its entry.
    """
    check_ranks({"scan": max(scan["n_components"])}, name, library)
    first = range(0, scan["n_starts"], scan["starts_per_job"])
    return {"n_components": scan["n_components"], "first": list(first)}


def starts_of_job(scan: dict, first: int) -> int:
    """The number of starts that a job of the scan fits; `first` is its first start."""
    return min(scan["starts_per_job"], scan["n_starts"] - first)


def resampling_jobs(bootstrap: dict) -> list[int]:
    """The number of the first resample of each job.

    Parameters
    ----------
    bootstrap : dict
        The key `bootstrap` of the configuration.
    """
    return list(range(0, bootstrap["n_resamples"], bootstrap["resamples_per_job"]))


def resamples_of_job(bootstrap: dict, first: int) -> int:
    """The number of resamples that a job fits; `first` is its first resample."""
    return min(bootstrap["resamples_per_job"], bootstrap["n_resamples"] - first)


def ranks_to_compare(config: dict, name: str, library: dict) -> list[int]:
    """The numbers of components that are cross-validated, the configured one among them.

    Parameters
    ----------
    config : dict
        The configuration.
    name, library : str, dict
        The library, and its entry.
    """
    choose = config["choose"]
    ranks = sorted({*choose["n_components"], config["smooth_nmf"]["n_components"]})
    check_ranks({"choose": max(ranks)}, name, library)
    n_spectra = number_of_spectra(library)
    if n_spectra is not None:
        left = n_spectra - -(-n_spectra // choose["n_folds"])
        if max(ranks) > left or choose["n_folds"] > n_spectra:
            raise ConfigurationError(
                f"choose.n_components: {max(ranks)} is more than the {left} spectra of {name} that "
                f"are left where one of {choose['n_folds']} folds is held out: set fewer, or more "
                "choose.n_folds"
            )
    return ranks


def smoothnesses_to_compare(config: dict) -> list[float]:
    """The smoothnesses that are cross-validated, the configured one among them."""
    return sorted({*config["choose"]["smoothness"], config["smooth_nmf"]["smoothness"]})


def chosen_before(path: str, n_components: int, smoothness: float) -> list[str]:
    """The words of a cross-validation on these values; none where `choose` has not compared them.

    It is not made for the page's sake, which would take minutes.

    Parameters
    ----------
    path : str
        The file that `choose` writes.
    n_components, smoothness : int, float
        The values that are configured.
    """
    try:
        said = json.loads(Path(path).read_text(encoding="utf-8"))
        configured = said["configured"]
        same = (configured["n_components"], configured["smoothness"]) == (n_components, smoothness)
        return [str(sentence) for sentence in said["in_words"]] if same else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
