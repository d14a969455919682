"""Components of several libraries side by side, and each one's applied to the others' spectra."""

import logging

from snakemake.script import Snakemake

from spectralunmix import across_libraries as across
from spectralunmix import files
from spectralunmix.figures.compare import draw
from spectralunmix.figures.style import save
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    paths = zip(inputs.spectra, inputs.components, inputs.assignments, inputs.summary, strict=True)
    libraries = {
        name: across.load(name, *of_library)
        for name, of_library in zip(options.libraries, paths, strict=True)
    }
    wavelength, how = across.common_channels(libraries)
    log.info("compared on %s", how)
    common = {name: across.on_common_channels(lib, wavelength) for name, lib in libraries.items()}
    matches = across.matched(libraries, common, options.metric)
    files.write_table(output.distances, across.match_table(matches, options.metric))
    shares = across.explained_shares(common)
    files.write_table(output.transfer, across.transfer_table(options.libraries, shares))
    fig = draw(libraries, matches, shares, options.labels, wavelength, options.metric)
    save(fig, output.pdf, output.png, output.svg)
    same = across.n_of_one_class(matches)
    log.info("%d of %d matched components are assigned to the same class", same, len(matches))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
