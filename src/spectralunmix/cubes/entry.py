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

MOST_BYTES = 2**40  # that a file of a cube may have unpacked: 1 TiB
NAMED = ("flux", "uncertainty", "uncertainty_kind", "mask", "mask_bits", "wavelength")
Redshift = Annotated[float, Gt(-1), Le(20), Number]


class CubeOptions(Model):
    """Of FITS cubes."""

    layout: Literal["muse", "manga", "jwst", "kcwi"] = optional(
        "the instrument whose layout the file has; default: recognised"
    )
    flux: WholeNumberOrText = optional(
        "extension with the flux, where the layout is none of those; default: none"
    )
    uncertainty: WholeNumberOrText = optional(
        "extension with its uncertainty; default: none, all values weigh alike"
    )
    uncertainty_kind: Literal["sigma", "variance", "inverse_variance"] = optional(
        "what the uncertainty is; default: sigma"
    )
    mask: WholeNumberOrText = optional("extension with the mask; default: none")
    mask_bits: list[Annotated[int, Interval(ge=0, le=62), Whole]] = optional(
        "bits of the mask, from 0, that mean that a value does not count; default: any",
        min_length=1,
    )
    wavelength: WholeNumberOrText = optional(
        "extension with the wavelengths, an image or a table whose first column they are; "
        "default: none, the header has them"
    )
    wavelength_unit: str = optional(
        "unit of the wavelengths, where the file says none or a wrong one; default: the file's"
    )

    def mistakes(self) -> Iterator[Mistake]:
        named = [key for key in NAMED if key in self.model_fields_set]
        if "layout" in self.model_fields_set and named:
            yield (named[0],), "says another thing than `layout`: leave one of them out"
        if named and "layout" not in self.model_fields_set and "flux" not in named:
            yield ("flux",), f"is missing, which goes with `{named[0]}`"


class EnviOptions(Model):
    """Of ENVI images, a header and a file of values."""

    wavelength_unit: str = optional(
        "unit of the wavelengths, where the header says none or a wrong one; default: the header's"
    )


class MatrixOptions(Model):
    """Of .npy and .mat files."""

    variable: str = optional("name of the array in a .mat file; default: its largest")
    rows: FromOne = optional(
        "rows of the image, where the array is a matrix with a pixel a row or column; default: none"
    )
    columns: FromOne = optional("columns of the image, likewise; default: none")
    order: Literal["row", "column"] = optional(
        "whether such pixels come row by row, or column by column as MATLAB has them; default: row"
    )
    wavelength_file: FilePattern = optional(
        "file of text with the wavelengths, one a line; default: none"
    )
    first: Positive = optional("wavelength of the first channel, without such a file")
    last: Positive = optional("wavelength of the last channel, without such a file")
    wavelength_unit: str = optional("unit of the wavelengths; default: nm")

    def mistakes(self) -> Iterator[Mistake]:
        given = self.model_fields_set
        for key, other in (("rows", "columns"), ("columns", "rows")):
            if key in given and other not in given:
                yield (other,), f"is missing, which goes with `{key}`"
        if "wavelength_file" in given and given & {"first", "last"}:
            yield ("wavelength_file",), "goes without `first` and `last`: leave one of them out"
        if "wavelength_file" not in given and not {"first", "last"} <= given:
            missing = next(key for key in ("first", "last") if key not in given)
            yield (missing,), "is missing: first and last wavelength, or a wavelength_file"


class Source(Model):
    """A place where the cube can be had, and how its file is read."""

    description: Line = Field(description="what this source holds")
    files: list[File] = Field(min_length=1, description="the files that make up the source")
    reader: str = Field(description="format of the cube")
    members: list[FilePattern] = Field(
        min_length=1,
        description="shell patterns of the cube's file, or files, in the archive or folder: of "
        "their names, or of the end of their paths",
    )
    options: Model = Field(description="how the reader finds what it needs in them")
    largest_member: Annotated[int, Interval(ge=1, le=MOST_BYTES), Whole] = Field(
        2**34, description="bytes that a file may have unpacked"
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
    """A cube, or an image with a spectrum in every pixel."""

    name: Line = Field(description="as the figure names it")
    citation: Line = Field(description="what to cite")
    doi: Line | None = Field(None, description="DOI of the paper or the data")
    licence: Line = Field("unknown", description="what is known about its licence")
    notes: list[Line] = Field([], description="what a user of the cube should know")
    run_on: Literal["original", "layout", None] = Field(
        None,
        description="what this entry was run on by its authors, the cube itself or a file that the "
        "tests write in its layout",
    )
    sources: list[AnySource] = Field(
        min_length=1, description="where the cube can be had, tried in order"
    )
    medium: Literal["air", "vacuum", "unknown", None] = Field(
        None,
        description="what the wavelengths are in; `null`: what the file, or else the layout, says",
    )
    redshift: Redshift | None = Field(
        None,
        description="z of the object, for rest wavelengths and the names of lines; `null`: not "
        "known, and no line is named",
    )
    window: Region | None = Field(
        None, description="first and last wavelength that are read, in Angstrom as observed"
    )
    leave_out: list[Region] = Field(
        [],
        description="regions of weight 0, such as sky lines: first and last wavelength, in "
        "Angstrom as observed",
    )
    bin_spaxels: FromOne = Field(1, description="so many spaxels along both axes are averaged")
    bin_channels: FromOne = Field(1, description="so many channels are averaged")
    n_components: FromOne = Field(3, description="components, where the run does not say it")
    smoothness: Lambda = Field(
        1,
        description="lambda, where the run does not say it: smooths over about sqrt(lambda) "
        "channels, and lines of few channels want less",
    )
    maps: Literal["flux", "abundance"] = Field(
        "flux",
        description="what the maps show: the weights, in the unit of the cube, or their share in "
        "each spaxel, as for images in reflectance",
    )

    def mistakes(self) -> Iterator[Mistake]:
        regions = [((("leave_out", i)), region) for i, region in enumerate(self.leave_out)]
        if self.window:
            regions.append((("window",), self.window))  # type: ignore[arg-type]
        for key, (first, last) in regions:
            if not first < last:
                yield key, f"{first:g} to {last:g}: the first wavelength is not the lower"


def read_entry(file: Path | str) -> dict:
    """The entry of a cube with its defaults.

    Parameters
    ----------
    file : path
        config/cubes/<name>.yaml.

    Raises
    ------
    ConfigurationError
        A line for each key or value that is wrong, or names what an entry may not.
    """
    return checked(CubeEntry, read_yaml(file), file)
