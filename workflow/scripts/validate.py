"""What a library holds, as its entry reads it: library.txt and library.png."""

import logging
from pathlib import Path

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures.library import draw, report
from spectralunmix.libraries.survey import survey
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    options, inputs, output = snakemake.params, snakemake.input, snakemake.output
    source = files.read_json(inputs.source)["source"]
    found = survey(Path(inputs.library), source, dict(options.items()))
    text = report(found, source, options)
    for line in text.splitlines():
        log.info("%s", line)
    found.check(f"config/libraries/{snakemake.wildcards.library}.yaml")
    with files.replacing(output.text) as part:
        part.write_text(text)
    with files.replacing(output.picture) as part:
        draw(found, options).savefig(part, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
