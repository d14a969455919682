"""Options that several commands have, or that belong together, with what their help says."""

import argparse


def add_matrix(command: argparse.ArgumentParser) -> None:
    """Which values of a file are fitted, and how they are weighted."""
    matrix = command.add_argument_group("the matrix").add_argument
    matrix(
        "--hdu",
        metavar="NAME",
        help="extension of a FITS file, by name, or number from 0 (default: the first that holds a "
        "matrix)",
    )
    matrix(
        "--inverse-variance",
        metavar="NAME",
        help="weight of each value, 1 / variance, 0 where it is masked: an extension or array "
        "column of FILE, or another file of the same shape; `none` gives all values the same "
        "weight (default: the extension INVERSE_VARIANCE if there is one, else none)",
    )
    matrix(
        "--mask-nan",
        action="store_true",
        help="leave NaN and infinite values out of the fit (default: they are an error, unless "
        "their inverse variance is 0)",
    )


def add_estimator(command: argparse.ArgumentParser) -> None:
    """The options of `SmoothNMF`, with its defaults."""
    add = command.add_argument_group("the fit").add_argument
    add(
        *("-k", "--n-components"),
        type=int,
        default=4,
        metavar="K",
        help="number of components (default: %(default)s)",
    )
    add(
        "--smoothness",
        type=float,
        default=1.0,
        metavar="LAMBDA",
        help="0 to 1e9; smooths over about sqrt(LAMBDA) channels, 0 is plain NMF (default: "
        "%(default)g)",
    )
    add(
        "--init",
        choices=("nndsvd", "spa", "random"),
        default="nndsvd",
        help="starting components: from singular vectors (nndsvd), the most extreme spectra "
        "(spa), or random ones (default: %(default)s)",
    )
    add(
        "--random-state",
        type=int,
        default=0,
        metavar="SEED",
        help="seed of --init random (default: %(default)s)",
    )
    add(
        "--max-iter",
        type=int,
        default=2000,
        metavar="N",
        help="most iterations (default: %(default)s)",
    )
    add(
        "--tol",
        type=float,
        default=1e-6,
        metavar="TOL",
        help="the fit stops at this optimality, the relative projected gradient; 0 runs all "
        "--max-iter iterations (default: 1e-6)",
    )
    add(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="precision of the matrix (default: %(default)s)",
    )
    add(
        "--device",
        default="cpu",
        metavar="DEVICE",
        help="where the matrix lies: cpu, cuda, cuda:1 ..., or auto, which takes a CUDA GPU if "
        "there is one (default: %(default)s)",
    )


def add_library(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--library",
        metavar="NAME",
        help="an entry of config/libraries, without .yaml (default: `library` in "
        "config/config.yaml, or coelho2014)",
    )
    add_library_path(command)


def add_library_path(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--library-path",
        metavar="PATH",
        help="your copy of the library, a file or folder, or the address of a mirror (default: "
        "`library_path` in config/config.yaml, or the addresses of the entry)",
    )


def add_factorisation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--n-components",
        metavar="K",
        type=int,
        help="number of components of both PCA and NMF (default: `pca.n_components` and "
        "`smooth_nmf.n_components` in config/config.yaml, or 4)",
    )
    command.add_argument(
        "--smoothness",
        metavar="LAMBDA",
        type=float,
        help="NMF smooths over about sqrt(LAMBDA) channels; 0 is plain NMF (default: "
        "`smooth_nmf.smoothness` in config/config.yaml, or 10)",
    )


def add_metric(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--metric",
        choices=("rms", "angle"),
        help="distance between spectra: root mean square after division by their maxima, or angle "
        "in radians (default: `assign.metric` in config/config.yaml, or rms)",
    )


def add_workflow(command: argparse.ArgumentParser) -> None:
    """What every command that starts Snakemake takes."""
    add = command.add_argument_group("the run").add_argument
    add("--cores", metavar="N", default="1", help="jobs at once (default: %(default)s)")
    add(
        "--profile",
        metavar="FOLDER",
        help="profile of Snakemake, such as profiles/slurm for a cluster (default: none)",
    )
    add(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="any key of config/README.md, such as plot.width=10; can be given several times",
    )
