"""The options of each reader, which say how it finds wavelength and flux in a file."""

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
    """The options of every reader, except for that of R lists, whose units are known."""

    uncertainty_kind: Literal["sigma", "variance", "inverse_variance"] = optional(
        "what the uncertainty is; default: sigma"
    )
    wavelength_unit: str = optional(
        "unit of the wavelengths, where the file has none or a wrong one; default: that of the "
        "file, or else Angstrom"
    )
    flux_unit: str = optional(
        "unit of the flux, where the file has none or a wrong one; `relative` if only the shape of "
        "a spectrum has a meaning; default: that of the file, or else relative"
    )


class FitsImageOptions(Units):
    """Options of the reader of FITS images."""

    axis: Literal["linear", "log10", "ln", "row", "extension", "file"] = optional(
        "where the wavelengths are. `linear`, `log10`, `ln`: the header counts wavelength, or its "
        "logarithm, with CRVAL1, CDELT1 or CD1_1, and CRPIX1 (1 where absent); `row`, `extension`, "
        "`file`: they are a row of the image, an extension or a file; default: linear"
    )
    extension: WholeNumberOrText = optional(
        "name of the extension, or its number from 0; default: 0"
    )
    layout: Literal["file", "rows"] = optional(
        "whether each file or each row of the image is a spectrum; default: file"
    )
    row: FromZero = optional("row, from 0, of a 2-D image with the flux; default: 0")
    wavelength_row: FromZero = optional(
        "row, from 0, with the wavelengths; `axis: row` needs it; default: none"
    )
    wavelength_extension: WholeNumberOrText = optional(
        "extension with the wavelengths; `axis: extension` needs it; default: none"
    )
    wavelength_file: FilePattern = optional(
        "pattern of the file with the wavelengths of all spectra; `axis: file` needs it; default: "
        "none"
    )
    uncertainty_row: FromZero = optional("row, from 0, with the uncertainty; default: none")
    uncertainty_extension: WholeNumberOrText = optional(
        "extension with the uncertainty; default: none"
    )
    mask_extension: WholeNumberOrText = optional(
        "extension with the mask, which is not zero where masked; default: none"
    )
    table_extension: WholeNumberOrText = optional(
        "with `layout: rows`, extension with a table that has a row for each row of the image; "
        "its columns take the place of header cards; default: none"
    )
    name: str = optional(
        "column of that table with the names of the spectra; default: the file and a number"
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
    """Options of every reader of tables."""

    axis: Literal["linear", "log10", "ln"] = optional(
        "whether the column of wavelengths has these, or their logarithm; default: linear"
    )
    layout: Literal["file", "columns", "rows"] = optional(
        "whether each file, each column (with a name such as spectra.csv:HD1461) or each row, with "
        "arrays in its columns, is a spectrum; default: file"
    )
    wavelength: WholeNumberOrText = optional(
        "column of the wavelengths, by name or by number from 0; default: WAVELENGTH, or 0 in text"
    )
    flux: WholeNumberOrText = optional(
        "column of the flux, or with `layout: columns` a pattern of the columns' names; default: "
        "FLUX, or 1 in text"
    )
    uncertainty: WholeNumberOrText = optional("column of the uncertainty; default: none")
    mask: WholeNumberOrText = optional(
        "column of the mask, which is not zero where masked; default: none"
    )
    name: str = optional(
        "with `layout: rows`, column with the names of the spectra; default: the file and a number"
    )


class TableOptions(ColumnOptions):
    """Options of the readers of FITS tables and of VOTables."""

    extension: WholeNumberOrText = optional(
        "name of the extension, or its number from 0; default: 1"
    )


class TextOptions(ColumnOptions):
    """Options of the reader of tables of text."""

    format: Format = optional("format of astropy.io.ascii; default: no_header")
    table: Settings = optional(
        "settings of that format, such as delimiter, names, col_starts; default: none"
    )
    wavelength_file: FilePattern = optional(
        "pattern of the file with the wavelengths of all spectra; default: none"
    )


class NoOptions(Model):
    """The reader of R lists has no options: they all have the same layout."""
