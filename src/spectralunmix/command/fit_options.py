"""The options of `spectralunmix fit`, and its help."""

import argparse
from pathlib import Path

from spectralunmix.errors import LibraryError

INITS = "nndsvd", "spa", "random"
Commands = argparse._SubParsersAction  # what `add_subparsers` gives
DESCRIPTION = """\
Find the components of the spectra in FILE, and their weights in each spectrum.
It needs no clone of the project. FILE has all spectra on the same channels:

  FITS image   One spectrum in each row: n_spectra x n_wave. The wavelengths are
               in an extension WAVELENGTH, or given by CRVAL1, CDELT1 (or CD1_1)
               and CRPIX1. Without either, channels are numbered from 1.
  FITS table   One spectrum in each row, with all its channels in an array
               column. If there are several array columns, FLUX is taken.
               The wavelengths are in an array column or extension WAVELENGTH.
  ECSV, CSV    One spectrum in each column, one channel in each row. The first
               column has the wavelengths. The first line names the columns,
               and the spectra keep these names.
  Zarr         A group (.zarr) with an array flux, n_spectra x n_wave. It may
               also have the arrays inverse_variance, of the same shape, and
               wavelength. Or a store that is itself such an array of spectra.
               It is read chunk by chunk, and may be larger than memory.

The results are written to FOLDER:

  components.ecsv  wavelengths, and a column for each component, with maximum 1
  weights.ecsv     a row for each spectrum, a column for each component, in the
                   unit of the spectra; for a Zarr store, or with --scheduler,
                   weights.fits, an image of n_spectra x n_components
  fit.json         objective, optimality, iterations, settings and versions
  components.png   a picture of the components"""
EXAMPLES = """\
examples:
  spectralunmix fit spectra.fits -k 4 --smoothness 10
  spectralunmix fit spectra.fits --hdu FLUX --inverse-variance IVAR --mask-nan
  spectralunmix fit spectra.csv --inverse-variance ivar.csv --output stars
  spectralunmix fit survey.zarr -k 10 --scheduler tcp://10.0.0.1:8786"""


def add_fit(commands: Commands) -> None:
    """Add `spectralunmix fit` to the commands."""
    command = commands.add_parser(
        "fit",
        help="find the components of the spectra in your own file",
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    add = command.add_argument
    add(
        "file",
        metavar="FILE",
        type=Path,
        help="FITS (.fits, .fit, .fts, or these with .gz), .ecsv, .csv, or a Zarr store (.zarr)",
    )
    add(
        *("--output", "-o"),
        metavar="FOLDER",
        type=Path,
        help="folder for the results; it replaces those of an earlier fit, but never other files "
        "(default: <FILE>_fit in the working folder)",
    )
    matrix = command.add_argument_group("the matrix").add_argument
    matrix(
        "--hdu",
        metavar="NAME",
        help="name, or number from 0, of the extension of a FITS file with the spectra; or name of "
        "the array of a Zarr group (default: the first extension with a matrix; in Zarr flux)",
    )
    matrix(
        "--inverse-variance",
        metavar="NAME",
        help="1 / variance of each value, 0 where it is masked: an extension or array column of "
        "FILE, an array of its Zarr group, or another file of the same shape; `none` is 1 "
        "throughout (default: the extension INVERSE_VARIANCE, or the Zarr array "
        "inverse_variance, if there is one, else none)",
    )
    matrix(
        "--error",
        metavar="NAME",
        help="standard deviation of each value, above 0, or inf where it is masked, in place of "
        "--inverse-variance; not for Zarr or with --scheduler (default: none)",
    )
    matrix(
        "--mask-nan",
        action="store_true",
        help="leave NaN and infinite values out of the fit (default: they are an error, unless "
        "their inverse variance is 0)",
    )
    command.add_argument_group("the cluster").add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask scheduler, such as tcp://host:8786, whose workers fit the spectra: "
        "those of a Zarr store, or of an image in an uncompressed FITS file, with the inverse "
        "variance in another extension. The workers need to see FILE under the same path "
        "(default: none, fit in this process)",
    )
    _add_estimator(command)


def check(options: argparse.Namespace) -> None:
    """Check what needs no reading of the file.

    Raises
    ------
    LibraryError
        There is no such file, or two options do not go together.
    """
    if not options.file.exists():
        of_survey = options.scheduler is not None or options.file.suffix == ".zarr"
        what = "file or Zarr store" if of_survey else "file"
        raise LibraryError(f"{options.file}: there is no such {what}")
    if options.error is not None and options.inverse_variance is not None:
        raise LibraryError(
            f"--error {options.error} and --inverse-variance {options.inverse_variance}: leave one "
            "of them out"
        )


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
        help="0 to 1e9; the fit smooths over about sqrt(LAMBDA) channels, 0 is plain NMF (default: "
        "%(default)g)",
    )
    add(
        "--init",
        metavar="START",
        default="nndsvd",
        help="components that the fit begins with: from singular vectors (nndsvd), the most "
        "extreme spectra (spa), random components (random), or those of a file: components.ecsv "
        "of another fit, or the checkpoint of a fit whose cluster was lost (default: %(default)s)",
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
        help="largest number of iterations (default: %(default)s)",
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
        help="precision of the fit (default: %(default)s)",
    )
    add(
        "--device",
        default="cpu",
        metavar="DEVICE",
        help="device that fits: cpu, cuda, cuda:1 ..., or auto, which takes a CUDA GPU if there is "
        "one (default: %(default)s)",
    )
