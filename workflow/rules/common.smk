# What the rules share: settings, entries and input functions. Nothing here writes.
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

if find_spec("spectralunmix") is None:
    raise WorkflowError(
        "the package spectralunmix is not installed: pip install '<folder>[workflow]', where <folder> "
        "is a clone of this workflow's repository"
    )

from spectralunmix import workflow as steps
from spectralunmix.configuration import check_ranks, configured

config.update(configured(config, workflow.configfiles))


def source_file(file):
    """A file of the workflow by its path, here or, where it was loaded from afar, a copy."""
    local = Path(str(workflow.current_basedir)) / "../.." / file
    return local if local.exists() else Path(workflow.source_path(f"../../{file}"))


def shipped(file):
    """A file of the workflow, or None if it has no such file."""
    try:
        found = source_file(file)
        return found if found.is_file() else None
    except (WorkflowError, OSError):
        return None


def code(script, *parts):
    """Checksum of a script, the lock and the parts of the package it uses: an edit reruns its rule."""
    lock = source_file("envs/requirements.txt")
    return steps.checksum(source_file(f"workflow/scripts/{script}"), lock, *parts)


LIBRARIES = {
    name: steps.entry_of(name, shipped) for name in [config["library"], *config["compare"]]
}
CUBES = {name: steps.entry_of(name, shipped, "cube") for name in filter(None, [config["cube"]])}
ENTRIES = LIBRARIES | CUBES
for name, library in LIBRARIES.items():
    check_ranks({s: config[s]["n_components"] for s in ("pca", "smooth_nmf")}, name, library)

if workflow.is_main_process:
    for warning in steps.warnings_of_altered(config):
        logger.warning(warning)


def of_library(key):
    """That part of the entry of the library, or cube, that a job is for."""
    return lambda wildcards: ENTRIES[wildcards.library][key]


def settings(wildcards):
    """The configuration as it is for this library, or cube."""
    return steps.settings(config, CUBES.get(wildcards.library))


def setting(part, key):
    return lambda wildcards: settings(wildcards)[part][key]


def labels(wildcards):
    return steps.class_labels([LIBRARIES[wildcards.library]])


def local_copies(wildcards):
    return steps.local_copies(config, wildcards.library, ENTRIES[wildcards.library])


def compared(file):
    """That result of each library that is compared."""
    return lambda wildcards: steps.compared(config["compare"], file)


def scanned(file):
    """That result of every job of the scan."""

    def files(wildcards):
        name = wildcards.library
        return expand(file, library=name, **steps.scan_jobs(config["scan"], name, LIBRARIES[name]))

    return files


# The settings are those of these libraries: another's results are not made with them.
OF_LIBRARIES, OF_CUBES = map(steps.one_of, (LIBRARIES, CUBES))


wildcard_constraints:
    library=steps.one_of(ENTRIES),
