"""The options of each reader: how it finds wavelength and flux in a file."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from spectralunmix.models import (
    FilePattern,
    FromZero,
    Mistake,
    Model,
    WholeNumberOrText,
    anything,
    optional,
)

# Of astropy.io.ascii: tests hold both equal to what the reader of text takes.
Format = Literal[
    "basic", "cds", "commented_header", "csv", "daophot", "ecsv", "fixed_width",
    "fixed_width_no_header", "fixed_width_two_line", "ipac", "mrt", "no_header", "rdb",
    "sextractor", "tab",
]  # fmt: skip
Setting = Literal[
    "col_ends", "col_starts", "comment", "data_end", "data_start", "delimiter", "exclude_names",
    "fill_exclude_names", "fill_include_names", "fill_values", "header_start", "include_names",
    "names", "position_char", "position_line", "quotechar",
]  # fmt: skip
Settings = Annotated[dict[Setting, Any], AfterValidator(anything)]


class Units(Model):
    """What every reader takes but that of R lists, which have units of their own."""

    uncertainty_kind: Literal["sigma", "variance", "inverse_variance"] = optional(
        "what the uncertainty is; default: sigma"
    )
    wavelength_unit: str = optional(
        "unit of the wavelength, where the file says none or a wrong one; default: the file's, "
        "else Angstrom"
    )
    flux_unit: str = optional(
        "unit of the flux, the same; `relative` where only the shape counts; default: the file's, "
        "else relative"
    )


class FitsImageOptions(Units):
    """Of FITS images."""

    axis: Literal["linear", "log10", "ln", "row", "extension", "file"] = optional(
        "how the header counts wavelength from CRVAL1, CDELT1 or CD1_1, and CRPIX1 (1 where "
        "absent), or that it is a row of the image, an extension or a file of its own; default: "
        "linear"
    )
    extension: WholeNumberOrText = optional("number or name of the extension; default: 0")
    layout: Literal["file", "rows"] = optional(
        "whether a file or a row of the image is a spectrum; default: file"
    )
    row: FromZero = optional("row of a 2-D image that is the flux; default: 0")
    wavelength_row: FromZero = optional(
        "the row that is the wavelength, with `axis: row`, which needs it; default: none"
    )
    wavelength_extension: WholeNumberOrText = optional(
        "the image that is the wavelength, with `axis: extension`, which needs it; default: none"
    )
    wavelength_file: FilePattern = optional(
        "pattern of the file that has the wavelengths of all, with `axis: file`, which needs it; "
        "default: none"
    )
    uncertainty_row: FromZero = optional("the row that is the uncertainty; default: none")
    uncertainty_extension: WholeNumberOrText = optional(
        "the extension that is the uncertainty; default: none"
    )
    mask_extension: WholeNumberOrText = optional(
        "the extension that is not zero where masked; default: none"
    )
    table_extension: WholeNumberOrText = optional(
        "with `layout: rows`, the table whose rows tell of the image's; its columns are cards; "
        "default: none"
    )
    name: str = optional(
        "column of that table that names the spectra; default: the file and a number"
    )

    def mistakes(self) -> Iterator[Mistake]:
        given = self.model_fields_set
        if self.layout == "rows":
            for key in ("row", "wavelength_row", "uncertainty_row"):
                if key in given:
                    yield (key,), "each row is a spectrum with `layout: rows`: leave it out"
            if self.axis == "row":
                yield (
                    ("axis",),
                    "'row' does not go with `layout: rows`, where rows are spectra",
                )
        elif "table_extension" in given:
            yield ("table_extension",), "is for `layout: rows` alone: leave it out"
        if "name" in given and "table_extension" not in given:
            yield ("name",), "is a column of a table: name that with `table_extension`"
        if self.axis in ("row", "extension", "file"):
            key = f"wavelength_{self.axis}"
            if key not in given:
                yield (key,), f"is missing, which `axis: {self.axis}` needs"


class ColumnOptions(Units):
    """Of tables of any format."""

    axis: Literal["linear", "log10", "ln"] = optional(
        "what the column of wavelengths counts; default: linear"
    )
    layout: Literal["file", "columns", "rows"] = optional(
        "whether a file, a column (named as in spectra.csv:HD1461) or a row with vector columns is "
        "a spectrum; default: file"
    )
    wavelength: WholeNumberOrText = optional(
        "column of the wavelength, by name or number from 0; default: WAVELENGTH, or 0 in text"
    )
    flux: WholeNumberOrText = optional(
        "column of the flux; with `layout: columns` a pattern of their names; default: FLUX, or 1 "
        "in text"
    )
    uncertainty: WholeNumberOrText = optional("column of the uncertainty; default: none")
    mask: WholeNumberOrText = optional("column that is not zero where masked; default: none")
    name: str = optional(
        "with `layout: rows`, column that names the spectra; default: the file and a number"
    )


class TableOptions(ColumnOptions):
    """Of FITS tables and VOTables."""

    extension: WholeNumberOrText = optional("number or name of the extension; default: 1")


class TextOptions(ColumnOptions):
    """Of tables of text."""

    format: Format = optional("format of astropy.io.ascii; default: no_header")
    table: Settings = optional(
        "settings of that format, such as delimiter, names, col_starts; default: none"
    )
    wavelength_file: FilePattern = optional(
        "pattern of the file that has the wavelengths of all; default: none"
    )


class NoOptions(Model):
    """Of R lists, which have one layout."""
