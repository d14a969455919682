"""What a library holds, as its entry reads it: library.txt and library.png."""

import json
from pathlib import Path

from spectralunmix.figures.library import draw, report
from spectralunmix.files import replacing
from spectralunmix.libraries.survey import survey
from spectralunmix.steps import step


def main(snakemake, log):
    options = snakemake.params
    source = json.loads(Path(snakemake.input.source).read_text())["source"]
    found = survey(Path(snakemake.input.library), source, dict(options.items()))
    text = report(found, source, options)
    for line in text.splitlines():
        log.info("%s", line)
    found.check(f"config/libraries/{snakemake.wildcards.library}.yaml")
    with replacing(snakemake.output.text) as part:
        part.write_text(text)
    with replacing(snakemake.output.picture) as part:
        draw(found, options).savefig(part, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
