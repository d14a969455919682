"""A page to look through the cube with, in a browser."""

import logging

from plotly.offline import get_plotlyjs
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.cubes.maps_of_files import read_maps
from spectralunmix.figures.cube_page import page_data, what_is_shown
from spectralunmix.figures.pages import write_page
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options = snakemake.input, snakemake.params
    maps = read_maps(inputs, options.name, options.redshift)
    said, lines = files.read_json(inputs.summary), files.read_table(inputs.lines)
    words = {"library": options.name, "shown": what_is_shown(maps.cube), "said": said["in_words"]}
    page = page_data(maps, said, lines, options.shown), get_plotlyjs()
    words |= {"citation": options.citation, "data": page[0], "plotly": page[1]}
    write_page(snakemake.output.page, "cube.html", **words)
    log.info("%s", what_is_shown(maps.cube))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
