"""The command line: every command, its options, their defaults and what its help says.

Nothing here imports numpy, torch or the workflow: the help comes at once.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spectralunmix.version import __version__

DESCRIPTION = """\
Unmix spectra into a few smooth, non-negative components: X ~ W H.

`fit` works anywhere, on a file of yours. All others work in a clone of the
project: from a library that config/libraries names they make results/<library>,
with the settings of config/config.yaml."""
EXAMPLES = """\
examples:
  spectralunmix fit spectra.csv -k 4 --smoothness 10
  spectralunmix figure --library pickles1998
  spectralunmix figure --help"""


class Parser(argparse.ArgumentParser):
    """A parser of whole words whose descriptions and examples keep their line breaks."""

    def __init__(self, **options: str):
        super().__init__(
            **options,  # type: ignore[arg-type]
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )


def parser() -> Parser:
    """The parser of all commands."""
    made = Parser(prog="spectralunmix", description=DESCRIPTION, epilog=EXAMPLES)
    made.add_argument("--version", action="version", version=f"spectralunmix {__version__}")
    commands = made.add_subparsers(
        dest="command", title="commands", metavar="COMMAND", parser_class=Parser
    )
    for add in (
        _add_fit,
        _add_figure,
        _add_report,
        _add_scan,
        _add_validate,
        _add_compare,
        _add_verify,
        _add_run,
        _add_addresses,
    ):
        add(commands)
    return made


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """What the words of the command line ask for; without any, the help is shown."""
    whole = parser()
    if not arguments:
        whole.print_help()
        whole.exit()
    options = whole.parse_args(arguments)
    if options.command is None:
        whole.error("a COMMAND is missing")
    wrong = [stated for stated in getattr(options, "set", []) if "=" not in stated]
    wrong += [target for target in getattr(options, "targets", []) if target.startswith("-")]
    if wrong:
        whole.error(f"{wrong[0]}: neither a target nor KEY=VALUE")
    return options


Commands = argparse._SubParsersAction  # what `add_subparsers` gives


def _add_fit(commands: Commands) -> None:
    command = commands.add_parser(
        "fit",
        help="the components of a matrix of spectra in a file of yours",
        description="""\
Find the components of a matrix of spectra, and the weight of each in every
spectrum. Needs no clone of the project. FILE is one of

  FITS  an image with a spectrum a row, (n_spectra, n_wave). Its wavelengths are
        an extension WAVELENGTH, or CRVAL1, CDELT1 or CD1_1, and CRPIX1 of its
        header; without these, channels are counted from 1.
        Or a binary table with a spectrum a row, all channels in one array
        column; it is called FLUX where there are several, and wavelengths are
        an array column WAVELENGTH or an extension WAVELENGTH.
  ECSV  or CSV: a channel a row. The first column is the wavelength, every
        further column a spectrum, named in the first line.

It makes FOLDER with

  components.ecsv  wavelength, and a column a component, each with maximum 1
  weights.ecsv     a row a spectrum, a column a component, in the unit of FILE
  fit.json         objective, optimality, iterations, settings and versions
  components.png   a picture of the components""",
        epilog="""\
examples:
  spectralunmix fit spectra.fits -k 4 --smoothness 10
  spectralunmix fit spectra.fits --hdu FLUX --inverse-variance IVAR --mask-nan
  spectralunmix fit spectra.csv --inverse-variance weights.csv --output stars""",
    )
    add = command.add_argument
    add(
        "file",
        metavar="FILE",
        type=Path,
        help="FITS (.fits, .fit, .fts, or these with .gz), .ecsv or .csv",
    )
    add(
        *("--output", "-o"),
        metavar="FOLDER",
        type=Path,
        help="what is made; it may hold an earlier fit, which is replaced, and no files of yours "
        "(default: <FILE>_fit in the working folder)",
    )
    matrix = command.add_argument_group("the matrix").add_argument
    matrix(
        "--hdu",
        metavar="NAME",
        help="extension of a FITS file, by name or number from 0 (default: the first with a matrix)",
    )
    matrix(
        "--inverse-variance",
        metavar="NAME",
        help="1 / variance of each value, which is its weight, 0 where masked: an extension, or "
        "array column, of FILE, or a file of the same kinds and shape; `none` weighs all values "
        "alike (default: the extension INVERSE_VARIANCE where there is one, else none)",
    )
    matrix(
        "--mask-nan",
        action="store_true",
        help="leave out NaN and infinite values (default: they are an error, but where the inverse "
        "variance is 0)",
    )
    _add_estimator(command)


def _add_estimator(command: argparse.ArgumentParser) -> None:
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
        help="smooths over about sqrt(LAMBDA) channels, from 0, no smoothing, to 1e9 (default: "
        "%(default)g)",
    )
    add(
        "--init",
        choices=("nndsvd", "spa", "random"),
        default="nndsvd",
        help="starting components: nndsvd, from the singular vectors; spa, the most extreme "
        "spectra; random, by --random-state (default: %(default)s)",
    )
    add(
        "--random-state",
        type=int,
        default=0,
        metavar="SEED",
        help="of --init random alone (default: %(default)s)",
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
        help="optimality, the relative projected gradient, at which the fit stops; 0 makes all "
        "--max-iter iterations (default: %(default)g)",
    )
    add(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="precision in which the matrix is kept (default: %(default)s)",
    )
    add(
        "--device",
        default="cpu",
        metavar="DEVICE",
        help="where the matrix is kept: cpu, cuda, cuda:1 ..., or auto, which is cuda where "
        "there is one (default: %(default)s)",
    )


def _add_figure(commands: Commands) -> None:
    command = commands.add_parser(
        "figure",
        help="the four panels of a library, and all that they are drawn from",
        description="""\
Make the figure of a library: prototypes of its classes, PCA, NMF, and their
distances. It makes, in results/<library>,

  figure.pdf, .png and .svg   the four panels
  summary.json                objective, optimality, distances, assignment
  nmf_*.ecsv, pca_*.ecsv      components and weights
  manifest.json               what each step took, ran and made

and what results/README.md lists. What is up to date is not made again.""",
        epilog="""\
examples:
  spectralunmix figure --library pickles1998
  spectralunmix figure --n-components 5 --smoothness 100 --metric angle""",
    )
    _add_library(command)
    _add_factorisation(command)
    _add_metric(command)
    _add_workflow(command)


def _add_report(commands: Commands) -> None:
    command = commands.add_parser(
        "report",
        help="one page of figure, pictures, methods and tables, and one to zoom into",
        description="""\
Make the figure of a library, as `spectralunmix figure` does, and two pages for
a browser, in results/<library>:

  report.html        figure, pictures, methods, tables and provenance
  interactive.html   components, prototypes and weights to zoom into""",
        epilog="example:\n  spectralunmix report --library pickles1998",
    )
    _add_library(command)
    _add_factorisation(command)
    _add_metric(command)
    _add_workflow(command)


def _add_scan(commands: Commands) -> None:
    command = commands.add_parser(
        "scan",
        help="fits over numbers of components, smoothnesses and starts",
        description="""\
Fit a library with several numbers of components and smoothnesses, from several
random starts; which, say the keys below `scan` of config/config.yaml. It makes,
in results/<library>,

  scan.ecsv         a row a fit
  scan.pdf, .png    explained share, stability and distances over components
  scan/             the components of all fits""",
        epilog="""\
examples:
  spectralunmix scan --library pickles1998 --cores 2
  spectralunmix scan --set "scan.n_components=[3, 4, 5]" --set scan.n_starts=4""",
    )
    _add_library(command)
    _add_metric(command)
    _add_workflow(command)


def _add_validate(commands: Commands) -> None:
    command = commands.add_parser(
        "validate",
        help="what a library holds, and what of it does not fit its entry",
        description="""\
Read all spectra of a library by its entry in config/libraries, and say what it
holds; what does not fit is named with the key to change. It makes, in
results/<library>,

  library.txt   classes, parameters, wavelengths, quality, and warnings
  library.png   the same as a picture""",
        epilog="""\
examples:
  spectralunmix validate --library pickles1998
  spectralunmix validate --library mystars --library-path ~/spectra""",
    )
    _add_library(command)
    _add_workflow(command)


def _add_compare(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="the components of several libraries side by side",
        description="""\
Make the figure of each library, and compare their components. It makes, in
results/comparison,

  figure.pdf, .png and .svg   the components of all libraries, class by class
  distances.ecsv              between the components of every two libraries
  transfer.ecsv               how well one's components explain another's spectra""",
        epilog="example:\n  spectralunmix compare --libraries pickles1998 miles",
    )
    command.add_argument(
        "--libraries", metavar="NAME", nargs="+", required=True, help="two or more"
    )
    command.add_argument(
        "--library", metavar="NAME", help="the one that --library-path is of (default: the first)"
    )
    _add_library_path(command)
    _add_factorisation(command)
    _add_metric(command)
    _add_workflow(command)


def _add_verify(commands: Commands) -> None:
    command = commands.add_parser(
        "verify",
        help="whether results are what their manifest says, or equal to another run's",
        description="""\
Prove that the results of a library are what its manifest says: the sha256 of
every file that a step took or made, and of the code that it ran. With
--reference, that they agree with those of another run, too. Makes nothing; each
deviation is named, and the exit status is then 1.""",
        epilog="""\
examples:
  spectralunmix verify
  spectralunmix verify --library miles --reference ../other/results/miles""",
    )
    command.add_argument(
        "--library", metavar="NAME", help="a folder of results/ (default: the one made last)"
    )
    command.add_argument(
        "--reference",
        metavar="FOLDER",
        type=Path,
        help="the results of another run, such as tests/reference/pickles1998 (default: none)",
    )


def _add_run(commands: Commands) -> None:
    command = commands.add_parser(
        "run",
        help="any file or rule of the workflow",
        description="""\
Make files or rules of the workflow that you name, with all that they need. As
all commands that make results, it first sets aside those that were altered by
hand, as <name>.altered, and makes them again.""",
        epilog="""\
examples:
  spectralunmix run results/pickles1998/summary.json
  spectralunmix run figure --set smooth_nmf.init=spa --set smooth_nmf.tol=1e-6""",
    )
    command.add_argument(
        "targets", metavar="TARGET", nargs="+", help="a file below results/, or a rule as figure"
    )
    _add_library(command)
    _add_factorisation(command)
    _add_metric(command)
    _add_workflow(command)


def _add_addresses(commands: Commands) -> None:
    command = commands.add_parser(
        "addresses",
        help="whether the libraries' addresses still serve the same bytes",
        description="""\
Ask the addresses of libraries for their files. One with a sha256 is fetched and
checked. Of others, the first of each pattern is asked for its size, time of
change and tag, which are compared with those of the last time. Each address
that is out of reach, or serves something else, is named, and the exit status
is then 1.""",
        epilog="""\
examples:
  spectralunmix addresses
  spectralunmix addresses config/libraries/miles.yaml""",
    )
    command.add_argument(
        "entries",
        metavar="ENTRY",
        nargs="*",
        type=Path,
        help="YAML files of libraries (default: all of config/libraries)",
    )
    command.add_argument(
        "--seen",
        metavar="FILE",
        type=Path,
        default=Path("results/addresses.json"),
        help="what was seen the last time, which is renewed (default: %(default)s)",
    )


def _add_library(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--library",
        metavar="NAME",
        help="an entry of config/libraries, without .yaml (default: `library` of "
        "config/config.yaml; without one coelho2014)",
    )
    _add_library_path(command)


def _add_library_path(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--library-path",
        metavar="PATH",
        help="your copy of it, a file or folder, or the address of a mirror (default: "
        "`library_path` of config/config.yaml; without one it is downloaded)",
    )


def _add_factorisation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--n-components",
        metavar="K",
        type=int,
        help="components, of PCA and NMF alike (default: `n_components` of each in "
        "config/config.yaml; without one 4)",
    )
    command.add_argument(
        "--smoothness",
        metavar="LAMBDA",
        type=float,
        help="of NMF: smooths over about sqrt(LAMBDA) channels, 0 not at all (default: "
        "`smooth_nmf.smoothness` of config/config.yaml; without one 10)",
    )


def _add_metric(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--metric",
        choices=("rms", "angle"),
        help="distance of a component to a class: root mean square of spectra with maximum 1, or "
        "angle in radians (default: `assign.metric` of config/config.yaml; without one rms)",
    )


def _add_workflow(command: argparse.ArgumentParser) -> None:
    """What every command that starts Snakemake takes."""
    add = command.add_argument_group("the run").add_argument
    add("--cores", metavar="N", default="1", help="jobs at once (default: %(default)s)")
    add(
        "--profile",
        metavar="FOLDER",
        help="a profile of Snakemake's, such as profiles/slurm for a cluster (default: none)",
    )
    add(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="any key of config/config.yaml, as config/README.md lists them, such as "
        "plot.width=10; can be repeated",
    )
