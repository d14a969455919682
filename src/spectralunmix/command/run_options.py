"""Options that several commands on the workflow take."""

import argparse
import os

from spectralunmix.command.values import existing_folder, library_name, whole_number

MOST_CORES = 4  # taken by default: a figure has at most so many jobs side by side


def add_library(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--library",
        metavar="NAME",
        type=library_name,
        help="name of an entry of config/libraries, without .yaml (default: `library` in "
        "config/config.yaml, or coelho2014)",
    )
    add_library_path(command)


def add_library_path(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--library-path",
        metavar="PATH",
        help="your own copy of the library, a file or folder, or the address of a mirror (default: "
        "`library_path` in config/config.yaml, or the addresses of the entry)",
    )


def add_cube_name(command: argparse.ArgumentParser, *, alone: bool = False) -> None:
    default = "`cube` in config/config.yaml, or abell478" if alone else "none, a library is taken"
    command.add_argument(
        "--cube",
        metavar="NAME",
        type=library_name,
        help="name of an entry of config/cubes, without .yaml"
        + ", in place of a library" * (not alone)
        + f" (default: {default})",
    )
    command.add_argument(
        "--cube-path",
        metavar="PATH",
        help="your own copy of the cube, a file or folder, or the address of a mirror (default: "
        "`cube_path` in config/config.yaml, or the addresses of the entry)",
    )


def add_factorisation(command: argparse.ArgumentParser, *, of_cube: bool = False) -> None:
    of_library = "`{0}` in config/config.yaml, or {1}"
    of_entry = "`cubes.{0}` in config/config.yaml, or what the entry says"
    said = of_entry if of_cube else of_library
    ranks = said.format("smooth_nmf.n_components", 4)
    both, ranks = ("NMF", ranks) if of_cube else ("PCA and NMF", f"`pca.n_components` and {ranks}")
    command.add_argument(
        "--n-components",
        metavar="K",
        type=int,
        help=f"number of components of {both} (default: {ranks})",
    )
    smoothness = said.format("smooth_nmf.smoothness", 10)
    command.add_argument(
        "--smoothness",
        metavar="LAMBDA",
        type=float,
        help="NMF smooths over about sqrt(LAMBDA) channels; 0 is plain NMF (default: "
        f"{smoothness})",
    )


def add_metric(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--metric",
        choices=("rms", "angle"),
        help="distance between a component and a prototype: root mean square of their difference, "
        "each divided by its maximum, or their angle in radians (default: `assign.metric` in "
        "config/config.yaml, or rms)",
    )


def _cores() -> int:
    """The number of cores that this process may use, or else that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def add_workflow(command: argparse.ArgumentParser) -> None:
    """Add the options that every command takes which starts Snakemake."""
    add = command.add_argument_group("the run").add_argument
    add(
        "--cores",
        metavar="N",
        type=whole_number,
        default=min(MOST_CORES, _cores()),
        help=f"number of jobs at once (default: the number of cores, but at most {MOST_CORES})",
    )
    add(
        "--profile",
        metavar="FOLDER",
        type=existing_folder,
        help="folder with a profile of Snakemake, such as profiles/slurm for a cluster (default: "
        "none)",
    )
    add(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="any key of docs/workflow/configuration.md, such as plot.width=10; may be given "
        "several times (default: none)",
    )
