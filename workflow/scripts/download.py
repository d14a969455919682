"""Fetch the library: download/library as its source ships it, download/source.json its record."""

import logging
from pathlib import Path

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.libraries import sources
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    options, output = snakemake.params, snakemake.output
    record = sources.fetch(
        options.sources,
        options.library_path,
        Path(output.library),
        Path(options.kept),
        options.also,
        options.kind,
    )
    files.write_json(output.source, record)
    for file in record["files"]:
        log.info("%s: from %s", file["name"], file["from"])
    log.info("%s", record["source"]["description"])


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
