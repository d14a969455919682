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

# Columns that the workflow's own tables have, beside those named by parameters and classes.
OF_SELECTION = {"file", "class", "class_rank", "class_size", "divisor", "n_filled", "n_clipped"}
OF_PROTOTYPES = {"wavelength"}
NAME_IS_TAKEN = "the workflow's tables have a column of that name: choose another"
MOST_BYTES = 2**34  # 16 GiB: largest size of an unpacked file of a library


def regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise mistake(f"not a regular expression: {error}") from None
    return text


class Source(Model):
    """A place from which the library can be had, and how its files are read."""

    description: Line = Field(description="what this source holds")
    files: list[File] = Field(min_length=1, description="the files that make up the source")
    reader: str = Field(description="format of the spectra")
    members: list[FilePattern] = Field(
        min_length=1,
        description="shell patterns of the files with spectra in the archive or folder; a pattern "
        "matches the name of a file, or the end of its path",
    )
    options: Model = Field(
        description="options of the reader: how it finds wavelength and flux in the files"
    )
    largest_member: Annotated[int, Interval(ge=1, le=MOST_BYTES), Whole] = Field(
        67108864,
        description="largest size, in bytes, of an unpacked file of the library",
    )
    class_sizes: dict[str, WholeNumber] = Field(
        {}, description="number of members that each class must have, where it is known"
    )


def _options(kind: type[Model]) -> Any:  # Any, because pydantic puts the model in its place
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
    """How a spectrum and a row of the table are matched."""

    parameter: str = Field(
        description="parameter from the file name or the header of the spectrum, or `file`"
    )
    column: str = Field(description="column of the table that equals this parameter")


class Index(Model):
    """A table with the parameters of the spectra."""

    file: FilePattern = Field(description="pattern of the table's file in the library")
    format: Literal["fits", "votable", Format] = Field(
        "csv", description="format of the table: fits, votable, or a format of astropy.io.ascii"
    )
    table: Settings = Field(
        {}, description="settings of that format, such as delimiter, names, col_starts"
    )
    extension: WholeNumberOrText = Field(
        1, description="with `format: fits`: name of the extension, or its number from 0"
    )
    key: IndexKey = Field(description="how a spectrum and a row of the table are matched")
    columns: dict[str, str] = Field(
        min_length=1, description="for each parameter, its column of the table"
    )
    unmatched: Literal["error", "leave_out"] = Field(
        "error",
        description="whether a spectrum without a row, or a row without a spectrum, is an error; "
        "with `leave_out` the spectrum has no parameters of the table, and the row is not used",
    )


class Column(Model):
    """The unit and the meaning of a parameter in the table of selected spectra."""

    unit: str | None = Field(None, description="unit, as astropy spells it")
    description: Line = Field(description="meaning of the parameter")


class Parameters(Model):
    """Where the stellar parameters and labels come from."""

    file_name: Annotated[str, AfterValidator(regular_expression)] = optional(
        "regular expression for the whole file name; its named groups are parameters, which are "
        "numbers, text, or a sign written as m or p; default: none"
    )
    header: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {},
        description="for each parameter, its header cards (with `layout: rows`, its columns); the "
        "first that is there is taken",
    )
    index: Index = optional("a table with the parameters of the spectra; default: none")
    missing: AnyList = Field(
        [], description="values which mean that a parameter is not known, such as 9999 or --"
    )
    unknown_types: Literal["no_class", "error"] = Field(
        "no_class",
        description="whether a spectral_type other than O to Y with a subtype, such as WN, DA or "
        "sdG2, is an error; with `no_class` the spectrum has no spectral_class. All such types are "
        "named in the log or in the error",
    )
    derived: dict[str, str] = Field(
        {},
        description="for each parameter, an expression of other parameters. It can have names, "
        "numbers, + - * / **, comparisons (1 or 0), and, or, not, and the functions abs, exp, log, "
        "log10, sqrt and where(condition, value, other). It is not known where a parameter in it "
        "is not known",
    )
    columns: dict[str, Column] = Field(
        {}, description="the parameters that the table of selected spectra keeps"
    )

    def names(self) -> set[str]:
        """Every parameter that a spectrum may have."""
        of_index = self.index.columns if self.index else {}
        groups = re.compile(self.file_name or "").groupindex
        return {*self.header, *self.derived, *self.columns, *of_index, *groups}


class Condition(Model):
    """The values of a parameter that the members of a class have."""

    min: NumberOrText = optional("smallest value; default: none")
    max: NumberOrText = optional("largest value; default: none")
    in_: AnyList = optional("allowed values; default: all", alias="in")

    def mistakes(self) -> Iterator[Mistake]:
        if not self.model_fields_set:
            yield (), "is empty: give min, max or in"


class Class(Model):
    """A class of stars."""

    label: Line = Field(description="name of the class in figures")
    where: dict[str, Condition] = Field(
        description="for each parameter, the condition that members meet; {} takes all spectra. "
        "Values of spectral_type are compared in their order from hot to cool, G2V before K7V"
    )


class Selection(Model):
    """The spectra that are used."""

    classes: Annotated[list[str], *WithoutDoubles] = optional(
        "classes that are used, in the order of the figure; default: all", min_length=1
    )
    mode: Literal["evenly_spaced", "all", "list", "random"] = Field(
        "evenly_spaced", description="how members of a class are chosen"
    )
    per_class: FromOne = Field(
        20, description="with `mode: evenly_spaced` or `random`: number of spectra of each class"
    )
    order: list[str] = Field(
        [], description="parameters by which a class is sorted; equal values by file name"
    )
    files: list[str] = Field([], description="with `mode: list`: the files")
    seed: FromZero = Field(0, description="with `mode: random`: seed")


class Grid(Model):
    """The channels that all spectra are rebinned to."""

    start: Positive | None = Field(
        None,
        description="first channel, in Angstrom; `null` takes the first that all spectra cover",
    )
    stop: Positive | None = Field(
        None, description="last channel, in Angstrom; `null` takes the last that all spectra cover"
    )
    step: Positive | None = Field(
        None,
        description="width of a channel, in Angstrom or in log10 of Angstrom, as `spacing` has it; "
        "`null` takes the channels of the coarsest spectrum",
    )
    spacing: Literal["linear", "log10"] = Field(
        "linear",
        description="whether channels are equally wide in Angstrom or in log10 of Angstrom",
    )


class Quality(Model):
    """The limits within which a spectrum is used."""

    max_nan: Share = Field(
        0.01,
        description="largest share of channels without a flux, or masked, or without an "
        "uncertainty; their inverse variance is 0",
    )
    missing_zeros: FromOne | None = Field(
        None,
        description="number of consecutive channels with a flux of exactly zero from which on the "
        "flux counts as missing; `null`: zero is a flux",
    )
    max_negative: Share = Field(
        0.05,
        description="largest share of negative channels; it is for libraries without "
        "uncertainties, where negative values are set to zero",
    )
    otherwise: Literal["error", "leave_out"] = Field(
        "error",
        description="what happens to spectra outside these limits; those left out are named",
    )


class Entry(Model):
    """The entry of a spectral library."""

    name: Line = Field(description="name of the library in figures")
    citation: Line = Field(description="the paper to cite")
    doi: Line | None = Field(None, description="DOI of the paper or the data")
    licence: Line = Field("unknown", description="what is known about its licence")
    notes: list[Line] = Field(
        [],
        description="what a user of the spectra should know; it is written into the table of "
        "selected spectra",
    )
    run_on: Literal["original", "layout", None] = Field(
        None,
        description="the files on which the authors of the entry ran it: the library's own "
        "(`original`), or files that the tests write in its layout (`layout`). The log and "
        "`make validate` say which; `null` says nothing",
    )
    medium: Literal["air", "vacuum", "unknown"] = Field(
        description="medium in which the wavelengths are given; libraries are compared in vacuum"
    )
    sources: list[AnySource] = Field(
        min_length=1, description="where the library can be had; the sources are tried in order"
    )
    parameters: Parameters = Field(description="where the stellar parameters and labels come from")
    classes: dict[Line, Class] = Field(
        min_length=1,
        description="the classes, in order; a spectrum belongs to the class whose conditions it "
        "meets",
    )
    overlapping_classes: Literal["error", "first"] = Field(
        "error",
        description="whether a spectrum that meets the conditions of several classes is an error, "
        "or belongs to the first of them",
    )
    selection: Selection = Field(default_factory=Selection, description="the spectra that are used")
    grid: Grid = Field(
        default_factory=Grid,
        description="the channels that all spectra are rebinned to, with the flux conserved; "
        "spectra that do not cover a given `start` or `stop` are left out and named",
    )
    quality: Quality = Field(
        default_factory=Quality, description="the limits within which a spectrum is used"
    )
    normalisation: Literal["maximum", "mean", "none"] = Field(
        "maximum", description="by what each spectrum is divided"
    )

    def mistakes(self) -> Iterator[Mistake]:
        if taken := self.parameters.names() & OF_SELECTION:
            yield ("parameters",), f"{', '.join(sorted(taken))}: {NAME_IS_TAKEN}"
        if taken := self.classes.keys() & OF_PROTOTYPES:
            yield ("classes",), f"{', '.join(sorted(taken))}: {NAME_IS_TAKEN}"
        if unknown := [c for c in self.selection.classes or [] if c not in self.classes]:
            there = f"the classes are {', '.join(self.classes)}"
            yield ("selection", "classes"), f"no class {', '.join(unknown)}: {there}"


def read_entry(file: Path | str) -> dict:
    """Read the entry of a library, with its defaults.

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
        A line for each key or value that is wrong.
    """
    entry = checked(Entry, read_yaml(file), file)
    entry["selection"].setdefault("classes", list(entry["classes"]))
    return entry
