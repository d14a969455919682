"""The entry of a cube: one YAML file, config/cubes/<name>.yaml, checked before any work."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt, Interval, Le
from pydantic import Field

from spectralunmix.libraries.entry_files import File
from spectralunmix.models import (
    FilePattern,
    FromOne,
    Lambda,
    Line,
    Mistake,
    Model,
    Number,
    Positive,
    Whole,
    WholeNumberOrText,
    checked,
    optional,
)
from spectralunmix.yaml_files import read_yaml

MOST_BYTES = 2**40  # 1 TiB: largest size of an unpacked file of a cube
NAMED = ("flux", "uncertainty", "uncertainty_kind", "mask", "mask_bits", "wavelength")
Redshift = Annotated[float, Gt(-1), Le(20), Number]


class CubeOptions(Model):
    """Options of the reader of FITS cubes."""

    layout: Literal["muse", "manga", "jwst", "kcwi"] = optional(
        "instrument whose layout the file has; default: recognised from the file"
    )
    flux: WholeNumberOrText = optional(
        "extension with the flux, where the file has another layout; default: none"
    )
    uncertainty: WholeNumberOrText = optional(
        "extension with the uncertainty of the flux; default: none, and every value has the same "
        "inverse variance"
    )
    uncertainty_kind: Literal["sigma", "variance", "inverse_variance"] = optional(
        "what the uncertainty is; default: sigma"
    )
    mask: WholeNumberOrText = optional("extension with the mask; default: none")
    mask_bits: list[Annotated[int, Interval(ge=0, le=62), Whole]] = optional(
        "bits of the mask, from 0, which mean that a value does not count; default: every bit",
        min_length=1,
    )
    wavelength: WholeNumberOrText = optional(
        "extension with the wavelengths, which is an image, or a table with them in its first "
        "column; default: none, and the header has them"
    )
    wavelength_unit: str = optional(
        "unit of the wavelengths, where the file has none or a wrong one; default: that of the file"
    )

    def mistakes(self) -> Iterator[Mistake]:
        named = [key for key in NAMED if key in self.model_fields_set]
        if "layout" in self.model_fields_set and named:
            yield (
                (named[0],),
                "does not go with `layout`, which names the extensions: leave one of the two out",
            )
        if named and "layout" not in self.model_fields_set and "flux" not in named:
            yield ("flux",), f"is missing: `{named[0]}` needs it"


class EnviOptions(Model):
    """Options of the reader of ENVI images, each a header and a file of values."""

    wavelength_unit: str = optional(
        "unit of the wavelengths, where the header has none or a wrong one; default: that of the "
        "header"
    )


class MatrixOptions(Model):
    """Options of the reader of .npy and .mat files."""

    variable: str = optional("name of the array in a .mat file; default: the largest array")
    rows: FromOne = optional(
        "number of rows of the image, where the array is a matrix with a pixel in each row or in "
        "each column; default: none"
    )
    columns: FromOne = optional(
        "number of columns of the image, where `rows` is given; default: none"
    )
    order: Literal["row", "column"] = optional(
        "whether the pixels of such a matrix come row by row, or column by column as in MATLAB; "
        "default: row"
    )
    wavelength_file: FilePattern = optional(
        "pattern of a text file with a wavelength in each line; default: none"
    )
    first: Positive = optional(
        "wavelength of the first channel, where there is no `wavelength_file`; default: none"
    )
    last: Positive = optional(
        "wavelength of the last channel, where there is no `wavelength_file`; default: none"
    )
    wavelength_unit: str = optional("unit of the wavelengths; default: nm")

    def mistakes(self) -> Iterator[Mistake]:
        given = self.model_fields_set
        for key, other in (("rows", "columns"), ("columns", "rows")):
            if key in given and other not in given:
                yield (other,), f"is missing: `{key}` needs it"
        if "wavelength_file" in given and given & {"first", "last"}:
            yield ("wavelength_file",), "does not go with `first` and `last`: leave it or these out"
        if "wavelength_file" not in given and not {"first", "last"} <= given:
            missing = next(key for key in ("first", "last") if key not in given)
            yield (missing,), "is missing: give `first` and `last`, or `wavelength_file`"


class Source(Model):
    """A place from which the cube can be had, and how its files are read."""

    description: Line = Field(description="what this source holds")
    files: list[File] = Field(min_length=1, description="the files that make up the source")
    reader: str = Field(description="format of the cube")
    members: list[FilePattern] = Field(
        min_length=1,
        description="shell patterns of the cube's files in the archive or folder; a pattern "
        "matches the name of a file, or the end of its path",
    )
    options: Model = Field(
        description="options of the reader: how it finds flux and wavelengths in the files"
    )
    largest_member: Annotated[int, Interval(ge=1, le=MOST_BYTES), Whole] = Field(
        2**34, description="largest size, in bytes, of an unpacked file of the cube"
    )


def _options(kind: type[Model], **required: Any) -> Any:
    return Field(
        **(required or {"default_factory": kind}),
        description=Source.model_fields["options"].description,
    )


def _reader() -> Any:
    return Field(description=Source.model_fields["reader"].description)


class FitsCubes(Source):
    reader: Literal["fits_cube"] = _reader()
    options: CubeOptions = _options(CubeOptions)


class EnviImages(Source):
    reader: Literal["envi"] = _reader()
    options: EnviOptions = _options(EnviOptions)


class Matrices(Source):
    reader: Literal["matrix"] = _reader()
    options: MatrixOptions = Field(description=Source.model_fields["options"].description)


AnySource = Annotated[FitsCubes | EnviImages | Matrices, Field(discriminator="reader")]
Region = Annotated[list[Positive], Field(min_length=2, max_length=2)]


class CubeEntry(Model):
    """The entry of a cube, or of an image with a spectrum in every pixel."""

    name: Line = Field(description="name of the cube in figures")
    citation: Line = Field(description="the paper or the data to cite")
    doi: Line | None = Field(None, description="DOI of the paper or the data")
    licence: Line = Field("unknown", description="what is known about its licence")
    notes: list[Line] = Field([], description="what a user of the cube should know")
    run_on: Literal["original", "layout", None] = Field(
        None,
        description="the file on which the authors of the entry ran it: the cube's own "
        "(`original`), or a file that the tests write in its layout (`layout`)",
    )
    sources: list[AnySource] = Field(
        min_length=1, description="where the cube can be had; the sources are tried in order"
    )
    medium: Literal["air", "vacuum", "unknown", None] = Field(
        None,
        description="medium in which the wavelengths are given; `null` takes it from the file, or "
        "else from the layout",
    )
    redshift: Redshift | None = Field(
        None,
        description="z of the object, for rest wavelengths and the names of lines; `null`: it is "
        "not known, and no line is named",
    )
    window: Region | None = Field(
        None,
        description="first and last wavelength that are read, in Angstrom as observed; `null` "
        "reads all",
    )
    leave_out: list[Region] = Field(
        [],
        description="regions with inverse variance 0, such as sky lines: the first and the last "
        "wavelength of each, in Angstrom as observed",
    )
    bin_spaxels: FromOne = Field(
        1, description="number of spaxels, along both axes, that are averaged"
    )
    bin_channels: FromOne = Field(1, description="number of channels that are averaged")
    n_components: FromOne = Field(
        3, description="number of components, where the run does not set it"
    )
    smoothness: Lambda = Field(
        1,
        description="lambda, where the run does not set it; the fit smooths over about "
        "sqrt(lambda) channels, so emission lines that are a few channels wide need 1 or less",
    )
    maps: Literal["flux", "abundance"] = Field(
        "flux",
        description="what the maps show: `flux`, the weights in the unit of the cube, or "
        "`abundance`, the weights divided by their sum in each spaxel, for images in reflectance",
    )

    def mistakes(self) -> Iterator[Mistake]:
        regions = [((("leave_out", i)), region) for i, region in enumerate(self.leave_out)]
        if self.window:
            regions.append((("window",), self.window))  # type: ignore[arg-type]
        for key, (first, last) in regions:
            if not first < last:
                yield key, f"{first:g} to {last:g}: the first wavelength is not the lower"


def read_entry(file: Path | str) -> dict:
    """Read the entry of a cube, with its defaults.

    Parameters
    ----------
    file : path
        config/cubes/<name>.yaml.

    Raises
    ------
    ConfigurationError
        A line for each key or value that is wrong.
    """
    return checked(CubeEntry, read_yaml(file), file)
