"""Label the library's spectra and select: spectra.fits the matrix, selection.ecsv its rows."""

import logging
from pathlib import Path

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.libraries import quality, selected
from spectralunmix.libraries.survey import survey
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    entry, fetched = dict(options.items()), files.read_json(inputs.source)
    if options.run_on == "layout":
        log.warning("%s: this entry was not run on the library's own files before", options.name)
    found = survey(Path(inputs.library), fetched["source"], entry)
    for remark in found.remarks:
        log.info("%s", remark)
    found.check(f"config/libraries/{snakemake.wildcards.library}.yaml")
    wavelength, spectra = selected.on_one_grid(found, options.grid)
    arrays = quality.normalised(spectra, options.normalisation)
    flux, inverse_variance = arrays["flux"], arrays["inverse_variance"]
    files.write_spectra(output.spectra, wavelength, flux, inverse_variance, options.medium)
    about = selected.described(entry, fetched, found.left_out)
    table = selected.as_table(found.chosen, arrays, options.parameters["columns"], about)
    files.write_table(output.selection, table)
    log.info("%s", selected.what_is_selected(flux, inverse_variance, fetched["source"]))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
