"""Distances of components to prototypes, the one-to-one assignment, and the summary."""

import json
from pathlib import Path

import numpy as np

from spectralunmix import comparison
from spectralunmix.assignment import (
    OF_ASSIGNMENTS,
    OF_DISTANCES,
    as_table,
    compare,
    describe,
    dominant_share,
    left_over,
    not_converged,
    warning,
)
from spectralunmix.files import (
    read_curves,
    read_spectra,
    read_table,
    read_weights,
    write_json,
    write_table,
)
from spectralunmix.steps import step


def main(snakemake, log):
    inputs, metric = snakemake.input, snakemake.params.metric
    warnings = not_converged(inputs.nmf_fit, snakemake.params.strict)
    _, classes, prototypes = read_curves(inputs.prototypes)
    selection = read_table(inputs.selection)
    members = np.array([classes.index(name) for name in selection["class"]])
    reach = comparison.reach(prototypes, read_spectra(inputs.spectra)[1], members, metric)
    _, nmf_names, nmf = read_curves(inputs.nmf_components)
    _, _, eigenspectra = read_curves(inputs.pca_components)
    against = (prototypes, classes, metric, reach)
    nmf_distances, nmf_pairs = compare("nmf", nmf, *against)
    pca_distances, pca_pairs = compare("pca", eigenspectra, *against)
    distances, assignments = nmf_distances + pca_distances, nmf_pairs + pca_pairs
    write_table(snakemake.output.distances, as_table(distances, OF_DISTANCES, metric))
    write_table(snakemake.output.assignments, as_table(assignments, OF_ASSIGNMENTS, metric))
    labels = snakemake.params.labels
    warnings += left_over(classes, nmf_pairs, labels)
    warnings += [warning(row, labels) for row in assignments if row[-1]]

    weights = read_weights(inputs.nmf_weights, nmf_names)
    class_of = {nmf_names.index(row[1]): row[2] for row in nmf_pairs}
    fit = json.loads(Path(inputs.nmf_fit).read_text())
    del fit["history"]
    fetched = json.loads(Path(inputs.source).read_text())
    summary = {
        "library": snakemake.params.library,
        "source": {
            "description": fetched["source"]["description"],
            "files": [file["name"] for file in fetched["files"]],
            "sha256": fetched["sha256"],
        },
        "n_spectra": len(selection),
        "n_wave": nmf.shape[1],
        "metric": metric,
        "warnings": warnings,
        "nmf": {
            **fit,
            "assignment": describe(nmf_pairs),
            "total_distance": sum(row[3] for row in nmf_pairs),
            "dominant_component_is_own_class": dominant_share(
                weights, nmf, list(selection["class"]), class_of
            ),
        },
        "pca": {
            **json.loads(Path(inputs.pca_fit).read_text()),
            "assignment": describe(pca_pairs),
            "total_distance": sum(row[3] for row in pca_pairs),
        },
    }
    write_json(snakemake.output.summary, summary)
    for each in warnings:
        log.info("%s", each)
    totals = {name: summary[name]["total_distance"] for name in ("nmf", "pca")}
    log.info("total distance %.4f of NMF, %.4f of PCA", *totals.values())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
