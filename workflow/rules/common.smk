# What the rules share: settings, entries and input functions. Nothing here writes.
import re
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError

if find_spec("spectralunmix") is None:
    raise WorkflowError(
        "the package spectralunmix is not installed: pip install 'spectralunmix[workflow] @ ...', "
        "where ... is the address of this workflow's repository"
    )

from spectralunmix import workflow as steps
from spectralunmix.configuration import check_ranks, configured
from spectralunmix.libraries.entry import read_entry

config.update(configured(config, workflow.configfiles))


def source_file(file):
    """A file of the workflow by its path, here or, where it was loaded from afar, a copy."""
    local = Path(str(workflow.current_basedir)) / "../.." / file
    return local if local.exists() else Path(workflow.source_path(f"../../{file}"))


def code(script, *parts, without=()):
    """Checksum of a script, the lock and the parts of the package it uses: an edit reruns its rule."""
    lock = source_file("envs/requirements.txt")
    return steps.checksum(source_file(f"workflow/scripts/{script}"), lock, *parts, without=without)


def entry(name):
    """The library's entry: the user's own in the working directory, else the workflow's."""
    if name in ("comparison", "downloads"):
        raise WorkflowError(f"library: results/{name} is for something else: choose another name")
    own = Path(f"config/libraries/{name}.yaml")
    if own.exists():
        return read_entry(own)
    try:
        shipped = source_file(own)
        shipped.read_bytes()
    except (WorkflowError, OSError):
        known = sorted(path.stem for path in Path("config/libraries").glob("*.yaml"))
        there = f"; there are {', '.join(known)}" if known else ""
        raise WorkflowError(f"library: no {own}{there}") from None
    return read_entry(shipped)


LIBRARIES = {name: entry(name) for name in [config["library"], *config["compare"]]}
for name, library in LIBRARIES.items():
    check_ranks({s: config[s]["n_components"] for s in ("pca", "smooth_nmf")}, name, library)


def of_library(key):
    """That part of the entry of the library that a job is for."""
    return lambda wildcards: LIBRARIES[wildcards.library][key]


def labels(wildcards):
    return steps.class_labels([LIBRARIES[wildcards.library]])


def library_path(wildcards):
    """The user's own copy of the library that a job is for."""
    path = config["library_path"]
    if isinstance(path, dict):
        return path.get(wildcards.library)
    return path if wildcards.library == config["library"] else None


def local_copies(wildcards):
    return steps.local_copies(LIBRARIES[wildcards.library], library_path(wildcards))


def index_file(wildcards):
    return steps.index_file(LIBRARIES[wildcards.library])


def compared(file):
    """That result of each library that is compared."""

    def files(_):
        names = config["compare"]
        if len(names) < 2:
            named = ", ".join(names) or "none"
            raise WorkflowError(f"compare: two libraries or more are needed, not {named}")
        return [f"results/{name}/{file}" for name in names]

    return files


def scanned(file):
    """That result of every job of the scan."""

    def files(wildcards):
        scan, name = config["scan"], wildcards.library
        check_ranks({"scan": max(scan["n_components"])}, name, LIBRARIES[name])
        first = range(0, scan["n_starts"], scan["starts_per_job"])
        return expand(file, library=name, n_components=scan["n_components"], first=first)

    return files


def starts_of_job(wildcards):
    """How many starts the job of the scan fits that begins with the first."""
    scan = config["scan"]
    return min(scan["starts_per_job"], scan["n_starts"] - int(wildcards.first))


# The settings are those of these libraries: another's results are not made with them.
wildcard_constraints:
    library="|".join(map(re.escape, LIBRARIES)),
