"""The command line: every command, its options, their defaults and its help.

Nothing here imports numpy, torch or the workflow, so that the help is shown at once.
"""

import argparse
import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from spectralunmix.command.fit_options import Commands, add_fit
from spectralunmix.command.run_options import (
    add_cube_name,
    add_factorisation,
    add_library,
    add_library_path,
    add_metric,
    add_workflow,
)
from spectralunmix.command.values import library_name
from spectralunmix.version import __version__

DESCRIPTION = """\
Unmix spectra into a few smooth, non-negative components: X ~ W H.

`fit` works in any folder, on your own file. The other commands work in a clone
of the project, on the libraries and cubes that config/libraries and
config/cubes describe. They take their settings from config/config.yaml, and
write to results/<library> or results/<cube>."""
EXAMPLES = """\
examples:
  spectralunmix fit spectra.csv -k 4 --smoothness 10
  spectralunmix figure --library pickles1998
  spectralunmix figure --help"""

SETTING = re.compile(r"\w+(\.\w+)*=")


class Parser(argparse.ArgumentParser):
    """A parser that keeps the line breaks of descriptions, and takes no shortened options."""

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
        add_fit,
        _add_figure,
        _add_cube,
        _add_report,
        _add_scan,
        _add_choose,
        _add_validate,
        _add_compare,
        _add_verify,
        _add_run,
        _add_addresses,
    ):
        add(commands)
    return made


def _refuse(whole: Parser, command: str, unknown: str) -> None:
    """End with the usage of the command, and with the known option that is most alike."""
    actions = (action for action in whole._actions if isinstance(action, Commands))
    of_command = next(actions).choices[command]
    known = [name for name in of_command._option_string_actions if name.startswith("--")]
    near = difflib.get_close_matches(unknown.partition("=")[0], known, 1)
    of_command.error(f"no option {unknown}" + (f": is {near[0]} meant?" if near else ""))


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of the command line; without any, show the help."""
    whole = parser()
    if not arguments:
        whole.print_help()
        whole.exit()
    options, unknown = whole.parse_known_args(arguments)
    if options.command is None:
        whole.error("a COMMAND is missing")
    if unknown:
        _refuse(whole, options.command, unknown[0])
    wrong = [text for text in getattr(options, "set", []) if not SETTING.match(text)]
    wrong += [target for target in getattr(options, "targets", []) if target.startswith("-")]
    if wrong:
        whole.error(f"{wrong[0]}: neither a target nor KEY=VALUE")
    return options


def _add_figure(commands: Commands) -> None:
    command = commands.add_parser(
        "figure",
        help="draw the figure of a library, and write all results behind it",
        description="""\
Draw the figure of a library: the prototypes of its classes, the eigenspectra of
PCA, the components of NMF, and the distances between them. Results that are up
to date are not made again. The results in results/<library> are, among others,

  figure.pdf, .png, .svg   the four panels
  summary.json             objective, optimality, distances, assignment
  nmf_*.ecsv, pca_*.ecsv   components and weights
  manifest.json            inputs, code and outputs of each step, by checksum

and docs/workflow/results.md lists all of them.""",
        epilog="""\
examples:
  spectralunmix figure --library pickles1998
  spectralunmix figure --n-components 5 --smoothness 100 --metric angle""",
    )
    add_library(command)
    add_factorisation(command)
    add_metric(command)
    add_workflow(command)


def _add_cube(commands: Commands) -> None:
    command = commands.add_parser(
        "cube",
        help="unmix a cube into component spectra and maps",
        description="""\
Unmix a cube of integral-field spectra, or an image with a spectrum in every
pixel, as its entry in config/cubes describes it. The results in results/<cube>
are, among others,

  maps.fits               components and maps, with their world coordinates
  cube.pdf, .png, .svg    components with their lines, maps, and residuals
  cube.html               a page with the spectrum and the fit of every spaxel
  cube.json, lines.ecsv   chi^2, shares, emission lines and their velocities
  manifest.json           inputs, code and outputs of each step, by checksum""",
        epilog="""\
examples:
  spectralunmix cube
  spectralunmix cube --cube mine --cube-path ~/mine.fits --n-components 4""",
    )
    add_cube_name(command, alone=True)
    add_factorisation(command, of_cube=True)
    add_workflow(command)


def _add_report(commands: Commands) -> None:
    command = commands.add_parser(
        "report",
        help="put the figure, pictures and tables of a library on a page",
        description="""\
Draw the figure of a library, as `spectralunmix figure` does, and write two
pages for a browser to results/<library>:

  report.html        figure, further pictures, methods, tables and provenance
  interactive.html   spectra, components and weights, which can be zoomed""",
        epilog="""\
examples:
  spectralunmix report --library pickles1998
  spectralunmix report --cube abell478""",
    )
    add_library(command)
    add_cube_name(command)
    add_factorisation(command)
    add_metric(command)
    add_workflow(command)


def _add_scan(commands: Commands) -> None:
    command = commands.add_parser(
        "scan",
        help="fit several numbers of components, smoothnesses and starts",
        description="""\
Fit a library with several numbers of components and smoothnesses, each from
several random starts. The keys below `scan` in config/config.yaml list them.
The results in results/<library> are

  scan.ecsv              a row for each fit
  scan.pdf, .png, .svg   objective, share not explained, distances to prototypes
                         and between starts, over the number of components
  scan/                  the components of all fits""",
        epilog="""\
examples:
  spectralunmix scan --library pickles1998 --cores 2
  spectralunmix scan --set "scan.n_components=[3, 4, 5]" --set scan.n_starts=4""",
    )
    add_library(command)
    add_metric(command)
    add_workflow(command)


def _add_choose(commands: Commands) -> None:
    command = commands.add_parser(
        "choose",
        help="choose the number of components and the smoothness by held-out errors",
        description="""\
Hold out some spectra of a library or a cube, fit the others with several
numbers of components and smoothnesses, and find how well the components explain
the spectra that were held out. The keys below `choose` in config/config.yaml
list them. The results in results/<library> or results/<cube> are

  choose.json            the choice, beside the configured values, also in words
  choose.ecsv            held-out errors, their standard errors, and how stable
                         the fits are
  choose.pdf, .png, .svg held-out errors over the number of components""",
        epilog="""\
examples:
  spectralunmix choose --library pickles1998
  spectralunmix choose --set "choose.n_components=[2, 3, 4, 5]"
  spectralunmix choose --cube abell478""",
    )
    add_library(command)
    add_cube_name(command)
    add_factorisation(command)
    add_workflow(command)


def _add_validate(commands: Commands) -> None:
    command = commands.add_parser(
        "validate",
        help="check a library against its entry, and list what it holds",
        description="""\
Read all spectra of a library as its entry in config/libraries describes them,
and list what it holds. If something does not fit, the error names the key to
change. The results in results/<library> are

  library.txt   spectra, wavelengths, parameters, classes and the entry's notes
  library.png   coverage, sizes of the classes, and a spectrum of each class""",
        epilog="""\
examples:
  spectralunmix validate --library pickles1998
  spectralunmix validate --library mystars --library-path ~/spectra""",
    )
    add_library(command)
    add_workflow(command)


def _add_compare(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="compare the components of several libraries",
        description="""\
Draw the figure of each library, and compare their components. The results in
results/comparison are

  figure.pdf, .png, .svg   the components of all libraries side by side
  distances.ecsv           distances between components of different libraries
  transfer.ecsv            how well the components of one library explain the
                           spectra of another""",
        epilog="example:\n  spectralunmix compare --libraries pickles1998 miles",
    )
    command.add_argument(
        "--libraries",
        metavar="NAME",
        type=library_name,
        nargs="+",
        required=True,
        help="names of at least two entries of config/libraries, without .yaml (default: none, "
        "they are needed)",
    )
    command.add_argument(
        "--library",
        metavar="NAME",
        type=library_name,
        help="the library that --library-path is for (default: the first)",
    )
    add_library_path(command)
    add_factorisation(command)
    add_metric(command)
    add_workflow(command)


def _add_verify(commands: Commands) -> None:
    command = commands.add_parser(
        "verify",
        help="check results against their manifest, or against another run",
        description="""\
Check that the results of a library or a cube are what their manifest says, by
the sha256 of every file that a step took or made, and of the code that it ran.
With --reference, also check that they agree with the results of another run.
Nothing is written. Every deviation is named; then the exit status is 1.""",
        epilog="""\
examples:
  spectralunmix verify
  spectralunmix verify --library miles --reference ../other/results/miles""",
    )
    command.add_argument(
        "--library",
        metavar="NAME",
        type=library_name,
        help="folder in results/, such as that of a library or a cube (default: the one made last)",
    )
    command.add_argument(
        "--reference",
        metavar="FOLDER",
        type=Path,
        help="folder with the results of another run, such as tests/reference/pickles1998 "
        "(default: none)",
    )


def _add_run(commands: Commands) -> None:
    command = commands.add_parser(
        "run",
        help="make any result or rule of the workflow",
        description="""\
Make files or rules of the workflow, with all that they need. Like every command
that makes results, it first renames results that were altered by hand to
<name>.altered, and makes them again.""",
        epilog="""\
examples:
  spectralunmix run results/pickles1998/summary.json --library pickles1998
  spectralunmix run figure --set smooth_nmf.init=spa --set smooth_nmf.tol=1e-6""",
    )
    command.add_argument(
        "targets",
        metavar="TARGET",
        nargs="+",
        help="a file below results/, or a rule, such as figure",
    )
    add_library(command)
    add_cube_name(command)
    add_factorisation(command)
    add_metric(command)
    add_workflow(command)


def _add_addresses(commands: Commands) -> None:
    command = commands.add_parser(
        "addresses",
        help="check whether libraries and cubes can still be downloaded",
        description="""\
Check whether the addresses of libraries and cubes still serve the same bytes. A
file with a sha256 in its entry is downloaded and checked. For other files the
server is asked for size, date and tag, which are compared with those of the
last time. Every address that cannot be reached, or serves something else, is
named; then the exit status is 1.""",
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
        help="YAML files of libraries or cubes (default: all of config/libraries and config/cubes)",
    )
    command.add_argument(
        "--seen",
        metavar="FILE",
        type=Path,
        default=Path("results/addresses.json"),
        help="file that keeps the answers of the servers for the next time (default: %(default)s)",
    )
