"""Label the library's spectra and select: spectra.fits the matrix, selection.ecsv its rows."""

import json
from pathlib import Path

from astropy.table import Table

from libraries import grids, quality
from libraries.survey import survey
from spectra_files import write_spectra, write_table
from step import step


def on_one_grid(spectra, grid, log):
    """Wavelength (n_wave,) and the spectra on it."""
    wavelength = grids.stated(grid)
    if wavelength is None:
        wavelength, how = grids.decided([s.wavelength for s in spectra], grid)
        log.info("wavelengths: %s", how)
    return wavelength, [grids.on_grid(s, wavelength) for s in spectra]


def as_table(chosen, columns, meta):
    """The selection with the parameters that the library's entry describes."""
    own = {
        "class_rank": {"description": "rank in the class, sorted as selection.order says"},
        "class_size": {"description": "members of the class in this source"},
        "divisor": {"description": "what the spectrum was divided by, see normalisation"},
        "n_filled": {"description": "channels without a flux, filled by straight lines"},
        "n_clipped": {"description": "channels below zero, set to zero"},
    }
    first, last = (
        ["file", "class", "class_rank", "class_size"],
        ["divisor", "n_filled", "n_clipped"],
    )
    table = Table.from_pandas(chosen[[*first, *columns, *last]], index=False)
    for name, about in (own | columns).items():
        table[name].description = about["description"]
        table[name].unit = about.get("unit")
    table.meta = meta
    return table


def main(snakemake, log):
    options = snakemake.params
    fetched = json.loads(Path(snakemake.input.source).read_text())
    if options.run_on == "layout":
        log.warning("%s: this entry was not run on the library's own files before", options.name)
    found = survey(Path(snakemake.input.library), fetched["source"], dict(options.items()))
    for remark in found.remarks:
        log.info("%s", remark)
    found.check(f"config/libraries/{snakemake.wildcards.library}.yaml")
    chosen = found.chosen.copy()
    picked = [found.spectra[i] for i in chosen.index]
    wavelength, spectra = on_one_grid(picked, options.grid, log)
    arrays = quality.normalised(spectra, options.normalisation)
    for name in ("divisor", "n_filled", "n_clipped"):
        chosen[name] = arrays[name]
    meta = {
        "library": options.name,
        "citation": options.citation,
        "source": fetched["source"]["description"],
        "sha256": fetched["sha256"],
        "medium": options.medium,
        "normalisation": options.normalisation,
        "notes": options.notes,
        "left_out": found.left_out,
    }
    flux, inverse_variance = arrays["flux"], arrays["inverse_variance"]
    write_spectra(snakemake.output.spectra, wavelength, flux, inverse_variance, options.medium)
    columns = options.parameters["columns"]
    write_table(snakemake.output.selection, as_table(chosen, columns, meta))
    log.info("%d spectra of %d channels selected", *flux.shape)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
