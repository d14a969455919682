"""The configuration: the keys of config/config.yaml, their defaults and their checks."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval, MinLen
from pydantic import BeforeValidator, Field, PlainValidator

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
    """A path, None, or a dict with a path for each library."""
    values = [*value, *value.values()] if isinstance(value, dict) else [value]
    for item in values:
        if not (item is None or isinstance(item, str)):
            raise mistake(f"{shown(item)} is not text: put it in quotes")
        if item == "":
            raise mistake(
                "a path is empty: null, in its place, asks for the addresses of the entry"
            )
    return value


StatedPath = Annotated[str, MinLen(1)] | None
PathOrPaths = StatedPath | dict[str, StatedPath]


class Pca(Model):
    n_components: FromOne = Field(4, description="number of eigenspectra")


class Factorisation(Model):
    n_components: FromOne | None = None
    smoothness: Lambda | None = None
    init: Literal["nndsvd", "spa", "random"] = Field(
        "nndsvd", description="start: the components that the fit begins with"
    )
    max_iter: FromOne = Field(2000, description="largest number of iterations")
    tol: NotNegative = Field(
        1e-8,
        description="optimality (relative projected gradient) at which the fit stops; 0 runs to "
        "`max_iter`",
    )
    strict: Switch = Field(
        True,
        description="end the run with an error where a fit stops before its optimality is at most "
        "`tol`; `false` goes on",
    )
    random_state: FromZero = Field(
        0, description="seed of `init: random`; other starts do not use it"
    )


class SmoothNmf(Factorisation):
    n_components: FromOne = Field(4, description="number of components")
    smoothness: Lambda = Field(
        10, description="lambda: the fit smooths over about sqrt(lambda) channels; 0 is plain NMF"
    )


class Bootstrap(Model):
    n_resamples: FromZero = Field(
        100,
        description="number of resamples, which give the standard errors; 0 leaves these out",
    )
    resamples_per_job: FromOne = Field(50, description="number of resamples that one job fits")
    noise: Switch = Field(
        True,
        description="resample the noise as well, where the spectra have uncertainties",
    )
    random_state: FromZero = Field(0, description="seed of the resamples")

    def mistakes(self) -> Iterable[Mistake]:
        if self.n_resamples == 1:
            yield ("n_resamples",), "1 has no standard error: give 2 or more, or 0"


class Choose(Model):
    n_components: Annotated[list[FromOne], *WithoutDoubles] = Field(
        [1, 2, 3, 4, 5, 6, 7, 8],
        min_length=1,
        description="numbers of components that `make choose` compares, besides "
        "`smooth_nmf.n_components`",
    )
    smoothness: Annotated[list[Lambda], *WithoutDoubles] = Field(
        [0, 10, 100],
        min_length=1,
        max_length=7,
        description="smoothnesses that `make choose` compares, besides `smooth_nmf.smoothness`",
    )
    n_folds: Annotated[int, Ge(2), Whole] = Field(
        5, description="number of folds: parts of the spectra that are held out in turn"
    )
    n_repeats: FromOne = Field(3, description="number of different divisions into folds")
    n_starts: FromZero = Field(
        4,
        description="number of random starts for the fit of all spectra, to see if they end alike",
    )
    random_state: FromZero = Field(0, description="seed of the folds and of the random starts")


class Assign(Model):
    metric: Literal["rms", "angle"] = Field(
        "rms",
        description="distance between a component and a prototype: the root mean square of their "
        "difference, each divided by its maximum (`rms`), or their angle in radians (`angle`)",
    )


class Convergence(Model):
    n_iter: FromOne = Field(
        2000,
        description="largest number of iterations of the published schemes that the report draws "
        "beside the fit",
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
        description="number of random starts from which the report looks for other solutions, "
        "beside the starts NNDSVD and SPA",
    )


class Diagnostics(Model):
    most_left_out: FromOne = Field(
        200,
        description="largest number of spectra that the report leaves out in turn, beginning with "
        "the largest Cook distance",
    )


class Scan(Model):
    n_components: Annotated[list[FromOne], *WithoutDoubles] = Field(
        [2, 3, 4, 5, 6],
        min_length=1,
        description="numbers of components that `make scan` fits",
    )
    smoothness: Annotated[list[Lambda], *WithoutDoubles] = Field(
        [0, 10, 100],
        min_length=1,
        max_length=8,
        description="smoothnesses that `make scan` fits, for each number of components",
    )
    n_starts: Annotated[int, Ge(2), Whole] = Field(
        8, description="number of random starts at each smoothness"
    )
    starts_per_job: FromOne = Field(
        8, description="number of starts that one job fits side by side, at every smoothness"
    )


class Plot(Model):
    width: Annotated[float, Interval(ge=5, le=20), Number] = Field(
        7.1,
        description="width of the figure in inches; 7.1 is the width of two columns of a journal",
    )


class SmoothNmfOfCubes(Factorisation):
    n_components: FromOne | None = Field(
        None,
        description="number of components; `null` takes `n_components` of the cube's entry",
    )
    smoothness: Lambda | None = Field(
        None, description="lambda; `null` takes `smoothness` of the cube's entry"
    )
    tol: NotNegative = Field(
        1e-6,
        description="optimality (relative projected gradient) at which the fit stops; 0 runs to "
        "`max_iter`",
    )


class BootstrapOfCubes(Bootstrap):
    n_resamples: FromZero = Field(
        20,
        description="number of resamples of the spaxels, which give the standard errors; 0 leaves "
        "these out",
    )
    resamples_per_job: FromOne = Field(10, description="number of resamples that one job fits")
    noise: Switch = Field(
        False, description="resample the noise as well, where the cube has uncertainties"
    )


class ChooseOfCubes(Choose):
    n_components: Annotated[list[FromOne], *WithoutDoubles] = Field(
        [1, 2, 3, 4, 5, 6],
        min_length=1,
        description="numbers of components that `make choose` compares, besides that of the fit",
    )
    smoothness: Annotated[list[Lambda], *WithoutDoubles] = Field(
        [0, 1, 10],
        min_length=1,
        max_length=7,
        description="smoothnesses that `make choose` compares, besides that of the fit",
    )
    n_repeats: FromOne = Field(1, description="number of different divisions into folds")
    n_starts: FromZero = Field(
        0,
        description="number of random starts for the fit of all spaxels, to see if they end alike",
    )


class Cubes(Model):
    """The settings for cubes, where they differ from those for libraries."""

    smooth_nmf: SmoothNmfOfCubes = Field(
        default_factory=SmoothNmfOfCubes, description="the factorisation of a cube"
    )
    bootstrap: BootstrapOfCubes = Field(
        default_factory=BootstrapOfCubes, description="standard errors for a cube"
    )
    choose: ChooseOfCubes = Field(
        default_factory=ChooseOfCubes, description="the cross-validation of a cube"
    )


class Configuration(Model):
    """The settings of a run; every key has a default, as in the paper."""

    library: str = Field(
        "coelho2014",
        description="library to unmix: the name of its entry in `config/libraries`, without .yaml",
    )
    library_path: Annotated[
        PathOrPaths, PlainValidator(path_or_paths, json_schema_input_type=PathOrPaths)
    ] = Field(
        None,
        description="your own copy of the library (its file, or the folder with its file or its "
        "unpacked spectra), which replaces the addresses of the entry; or the address of a mirror, "
        "which is tried before them; `{<library>: <path>}` gives a path to each of several "
        "libraries",
    )
    compare: Annotated[list[str], *WithoutDoubles] = Field(
        [], description="libraries whose components `make compare` draws side by side"
    )
    pca: Pca = Field(default_factory=Pca, description="principal components")
    smooth_nmf: SmoothNmf = Field(default_factory=SmoothNmf, description="the factorisation")
    bootstrap: Bootstrap = Field(
        default_factory=Bootstrap, description="standard errors, from resamples of the spectra"
    )
    assign: Assign = Field(
        default_factory=Assign, description="the assignment of components to classes"
    )
    convergence: Convergence = Field(
        default_factory=Convergence, description="the report's picture of the convergence"
    )
    smoothness: Smoothness = Field(
        default_factory=Smoothness, description="the report's picture of the smoothness"
    )
    uniqueness: Uniqueness = Field(
        default_factory=Uniqueness, description="search for other solutions from other starts"
    )
    diagnostics: Diagnostics = Field(
        default_factory=Diagnostics, description="residuals, and the influence of single spectra"
    )
    scan: Scan = Field(default_factory=Scan, description="the scan that `make scan` runs")
    choose: Choose = Field(
        default_factory=Choose, description="the cross-validation that `make choose` runs"
    )
    plot: Plot = Field(default_factory=Plot, description="the figure")
    cube: str | None = Field(
        None,
        description="cube to unmix: the name of its entry in `config/cubes`, without .yaml; "
        "`null` is no cube, but abell478 for `make cube`",
    )
    cube_path: Annotated[StatedPath, BeforeValidator(path_or_paths)] = Field(
        None,
        description="your own copy of the cube (its file, or the folder with its file), or the "
        "address of a mirror, which is tried before the addresses of the entry",
    )
    cubes: Cubes = Field(
        default_factory=Cubes, description="settings for cubes, in place of those above"
    )


def configured(content: dict, files: list[str]) -> dict:
    """The configuration with its defaults.

    Parameters
    ----------
    content : dict
        What Snakemake read of the files and the command line.
    files : list of str
        The files. They are read again for mistakes that Snakemake overlooks, such as a key that is
        there twice.

    Returns
    -------
    dict
        Plain values, in the order of `content`.

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
    """Check that no step looks for more components than there are spectra.

    Parameters
    ----------
    ranks : dict of int
        Number of components by step.
    name : str
        Name of the library, for the message.
    library : dict
        The library's entry, with defaults.

    Raises
    ------
    ConfigurationError
        A line for each step that looks for too many.
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
    """The number of spectra that an entry selects; None where only reading them tells."""
    if "selection" not in library:  # a cube
        return None
    selection = library["selection"]
    return {"all": None, "list": len(selection["files"])}.get(
        selection["mode"], selection["per_class"] * len(selection["classes"])
    )
