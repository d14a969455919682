"""Distances of components to prototypes, the one-to-one assignment, and the summary."""

import json
from pathlib import Path

import numpy as np
from astropy.table import Table

from libraries import LibraryError
from spectra_files import (
    component_names,
    read_curves,
    read_spectra,
    read_table,
    read_weights,
    write_json,
    write_table,
)
from spectralunmix import comparison
from step import step

OF_DISTANCES = ("method", "component", "class", "distance", "sign")
OF_ASSIGNMENTS = (*OF_DISTANCES, "nearest_class", "nearest_distance", "reach", "doubtful")
RECENT = 100  # iterations whose worth tells what further ones would be


def compare(method, components, prototypes, classes, metric, reach):
    """Rows of the tables of distances and of assignments, for one method.

    reach : (n_classes,) distance up to which a component can stand for a class
    """
    distance, sign = comparison.distances(components, prototypes, metric, signed=method == "pca")
    names = component_names(len(components))
    distances = [
        (method, names[i], classes[j], float(distance[i, j]), int(sign[i, j]))
        for i, j in np.ndindex(distance.shape)
    ]
    pairs = comparison.assign(distance)
    doubtful = comparison.doubtful(distance, pairs, reach)
    assignments = []
    for i, j, doubt in sorted(zip(*pairs, doubtful, strict=True), key=lambda pair: pair[1]):
        nearest = distance[i].argmin()
        more = (classes[nearest], float(distance[i, nearest]), float(reach[j]), bool(doubt))
        assignments.append((*distances[i * len(classes) + j], *more))
    return distances, assignments


def warning(row, labels):
    """What is wrong with a doubtful assignment, in a sentence."""
    row = dict(zip(OF_ASSIGNMENTS, row, strict=True))
    own, nearest = labels[row["class"]], labels[row["nearest_class"]]
    said = f"{row['method'].upper()} {row['component']} is assigned to {own} at a distance of "
    said += f"{row['distance']:.3g}, but lies "
    if row["nearest_class"] != row["class"]:
        said += f"nearer to {nearest} ({row['nearest_distance']:.3g})"
    else:
        said += "farther from them than every spectrum of the class and every other prototype "
        said += f"({row['reach']:.3g})"
    return f"{said}: do not read it as {own}"


def dominant_share(weights, components, labels, class_of):
    """Share of the spectra to which their own class's component contributes most."""
    share = comparison.shares(weights, components)
    dominant = [class_of.get(k) for k in share.argmax(axis=1)]
    return float(np.mean([a == b for a, b in zip(dominant, labels, strict=True)]))


def as_table(rows, names, metric):
    return Table(rows=rows, names=names, meta={"metric": metric})


def describe(rows):
    return [dict(zip(OF_ASSIGNMENTS[1:], row[1:], strict=True)) for row in rows]


def not_converged(path, strict):
    """Sentences on a fit that ended before its tolerance: none or one; an error where `strict`.

    Here and not in the fit's own step, so that its results stay, and are taken without a new fit.
    """
    fit = json.loads(Path(path).read_text())
    if fit["converged"] or fit["tol"] == 0:  # with 0 max_iter iterations are what was asked for
        return []
    objective = np.array(fit["history"]["objective"])
    earlier = np.array(fit["history"]["objective_iterations"]) <= fit["n_iter"] - RECENT
    fall = objective[max(0, earlier.sum() - 1)] / objective[-1] - 1
    message = (
        f"{path}: NOT converged: the fit stopped at smooth_nmf.max_iter ({fit['n_iter']} "
        f"iterations) with optimality {fit['optimality']:.1e}, above smooth_nmf.tol "
        f"({fit['tol']:.1e}); its last {min(RECENT, fit['n_iter'])} iterations lowered the "
        f"objective, {fit['objective']:.9g}, by {fall:.1e} of it"
    )
    if strict:
        raise LibraryError(
            f"{message}. Its results are kept: smooth_nmf.strict: false goes on with them as they "
            "are, without a new fit; a larger smooth_nmf.max_iter or smooth_nmf.tol fits anew"
        )
    return [message]


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
    warnings += [warning(row, snakemake.params.labels) for row in assignments if row[-1]]

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
        log.warning("%s", each)
    totals = {name: summary[name]["total_distance"] for name in ("nmf", "pca")}
    log.info("total distance %.4f of NMF, %.4f of PCA", *totals.values())


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
