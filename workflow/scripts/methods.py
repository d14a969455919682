"""The page of methods, tables and provenance, with the run's own settings and numbers."""

import json
from pathlib import Path

from spectralunmix.figures.methods import MEDIUM, as_text, distance_tables
from spectralunmix.figures.pages import write_page
from spectralunmix.files import read_curves, read_medium, read_table
from spectralunmix.steps import step


def main(snakemake, log):
    inputs, options = snakemake.input, snakemake.params
    selection = read_table(inputs.selection)
    manifest = json.loads(Path(inputs.manifest).read_text())
    settings = {each["step"]: each["settings"] for each in manifest["steps"]}
    members = list(selection["class"])
    write_page(
        snakemake.output.page,
        "methods.html",
        key=snakemake.wildcards.library,
        library=options.library,
        citation=options.citation,
        notes=selection.meta.get("notes", []),
        left_out=selection.meta.get("left_out", {}),
        summary=json.loads(Path(inputs.summary).read_text()),
        manifest=manifest,
        fit=settings["smooth_nmf"],
        normalisation=settings["select"]["normalisation"],
        medium=MEDIUM[read_medium(inputs.spectra)],
        wavelength=read_curves(inputs.components)[0][[0, -1]],
        classes=[
            {"label": options.labels[name], "n": members.count(name)}
            for name in dict.fromkeys(members)
        ],
        distances=distance_tables(
            read_table(inputs.distances), read_table(inputs.assignments), options.labels
        ),
        selection={
            "names": selection.colnames,
            "rows": [[as_text(value) for value in row] for row in selection],
        },
    )
    log.info("written: %s", snakemake.output.page)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
