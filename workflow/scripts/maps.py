"""Maps of the components of a cube, with coordinates; their emission lines; the sum of it."""

import logging

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.cubes import maps_file, summary
from spectralunmix.cubes.maps_of_files import read_maps
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    if options.run_on == "layout":
        log.warning("%s: this entry was not run on the cube itself before", options.name)
    maps = read_maps(inputs, options.name, options.redshift)
    summary.check_converged(maps, options.strict)
    fits = files.read_resamples(inputs.resamples, maps.components, len(maps.weights))
    resamples = fits.components
    errors = resamples.std(axis=0, ddof=1) if len(resamples) else None
    how = {"standard_errors": errors, "abundances": options.shown == "abundance"}
    maps_file.write(output.maps, maps, **how)
    lines = summary.lines_of(maps)
    files.write_table(output.lines, summary.table_of_lines(lines))
    said = summary.summary(maps, lines, len(resamples))
    files.write_json(output.summary, said)
    for sentence in said["in_words"]:
        log.info("%s", sentence)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
