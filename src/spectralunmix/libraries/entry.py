"""The entry of a library: one YAML file, config/libraries/<name>.yaml, checked before any work."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Interval
from pydantic import AfterValidator, Field

from spectralunmix.libraries.entry_files import File
from spectralunmix.libraries.entry_options import (
    FitsImageOptions,
    Format,
    NoOptions,
    Settings,
    TableOptions,
    TextOptions,
)
from spectralunmix.models import (
    AnyList,
    FilePattern,
    FromOne,
    FromZero,
    Line,
    Mistake,
    Model,
    NumberOrText,
    Positive,
    Share,
    Whole,
    WholeNumber,
    WholeNumberOrText,
    WithoutDoubles,
    checked,
    mistake,
    optional,
)
from spectralunmix.yaml_files import read_yaml

# Columns of the workflow's own tables, beside those that parameters and classes name.
OF_SELECTION = {"file", "class", "class_rank", "class_size", "divisor", "n_filled", "n_clipped"}
OF_PROTOTYPES = {"wavelength"}
NAME_IS_TAKEN = "the workflow's tables have a column of that name: choose another"
MOST_BYTES = 2**34  # that a file of a library may have unpacked: 16 GiB


def regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise mistake(f"not a regular expression: {error}") from None
    return text


class Source(Model):
    """A place where the library can be had, and how its files are read."""

    description: Line = Field(description="what this source holds")
    files: list[File] = Field(min_length=1, description="the files that make up the source")
    reader: str = Field(description="format of the spectra")
    members: list[FilePattern] = Field(
        min_length=1,
        description="shell patterns of the files with spectra, in the archive or folder: of their "
        "names, or of the end of their paths",
    )
    options: Model = Field(description="how the reader finds wavelength and flux in them")
    largest_member: Annotated[int, Interval(ge=1, le=MOST_BYTES), Whole] = Field(
        67108864,
        description="bytes that a file of the library may have unpacked",
    )
    class_sizes: dict[str, WholeNumber] = Field(
        {}, description="members that each class must have, where they are known"
    )


def _options(kind: type[Model]) -> Any:  # a field, of the type of what it stands for
    return Field(default_factory=kind, description=Source.model_fields["options"].description)


def _reader() -> Any:
    return Field(description=Source.model_fields["reader"].description)


class FitsImages(Source):
    reader: Literal["fits_image"] = _reader()
    options: FitsImageOptions = _options(FitsImageOptions)


class FitsTables(Source):
    reader: Literal["fits_table"] = _reader()
    options: TableOptions = _options(TableOptions)


class Texts(Source):
    reader: Literal["text"] = _reader()
    options: TextOptions = _options(TextOptions)


class VoTables(Source):
    reader: Literal["votable"] = _reader()
    options: TableOptions = _options(TableOptions)


class RSubsets(Source):
    reader: Literal["r_subset"] = _reader()
    options: NoOptions = _options(NoOptions)


AnySource = Annotated[
    FitsImages | FitsTables | Texts | VoTables | RSubsets, Field(discriminator="reader")
]


class IndexKey(Model):
    """What joins a spectrum and a row."""

    parameter: str = Field(
        description="parameter of the spectrum, from its file name or header, or `file`"
    )
    column: str = Field(description="column of the table that equals it")


class Index(Model):
    """A table of parameters."""

    file: FilePattern = Field(description="pattern of its file in the library")
    format: Literal["fits", "votable", Format] = Field(
        "csv", description="fits, votable, or a format of astropy.io.ascii"
    )
    table: Settings = Field(
        {}, description="settings of that format, such as delimiter, names, col_starts"
    )
    extension: WholeNumberOrText = Field(1, description="fits: number or name of the extension")
    key: IndexKey = Field(description="what joins a spectrum and a row")
    columns: dict[str, str] = Field(min_length=1, description="parameter to column of the table")
    unmatched: Literal["error", "leave_out"] = Field(
        "error",
        description="what a spectrum without a row, or a row without a spectrum, is; left out it "
        "has no parameters and belongs to no class",
    )


class Column(Model):
    """What the selection's table says of a parameter."""

    unit: str | None = Field(None, description="unit as astropy spells it")
    description: Line = Field(description="meaning")


class Parameters(Model):
    """Where the stellar parameters and labels come from."""

    file_name: Annotated[str, AfterValidator(regular_expression)] = optional(
        "regular expression for the whole file name; its named groups are parameters: numbers, "
        "text, or a sign m or p; default: none"
    )
    header: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {},
        description="parameter to header cards (columns, with `layout: rows`), the first that is "
        "there",
    )
    index: Index = optional("a table of parameters, joined by a key; default: none")
    missing: AnyList = Field(
        [], description="values that mean that a parameter is not known, such as 9999 or --"
    )
    unknown_types: Literal["no_class", "error"] = Field(
        "no_class",
        description="what a spectral_type that is none of O to Y with a subtype means, such as WN, "
        "DA or sdG2: the spectrum has no spectral_class, or it is a mistake; either way all are "
        "named in one line",
    )
    derived: dict[str, str] = Field(
        {},
        description="parameter to an expression of others: names, numbers, + - * / **, comparisons "
        "(1 or 0), and, or, not, and the functions abs, exp, log, log10, sqrt, where(condition, "
        "value, other); not known where one of those others is not",
    )
    columns: dict[str, Column] = Field(
        {}, description="what the selection's table says of each parameter that it keeps"
    )

    def names(self) -> set[str]:
        """Every parameter that a spectrum may have."""
        of_index = self.index.columns if self.index else {}
        groups = re.compile(self.file_name or "").groupindex
        return {*self.header, *self.derived, *self.columns, *of_index, *groups}


class Condition(Model):
    """What a parameter of a class's members is."""

    min: NumberOrText = optional("least value; default: none")
    max: NumberOrText = optional("largest value; default: none")
    in_: AnyList = optional("allowed values; default: all", alias="in")

    def mistakes(self) -> Iterator[Mistake]:
        if not self.model_fields_set:
            yield (), "is empty: say min, max or in"


class Class(Model):
    """A class of stars."""

    label: Line = Field(description="as the figure names it")
    where: dict[str, Condition] = Field(
        description="parameter to condition, {} for all spectra; spectral_type is compared as what "
        "it is, G2V before K7V"
    )


class Selection(Model):
    """The spectra to use."""

    classes: Annotated[list[str], *WithoutDoubles] = optional(
        "classes to use, as the figure orders them; default: all", min_length=1
    )
    mode: Literal["evenly_spaced", "all", "list", "random"] = Field(
        "evenly_spaced", description="how members of a class are chosen"
    )
    per_class: FromOne = Field(20, description="evenly_spaced, random: spectra of each class")
    order: list[str] = Field(
        [], description="parameters that a class is sorted by, ties by file name"
    )
    files: list[str] = Field([], description="list: the files")
    seed: FromZero = Field(0, description="random: seed")


class Grid(Model):
    """The wavelengths that all spectra are put on."""

    start: Positive | None = Field(
        None, description="first channel in Angstrom; `null`: the first that all cover"
    )
    stop: Positive | None = Field(
        None, description="last channel in Angstrom; `null`: the last that all cover"
    )
    step: Positive | None = Field(
        None,
        description="width of a channel in Angstrom, or in log10 of it; `null`: the channels of "
        "the coarsest spectrum",
    )
    spacing: Literal["linear", "log10"] = Field("linear", description="what the step counts")


class Quality(Model):
    """What a spectrum may have and be used."""

    max_nan: Share = Field(
        0.01,
        description="share of channels without a flux, or with a mask or no uncertainty; they have "
        "weight 0",
    )
    missing_zeros: FromOne | None = Field(
        None,
        description="over how many channels on end a flux of exactly zero means that there is "
        "none; `null`: zero is a flux",
    )
    max_negative: Share = Field(
        0.05,
        description="share of negative channels in a library without uncertainties, where they are "
        "set to zero",
    )
    otherwise: Literal["error", "leave_out"] = Field(
        "error", description="what becomes of other spectra; those left out are named"
    )


class Entry(Model):
    """A spectral library."""

    name: Line = Field(description="as the figure names it")
    citation: Line = Field(description="the paper to cite")
    doi: Line | None = Field(None, description="DOI of the paper or the data")
    licence: Line = Field("unknown", description="what is known about its licence")
    notes: list[Line] = Field(
        [], description="what a user of the spectra should know; written into the selection"
    )
    run_on: Literal["original", "layout", None] = Field(
        None,
        description="what this entry was run on by its authors, the library's own files or files "
        "that the tests write in its layout; the log and `make validate` say which, and claim "
        "nothing where it is `null`",
    )
    medium: Literal["air", "vacuum", "unknown"] = Field(
        description="what the wavelengths are in; libraries are compared in vacuum"
    )
    sources: list[AnySource] = Field(
        min_length=1, description="where the library can be had, tried in order"
    )
    parameters: Parameters = Field(description="where the stellar parameters and labels come from")
    classes: dict[Line, Class] = Field(
        min_length=1,
        description="in order; a spectrum belongs to the class whose every condition it meets",
    )
    overlapping_classes: Literal["error", "first"] = Field(
        "error",
        description="what a spectrum that meets the conditions of several classes is, a mistake or "
        "one of the first",
    )
    selection: Selection = Field(default_factory=Selection, description="the spectra to use")
    grid: Grid = Field(
        default_factory=Grid,
        description="the wavelengths that all spectra are put on, flux conserved; spectra that do "
        "not cover what is stated are left out and named, and the data decide what is not",
    )
    quality: Quality = Field(
        default_factory=Quality, description="what a spectrum may have and be used"
    )
    normalisation: Literal["maximum", "mean", "none"] = Field(
        "maximum", description="what each spectrum is divided by"
    )

    def mistakes(self) -> Iterator[Mistake]:
        if taken := self.parameters.names() & OF_SELECTION:
            yield ("parameters",), f"{', '.join(sorted(taken))}: {NAME_IS_TAKEN}"
        if taken := self.classes.keys() & OF_PROTOTYPES:
            yield ("classes",), f"{', '.join(sorted(taken))}: {NAME_IS_TAKEN}"
        if unknown := [c for c in self.selection.classes or [] if c not in self.classes]:
            there = f"the classes are {', '.join(self.classes)}"
            yield ("selection", "classes"), f"no rule for {', '.join(unknown)}: {there}"


def read_entry(file: Path | str) -> dict:
    """The entry of a library with its defaults.

    Parameters
    ----------
    file : path
        config/libraries/<name>.yaml.

    Returns
    -------
    dict
        Plain values by key; `selection.classes` holds all classes where the file names none.

    Raises
    ------
    ConfigurationError
        A line for each key or value that is wrong, or names what an entry may not.
    """
    entry = checked(Entry, read_yaml(file), file)
    entry["selection"].setdefault("classes", list(entry["classes"]))
    return entry
