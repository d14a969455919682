"""The run in one file: what each step was made of and made, and what to cite."""

import json
from pathlib import Path

from spectralunmix.files import write_json
from spectralunmix.steps import step

METHOD = "de Souza et al. 2026, SpectralUnmix, RNAAS (arXiv:2603.11111)"


def main(snakemake, log):
    options = snakemake.params
    records = [json.loads(Path(path).read_text()) for path in snakemake.input]
    manifest = {
        "library": options.library,
        "cite": [METHOD, *options.citations],
        "doi": options.doi,
        "steps": records,
    }
    write_json(snakemake.output.manifest, manifest)
    log.info("%d steps", len(records))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
