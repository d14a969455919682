"""Distances of components to prototypes, the one-to-one assignment, and the summary."""

import json
from pathlib import Path

import numpy as np
from astropy.table import Table

from spectralunmix import comparison
from spectralunmix.errors import LibraryError
from spectralunmix.files import (
    component_names,
)

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
    said = f"{row['method'].upper()} {row['component']} lies {row['distance']:.3g} from the "
    said += f"prototype of {own}, to which it is assigned, "
    if row["nearest_class"] != row["class"]:
        said += f"but {row['nearest_distance']:.3g} from that of {nearest}"
    else:
        said += "farther than any spectrum of the class and any other prototype "
        said += f"({row['reach']:.3g} at most)"
    return f"{said}: do not read it as {own}"


def left_over(classes, pairs, labels):
    """Sentences on classes that no component is assigned to: none or one."""
    without = [labels[name] for name in classes if name not in {row[2] for row in pairs}]
    if not without:
        return []
    return [
        f"{', '.join(without)}: no NMF component is assigned to them, as there are fewer "
        f"components than the {len(classes)} classes: set smooth_nmf.n_components"
    ]


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
