"""Read the cube: spectra.fits the matrix of its spaxels, spaxels.fits where they lie."""

import logging
from pathlib import Path

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.cubes import cube_files, observed
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    source = files.read_json(inputs.source)["source"]
    cube = observed.read(Path(inputs.library), source, dict(options.items()))
    cube_files.write_cube(output.spectra, output.spaxels, cube)
    files.write_table(output.selection, cube_files.spaxel_table(cube))
    log.info("%s", cube_files.what_is_read(cube))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
