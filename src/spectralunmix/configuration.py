"""The configuration: the keys of config/config.yaml, their defaults and their checks."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval
from pydantic import Field, PlainValidator

from spectralunmix.errors import ConfigurationError
from spectralunmix.models import (
    FromOne,
    FromZero,
    Lambda,
    Mistake,
    Model,
    NotNegative,
    Number,
    Switch,
    Whole,
    WithoutDoubles,
    checked,
    mistake,
    shown,
)
from spectralunmix.yaml_files import read_yaml


def path_or_paths(value: Any) -> str | dict | None:
    """A path, none, or one by the name of each library."""
    values = [*value, *value.values()] if isinstance(value, dict) else [value]
    for item in values:
        if not (item is None or isinstance(item, str)):
            raise mistake(f"{shown(item)} is not text: put it in quotes")
    return value


PathOrPaths = str | dict[str, str | None] | None


class Pca(Model):
    n_components: FromOne = Field(4, description="eigenspectra")


class Factorisation(Model):
    n_components: FromOne | None = None
    smoothness: Lambda | None = None
    init: Literal["nndsvd", "spa", "random"] = Field("nndsvd", description="starting components")
    max_iter: FromOne = Field(2000, description="most iterations")
    tol: NotNegative = Field(
        1e-8,
        description="relative projected gradient at which the fit stops; 0 runs to `max_iter`",
    )
    strict: Switch = Field(
        True,
        description="a fit that stops at `max_iter` before `tol` ends the run with an error; "
        "`false` goes on with it",
    )
    random_state: FromZero = Field(0, description="seed; used by `init: random` alone")


class SmoothNmf(Factorisation):
    n_components: FromOne = Field(4, description="components")
    smoothness: Lambda = Field(
        10, description="lambda: smooths over about sqrt(lambda) channels; 0 is plain NMF"
    )


class Bootstrap(Model):
    n_resamples: FromZero = Field(
        100,
        description="resamples of the spectra that standard errors are of; 0 is no standard errors",
    )
    resamples_per_job: FromOne = Field(50, description="of which one job fits so many")
    noise: Switch = Field(
        True,
        description="resample the noise as well, where the spectra come with uncertainties",
    )
    random_state: FromZero = Field(0, description="seed of the resamples")

    def mistakes(self) -> Iterable[Mistake]:
        if self.n_resamples == 1:
            yield ("n_resamples",), "1 has no standard error: 2 or more, or 0, is needed"


class Choose(Model):
    n_components: Annotated[list[FromOne], *WithoutDoubles] = Field(
        [1, 2, 3, 4, 5, 6, 7, 8],
        min_length=1,
        description="numbers of components that `make choose` compares, the configured one besides",
    )
    smoothness: Annotated[list[Lambda], *WithoutDoubles] = Field(
        [0, 10, 100],
        min_length=1,
        max_length=7,
        description="at each of these smoothnesses, and the configured one",
    )
    n_folds: Annotated[int, Ge(2), Whole] = Field(
        5, description="parts of the spectra, each of which is held out in turn"
    )
    n_repeats: FromOne = Field(3, description="how often the spectra are divided anew")
    n_starts: FromZero = Field(
        4, description="random starts of the fit of all spectra, to see whether they end alike"
    )
    random_state: FromZero = Field(0, description="seed of the divisions and the starts")


class Assign(Model):
    metric: Literal["rms", "angle"] = Field(
        "rms",
        description="distance of a component to a prototype: root mean square of max-normalised "
        "spectra, or spectral angle in radians",
    )


class Convergence(Model):
    n_iter: FromOne = Field(
        2000,
        description="most iterations of the published schemes that the report draws beside the fit",
    )


class Smoothness(Model):
    values: Annotated[list[Lambda], *WithoutDoubles] = Field(
        [0, 10, 100, 1000],
        min_length=2,
        max_length=6,
        description="smoothnesses whose components the report draws side by side",
    )


class Uniqueness(Model):
    n_starts: FromOne = Field(
        16,
        description="random starts from which the report looks for other solutions, beside those "
        "of NNDSVD and SPA",
    )


class Diagnostics(Model):
    most_left_out: FromOne = Field(
        200,
        description="spectra that the report leaves out in turn, at most: those of the largest "
        "Cook distance",
    )


class Scan(Model):
    n_components: Annotated[list[FromOne], *WithoutDoubles] = Field(
        [2, 3, 4, 5, 6],
        min_length=1,
        description="numbers of components that `make scan` fits",
    )
    smoothness: Annotated[list[Lambda], *WithoutDoubles] = Field(
        [0, 10, 100], min_length=1, max_length=8, description="at each of these smoothnesses"
    )
    n_starts: Annotated[int, Ge(2), Whole] = Field(8, description="from so many random starts")
    starts_per_job: FromOne = Field(
        8, description="of which one job fits so many side by side, at every smoothness"
    )


class Plot(Model):
    width: Annotated[float, Interval(ge=5, le=20), Number] = Field(
        7.1,
        description="width of the figure in inches; 7.1 are two columns of a journal",
    )


class SmoothNmfOfCubes(Factorisation):
    n_components: FromOne | None = Field(
        None, description="components of a cube; `null`: as its entry says"
    )
    smoothness: Lambda | None = Field(None, description="lambda; `null`: as its entry says")
    tol: NotNegative = Field(
        1e-6, description="relative projected gradient at which the fit of a cube stops"
    )


class BootstrapOfCubes(Bootstrap):
    n_resamples: FromZero = Field(
        20, description="resamples of the spaxels that standard errors are of; 0 is none"
    )
    resamples_per_job: FromOne = Field(10, description="of which one job fits so many")
    noise: Switch = Field(False, description="resample the noise as well")


class ChooseOfCubes(Choose):
    n_components: Annotated[list[FromOne], *WithoutDoubles] = Field(
        [1, 2, 3, 4, 5, 6],
        min_length=1,
        description="numbers of components that `make choose` compares, of a cube",
    )
    smoothness: Annotated[list[Lambda], *WithoutDoubles] = Field(
        [0, 1, 10], min_length=1, max_length=7, description="at each of these smoothnesses"
    )
    n_repeats: FromOne = Field(1, description="how often the spaxels are divided anew")
    n_starts: FromZero = Field(0, description="random starts of the fit of all spaxels")


class Cubes(Model):
    """What is set otherwise where a cube is unmixed."""

    smooth_nmf: SmoothNmfOfCubes = Field(
        default_factory=SmoothNmfOfCubes, description="the factorisation, of a cube"
    )
    bootstrap: BootstrapOfCubes = Field(
        default_factory=BootstrapOfCubes, description="standard errors, of a cube"
    )
    choose: ChooseOfCubes = Field(
        default_factory=ChooseOfCubes, description="the cross-validation, of a cube"
    )


class Configuration(Model):
    """The settings of a run; every key has a default, which is the paper's."""

    library: str = Field(
        "coelho2014",
        description="the library to unmix: the name of a file in `config/libraries`, without .yaml",
    )
    library_path: Annotated[
        PathOrPaths, PlainValidator(path_or_paths, json_schema_input_type=PathOrPaths)
    ] = Field(
        None,
        description="your own copy of the library (the file, or the folder it or its unpacked "
        "spectra lie in), or a mirror's address, tried before the library's own; "
        "`{<library>: <path>}` where several are compared",
    )
    compare: Annotated[list[str], *WithoutDoubles] = Field(
        [], description="libraries whose components `make compare` draws side by side"
    )
    pca: Pca = Field(default_factory=Pca, description="principal components")
    smooth_nmf: SmoothNmf = Field(default_factory=SmoothNmf, description="the factorisation")
    bootstrap: Bootstrap = Field(
        default_factory=Bootstrap, description="standard errors, from resamples of the spectra"
    )
    assign: Assign = Field(default_factory=Assign, description="components and classes of stars")
    convergence: Convergence = Field(
        default_factory=Convergence, description="the report's picture of the convergence"
    )
    smoothness: Smoothness = Field(
        default_factory=Smoothness, description="the report's picture of the smoothness"
    )
    uniqueness: Uniqueness = Field(
        default_factory=Uniqueness, description="whether other starts find another solution"
    )
    diagnostics: Diagnostics = Field(
        default_factory=Diagnostics, description="residuals, and what single spectra change"
    )
    scan: Scan = Field(default_factory=Scan, description="the scan that `make scan` runs")
    choose: Choose = Field(
        default_factory=Choose, description="the cross-validation that `make choose` runs"
    )
    plot: Plot = Field(default_factory=Plot, description="the figure")
    cube: str | None = Field(
        None,
        description="the cube to unmix: the name of a file in `config/cubes`, without .yaml; "
        "`null`: none, and `make cube` takes abell478",
    )
    cube_path: str | None = Field(
        None,
        description="your own copy of the cube, the file or the folder it lies in, or a mirror's "
        "address",
    )
    cubes: Cubes = Field(
        default_factory=Cubes, description="what is set otherwise where a cube is unmixed"
    )


def configured(content: dict, files: list[str]) -> dict:
    """The configuration with its defaults.

    Parameters
    ----------
    content : dict
        What Snakemake read of the files and the command line.
    files : list of str
        The files; mistakes that Snakemake reads over, as a key that is there twice, are named.

    Returns
    -------
    dict
        Plain values, in the order of the content.

    Raises
    ------
    ConfigurationError
        A line for each key or value that is wrong.
    """
    for file in map(Path, files):
        if file.is_file():
            read_yaml(file)
    return checked(Configuration, content, "config/config.yaml or --config")


def check_ranks(ranks: Mapping[str, int], name: str, library: dict) -> None:
    """That no step looks for more components than there are spectra.

    Parameters
    ----------
    ranks : dict of int
        Number of components by step.
    name : str
        The library's, for the message.
    library : dict
        Its entry, with defaults.

    Raises
    ------
    ConfigurationError
        A line for each step that does.
    """
    n_spectra = number_of_spectra(library)
    wrong = [
        f"{step}.n_components: {rank} is more than the {n_spectra} spectra of {name}"
        for step, rank in ranks.items()
        if n_spectra is not None and rank > n_spectra
    ]
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def number_of_spectra(library: dict) -> int | None:
    """How many spectra an entry selects; None where that is known once they are read."""
    if "selection" not in library:  # a cube
        return None
    selection = library["selection"]
    return {"all": None, "list": len(selection["files"])}.get(
        selection["mode"], selection["per_class"] * len(selection["classes"])
    )
