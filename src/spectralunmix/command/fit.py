"""`spectralunmix fit`: fits the spectra in a file, and writes the results to a folder."""

import argparse
import importlib.metadata
import logging
import platform
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from astropy.table import Column, Table

from spectralunmix.cluster.checkpoint import ClusterLostError
from spectralunmix.command import survey
from spectralunmix.command.fit_options import INITS
from spectralunmix.command.folder import SUMMARY, Folder
from spectralunmix.errors import LibraryError
from spectralunmix.files import component_names, write_table
from spectralunmix.fit_report import how_it_ended
from spectralunmix.libraries.readers.files import taken_for
from spectralunmix.matrix_files import Matrix, read_matrix, without_suffix
from spectralunmix.provenance import machine, sha256
from spectralunmix.version import __version__

if TYPE_CHECKING:
    from spectralunmix import SmoothNMF

MADE_BY = "spectralunmix fit"
COMPONENTS = "components.ecsv"
WEIGHTS = "weights.ecsv"
WEIGHTS_OF_SURVEY = "weights.fits"  # of spectra without names, which may be many
PICTURE = "components.png"
QUIET_SECONDS = 5.0  # between two lines of progress
SETTINGS = (
    *("n_components", "smoothness", "init", "max_iter", "tol"),
    *("dtype", "device", "random_state"),
)
PACKAGES = ("astropy", "matplotlib", "numpy", "scikit-learn", "scipy", "torch")


class Occasionally(logging.Filter):
    """Lets a line of the log through every few seconds, the first after as long a time."""

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds
        self.last = time.monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self.last < self.seconds:
            return False
        self.last = now
        return True


def fit(options: argparse.Namespace) -> None:
    """Fit the spectra that the options name; write the results and print a summary.

    Parameters
    ----------
    options : argparse.Namespace
        The options of `spectralunmix fit`.

    Raises
    ------
    LibraryError
        The file, the folder or an option cannot be used; the message says the way out.
    """
    path: Path = options.file
    target = options.output or Path(f"{without_suffix(path)}_fit")
    of_survey = options.scheduler is not None or survey.is_zarr(path)
    name = WEIGHTS_OF_SURVEY if of_survey else WEIGHTS
    with (
        Folder(target, (COMPONENTS, name, PICTURE), MADE_BY) as folder,
        survey.cluster(options.scheduler),
    ):
        matrix = survey.read_survey(options) if of_survey else read(options)
        check_n_components(path, options.n_components, matrix.flux.shape)
        print(described(path, matrix), flush=True)
        for line in [] if of_survey else doubts(matrix):
            print(line, flush=True)
        with survey.resumable(target, options) as kept:
            model, weights = fitted(path, matrix, options)
            kept.components = model.components_
            content = summary(model, matrix, options)
            write_components(folder.part / COMPONENTS, matrix, model.components_)
            if of_survey:
                survey.write_weights(folder.part / name, weights)
            else:
                write_weights(folder.part / name, matrix, weights)
            write_picture(folder.part / PICTURE, matrix, model, weights, path.name)
            folder.finish(content)
    print(how_it_ended(content))
    if not content["converged"]:
        print(
            "WARNING: NOT converged: better components exist; raise --max-iter, or raise --tol if "
            "the components no longer change"
        )
    print(f"components: {target / COMPONENTS}, their picture: {target / PICTURE}")
    print(f"weights: {target / name}, the fit: {target / SUMMARY}")


def read(options: argparse.Namespace) -> Matrix:
    """Read the matrix of a file into memory."""
    return read_matrix(
        *(options.file, options.hdu, options.inverse_variance, options.error, options.mask_nan)
    )


def check_n_components(path: Path, n_components: int, shape: tuple[int, ...]) -> None:
    """Raise a LibraryError where the matrix is too small for so many components."""
    most = min(shape)
    if n_components > most:
        raise LibraryError(
            f"{path}: {n_components} components are more than {shape[0]} spectra of {shape[1]} "
            f"channels can give: -k {most} or fewer"
        )


def described(path: Path, matrix: Matrix) -> str:
    """Describe in a line what was read."""
    text = f"{path}: {matrix.flux.shape[0]} spectra of {matrix.flux.shape[1]} channels"
    if matrix.wavelength is not None:
        of_unit = f" {matrix.unit}" if matrix.unit else ""
        text += f", {matrix.wavelength[0]:.6g} to {matrix.wavelength[-1]:.6g}{of_unit}"
    if matrix.inverse_variance is None:
        return text
    if not matrix.names:  # a pass over all of them
        return f"{text}, with inverse variance"
    without = 100 * np.mean(matrix.inverse_variance == 0)
    return f"{text}, with inverse variance, which is 0 for {without:.3g} % of the values"


def doubts(matrix: Matrix) -> list[str]:
    """Warnings of what cannot be fitted, or may be another thing than it is taken for."""
    warnings = []
    n_spectra, n_wave = matrix.flux.shape
    if n_spectra > n_wave:
        warnings.append(
            f"WARNING: {n_spectra} spectra of {n_wave} channels, more spectra than channels: is "
            "the matrix transposed?"
        )
    for name, flux in zip(matrix.names, matrix.flux, strict=True):
        if n_wave > 2 and (np.diff(flux) > 0).all():
            warnings.append(
                f"WARNING: {name} rises in every channel: is it a column of wavelengths?"
            )
    if matrix.inverse_variance is None:
        return warnings
    spectra = int((~matrix.inverse_variance.any(axis=1)).sum())
    if spectra:
        warnings.append(
            f"WARNING: {spectra} spectra have inverse variance 0 throughout: their weights are 0"
        )
    channels = int((~matrix.inverse_variance.any(axis=0)).sum())
    if channels:
        warnings.append(
            f"WARNING: {channels} channels have inverse variance 0 in every spectrum: components "
            "are no measurement there"
        )
    return warnings


def fitted(path: Path, matrix: Matrix, options: argparse.Namespace) -> tuple["SmoothNMF", Any]:
    """Fit the matrix: the model, and the weights (n_spectra, k). Progress goes to stderr."""
    from sklearn.exceptions import ConvergenceWarning

    from spectralunmix import SmoothNMF

    handler = logging.StreamHandler()
    handler.addFilter(Occasionally(QUIET_SECONDS))
    log = logging.getLogger("spectralunmix")
    log.addHandler(handler)
    settings = {name: getattr(options, name) for name in SETTINGS}
    settings["init"] = starting_components(options.init)
    model = SmoothNMF(**settings, verbose=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the summary says it
            return model, model.fit_transform(matrix.flux, inverse_variance=matrix.inverse_variance)
    except ClusterLostError:
        raise
    except (ValueError, RuntimeError) as error:  # RuntimeError of torch: no such device
        raise LibraryError(f"{path}: {' '.join(str(error).split())}") from error
    finally:
        log.removeHandler(handler)


def starting_components(init: str) -> str | np.ndarray:
    """The name of a start, or the components in the file of that name."""
    if init in INITS:
        return init
    path = Path(init)
    if not path.is_file():
        raise LibraryError(
            f"--init {init}: neither {', '.join(INITS)} nor a file: give the .npy file of a fit "
            f"that was lost, or the {COMPONENTS} of a fit that ended"
        )
    with taken_for(str(path), "a file of components"):
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        table = Table.read(path, format="ascii.ecsv")
        return np.array([table[name] for name in table.colnames[1:]], dtype=float)


def summary(model: "SmoothNMF", matrix: Matrix, options: argparse.Namespace) -> dict:
    """The content of fit.json: numbers of the fit, and settings and versions to repeat it."""
    from spectralunmix.fit_report import numbers

    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "file": {
            "path": str(options.file),
            "sha256": sha256(options.file) if options.file.is_file() else None,
        },
        "n_spectra": matrix.flux.shape[0],
        "n_wave": matrix.flux.shape[1],
        **numbers(model, matrix.flux, matrix.inverse_variance),
        "settings": {
            "hdu": options.hdu,
            "inverse_variance": options.inverse_variance,
            "error": options.error,
            "mask_nan": options.mask_nan,
            **{name: getattr(options, name) for name in SETTINGS},
        },
        "versions": {
            "spectralunmix": __version__,
            "python": platform.python_version(),
            **versions,
        },
        "platform": machine(),
    }


def write_components(file: Path, matrix: Matrix, components: np.ndarray) -> None:
    """Write the components (k, n_wave), with a row for each channel."""
    if matrix.wavelength is None:
        axis = Column(np.arange(1, components.shape[1] + 1), name="channel")
    else:
        axis = Column(matrix.wavelength, name="wavelength", unit=matrix.unit)
    table = Table([axis])
    for name, component in zip(component_names(len(components)), components, strict=True):
        table[name] = component.astype(float)
    write_table(str(file), table)


def write_weights(file: Path, matrix: Matrix, weights: np.ndarray) -> None:
    """Write the weights (n_spectra, k), with a row for each spectrum."""
    table = Table({"spectrum": matrix.names})
    for name, column in zip(component_names(weights.shape[1]), weights.T, strict=True):
        table[name] = column.astype(float)
    write_table(str(file), table)


def write_picture(
    file: Path, matrix: Matrix, model: "SmoothNMF", weights: np.ndarray, name: str
) -> None:
    """Draw the components, with their shares of the flux of all spectra."""
    from spectralunmix.figures.components import draw
    from spectralunmix.figures.style import STYLE

    flux = np.asarray(weights.sum(axis=0)) * model.components_.sum(axis=1)
    captions = [
        f"{component}: {100 * share:.3g} % of the flux"
        for component, share in zip(component_names(len(flux)), flux / flux.sum(), strict=True)
    ]
    title = f"{name}: components at λ = {model.smoothness:g}"
    with mpl.rc_context(STYLE):
        fig = draw(matrix.wavelength, matrix.unit, model.components_, captions, title)
        fig.savefig(file, dpi=150, metadata={"Software": None})
