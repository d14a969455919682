"""Distances of components to prototypes, the one-to-one assignment, and the summary."""

import logging

from snakemake.script import Snakemake

from spectralunmix import assignment, files
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    fit, pca_fit = files.read_json(inputs.nmf_fit), files.read_json(inputs.pca_fit)
    warnings = assignment.not_converged(fit, inputs.nmf_fit, options.strict)
    flux, members = files.read_spectra(inputs.spectra)[1], files.read_members(inputs.selection)
    _, names, prototypes = files.read_curves(inputs.prototypes)
    classes = assignment.classes_of(names, prototypes, flux, members, options.metric)
    _, names, components = files.read_curves(inputs.nmf_components)
    _, _, eigenspectra = files.read_curves(inputs.pca_components)
    totals, errors = files.read_json(inputs.totals), files.read_table(inputs.errors)
    nmf = assignment.compare("nmf", components, classes, errors)
    pca = assignment.compare("pca", eigenspectra, classes, errors)
    distances, assignments = assignment.tables(nmf, pca, options.metric)
    files.write_table(output.distances, distances)
    files.write_table(output.assignments, assignments)
    warnings += assignment.doubts(nmf, pca, classes, options.labels)
    warnings += assignment.doubts_of_errors(nmf, classes, options.labels, fit["smoothness"])
    data = assignment.data_summary(options.library, files.read_json(inputs.source), flux.shape)
    weights = files.read_weights(inputs.nmf_weights, names)
    own = assignment.dominant_share(weights, components, members, nmf.assignments)
    found = warnings, (fit, nmf), (pca_fit, pca), own, totals
    files.write_json(output.summary, assignment.summarise(data, options.metric, *found))
    for sentence in warnings:
        log.info("%s", sentence)
    log.info("total distance %.4f of NMF, %.4f of PCA", nmf.total_distance, pca.total_distance)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
