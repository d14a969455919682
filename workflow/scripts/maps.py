"""Maps of the components of a cube, with coordinates; their emission lines; the sum of it."""

import logging

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.cubes import cube_files, maps_file, summary
from spectralunmix.cubes.maps import ComponentMaps
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, output = snakemake.input, snakemake.output
    cube = cube_files.read_cube_files(inputs.spectra, inputs.spaxels)
    _, names, components = files.read_curves(inputs.components)
    weights = files.read_weights(inputs.weights, names)
    fit = files.read_json(inputs.fit)
    ended = fit["smoothness"], fit["optimality"], fit["converged"], fit["n_iter"]
    maps = ComponentMaps(cube, weights, components, *ended)
    summary.check_converged(maps, snakemake.params.strict)
    resamples = files.read_resamples(inputs.resamples, components, len(weights)).components
    errors = resamples.std(axis=0, ddof=1) if len(resamples) else None
    maps_file.write(output.maps, maps, standard_errors=errors)
    lines = summary.lines_of(maps)
    files.write_table(output.lines, summary.table_of_lines(lines))
    said = summary.summary(maps, lines, len(resamples))
    files.write_json(output.summary, said)
    for sentence in said["in_words"]:
        log.info("%s", sentence)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
