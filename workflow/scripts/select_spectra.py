"""Label the library's spectra and select: spectra.fits the matrix, selection.ecsv its rows."""

import json
from pathlib import Path

from spectralunmix.files import write_spectra, write_table
from spectralunmix.libraries import quality
from spectralunmix.libraries.selected import as_table, on_one_grid, what_is_selected
from spectralunmix.libraries.survey import survey
from spectralunmix.steps import step


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
    log.info("%s", what_is_selected(flux, inverse_variance, fetched["source"]))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
