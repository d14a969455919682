"""Label the library's spectra and select: spectra.fits the matrix, selection.ecsv its rows."""

import json
from pathlib import Path

from astropy.table import Table

from libraries import LibraryError, parameters, readers, selection
from spectra_files import write_spectra, write_table
from step import step


def read_library(path, source, log):
    spectra = []
    for spectrum in readers.read(Path(path), source):
        spectra.append(spectrum)
        if len(spectra) % 500 == 0:
            log.info("%d spectra read", len(spectra))
    if not spectra:
        raise LibraryError(f"{path}: no member matches {source.get('members')}")
    log.info("%d spectra read from %s", len(spectra), source["file"])
    return spectra


def label(frame, source, classes):
    frame = frame.assign(**{"class": parameters.classify(frame, classes)})
    selection.check_sizes(frame["class"], source.get("class_sizes", {}), source["file"])
    return frame


def as_table(chosen, columns, meta):
    """The selection with the parameters that the library's entry describes."""
    known = ["file", "class", "class_rank", "class_size", *columns, "peak_flux", "n_clipped"]
    table = Table.from_pandas(chosen[known], index=False)
    own = {
        "class_rank": {"description": "rank in the class, sorted as selection.order says"},
        "class_size": {"description": "members of the class in this source"},
        "peak_flux": {"description": "the maximum that the spectrum was divided by"},
        "n_clipped": {"description": "channels below zero, set to zero"},
    }
    for name, about in (own | columns).items():
        table[name].description = about["description"]
        table[name].unit = about.get("unit")
    table.meta = meta
    return table


def main(snakemake, log):
    options = snakemake.params
    source = json.loads(Path(snakemake.input.source).read_text())
    spectra = read_library(snakemake.input.library, source, log)
    frame = label(parameters.table(spectra, options.parameters), source, options.classes)
    chosen = selection.evenly_spaced(
        frame, options.selection["classes"], options.per_class, options.selection["order"]
    )
    picked = [spectra[i] for i in chosen.index]
    wavelength, flux = selection.common_grid(picked, options.grid)
    flux, peak, clipped = selection.normalised(flux, list(chosen["file"]))
    chosen = chosen.assign(peak_flux=peak, n_clipped=clipped)
    meta = {
        "library": options.name,
        "citation": options.citation,
        "source": source["file"],
        "sha256": source["obtained_sha256"],
        "notes": options.notes,
    }
    write_spectra(snakemake.output.spectra, wavelength, flux)
    columns = options.parameters.get("columns", {})
    write_table(snakemake.output.selection, as_table(chosen, columns, meta))
    log.info("%d spectra of %d channels selected", *flux.shape)


if __name__ == "__main__":
    with step(snakemake.log[0]) as log:
        main(snakemake, log)
