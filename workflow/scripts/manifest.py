"""The run in one file: what each step was made of and made, and what to cite."""

import logging

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.steps import step

METHOD = "de Souza et al. 2026, SpectralUnmix, RNAAS (arXiv:2603.11111)"


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    options = snakemake.params
    records = [files.read_json(path) for path in snakemake.input]
    manifest = {
        "library": options.library,
        "cite": [METHOD, *options.citations],
        "doi": options.doi,
        "steps": records,
    }
    files.write_json(snakemake.output.manifest, manifest)
    log.info("%d steps", len(records))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
