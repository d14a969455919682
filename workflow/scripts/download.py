"""Fetch the library: download/library as its source ships it, download/source.json its record."""

import json
from pathlib import Path

from libraries import sources
from step import step


def main(entries, library_path, target, record, kept, log):
    source = sources.fetch(entries, library_path, Path(target), Path(kept))
    log.info("library: %s (%s)", source["obtained_from"], source["description"])
    Path(record).write_text(json.dumps(source, indent=2) + "\n")


if __name__ == "__main__":
    with step(snakemake.log[0]) as log:
        main(
            snakemake.params.sources,
            snakemake.params.library_path,
            snakemake.output.library,
            snakemake.output.source,
            snakemake.params.kept,
            log,
        )
