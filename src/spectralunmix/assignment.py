"""Assigns components to classes, one to one: distances, doubtful assignments, summary."""

import dataclasses
from typing import Any

import numpy as np
from astropy.table import Table

from spectralunmix import comparison
from spectralunmix.errors import LibraryError
from spectralunmix.files import component_names

Row = dict[str, Any]  # the row of a table, by column
ERRORS = "standard_error", "noise_error", "same_assignment"  # of a distance, from resamples
FEW = 3  # spectra of a class: with fewer, resamples tell next to nothing
SAME = 0.95  # share of resamples: an assignment with a smaller share is doubtful
OF_DISTANCES = ("method", "component", "class", "distance", "sign", *ERRORS)
OF_ASSIGNMENTS = (*OF_DISTANCES, "nearest_class", "nearest_distance", "reach", "doubtful")
ErrorsOf = dict[tuple[str, str, str], dict[str, float]]  # by method, component and class
RECENT = 100  # last iterations, whose effect on the objective a message tells


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes that components are assigned to.

    Attributes
    ----------
    names : list of str
    prototypes : ndarray of shape (n_classes, n_wave)
    reach : ndarray of shape (n_classes,)
        Largest distance at which a component can stand for a class, see `comparison.reach`.
    metric : {"rms", "angle"}
        The distance, see `comparison.METRICS`.
    sizes : list of int
        Number of spectra of each class.
    """

    names: list[str]
    prototypes: np.ndarray
    reach: np.ndarray
    metric: str
    sizes: list[int]


@dataclasses.dataclass(frozen=True)
class Compared:
    """The components of a method, compared with the classes.

    Attributes
    ----------
    distances : list of dict
        A row for each component and class, with the keys OF_DISTANCES.
    assignments : list of dict
        A row for each component that is assigned, with the keys OF_ASSIGNMENTS, by class.
    """

    distances: list[Row]
    assignments: list[Row]

    @property
    def total_distance(self) -> float:
        """The sum of the assigned components' distances."""
        return sum(row["distance"] for row in self.assignments)


def classes_of(
    names: list[str], prototypes: np.ndarray, flux: np.ndarray, members: list[str], metric: str
) -> Classes:
    """The classes with their reach, from the spectra that belong to them.

    Parameters
    ----------
    names : list of str
        The classes.
    prototypes : ndarray of shape (n_classes, n_wave)
        Their prototypes.
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    members : list of str
        The class of each spectrum.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    Classes
    """
    numbers = np.array([names.index(name) for name in members])
    reach = comparison.reach(prototypes, flux, numbers, metric)
    return Classes(names, prototypes, reach, metric, [members.count(name) for name in names])


def _errors_of(table: Table) -> ErrorsOf:
    """The ERRORS of each distance, from the table of `assignment_errors.table`."""
    return {
        (row["method"], row["component"], row["class"]): {name: float(row[name]) for name in ERRORS}
        for row in table
    }


def compare(method: str, components: np.ndarray, classes: Classes, errors: Table) -> Compared:
    """Distances of components to prototypes, and the one-to-one assignment of least distance.

    Parameters
    ----------
    method : {"nmf", "pca"}
        The method of the components; the sign of an eigenspectrum is free.
    components : ndarray of shape (k, n_wave)
        The components.
    classes : Classes
        The classes, with which the components are compared.
    errors : Table
        The errors of each distance, from `assignment_errors.table`.

    Returns
    -------
    Compared
    """
    distance, sign = comparison.distances(
        components, classes.prototypes, classes.metric, signed=method == "pca"
    )
    names, of_resamples = component_names(len(components)), _errors_of(errors)
    distances = [
        {
            "method": method,
            "component": names[i],
            "class": classes.names[j],
            "distance": float(distance[i, j]),
            "sign": int(sign[i, j]),
            **of_resamples[method, names[i], classes.names[j]],
        }
        for i, j in np.ndindex(distance.shape)
    ]
    pairs = comparison.assign(distance)
    doubtful = comparison.doubtful(distance, pairs, classes.reach)
    assignments = []
    for i, j, doubt in sorted(zip(*pairs, doubtful, strict=True), key=lambda pair: pair[1]):
        nearest = distance[i].argmin()
        row = distances[i * len(classes.names) + j]
        judged = {
            "nearest_class": classes.names[nearest],
            "nearest_distance": float(distance[i, nearest]),
            "reach": float(classes.reach[j]),
            "doubtful": bool(doubt or row["same_assignment"] < SAME),
        }
        assignments.append(row | judged)
    return Compared(distances, assignments)


def warning(row: Row, labels: dict[str, str]) -> str:
    """A sentence that says why an assignment is doubtful."""
    own, nearest = labels[row["class"]], labels[row["nearest_class"]]
    said = f"{row['method'].upper()} {row['component']} lies {row['distance']:.3g} from the "
    said += f"prototype of {own}, to which it is assigned, "
    if row["nearest_class"] != row["class"]:
        said += f"but {row['nearest_distance']:.3g} from that of {nearest}"
    elif row["distance"] > row["reach"]:
        said += "farther than any spectrum of the class and any other prototype "
        said += f"({row['reach']:.3g} at most)"
    else:
        said += f"but in {1 - row['same_assignment']:.0%} of the resamples it is not"
    return f"{said}: do not read it as {own}"


def left_over(classes: list[str], assignments: list[Row], labels: dict[str, str]) -> list[str]:
    """Sentences on classes that no component is assigned to: none or one."""
    taken = {row["class"] for row in assignments}
    without = [labels[name] for name in classes if name not in taken]
    if not without:
        return []
    return [
        f"{', '.join(without)}: no NMF component is assigned to them, as there are fewer "
        f"components than the {len(classes)} classes: set smooth_nmf.n_components"
    ]


def doubts(nmf: Compared, pca: Compared, classes: Classes, labels: dict[str, str]) -> list[str]:
    """Sentences on classes without a component, and on assignments that are doubtful.

    Parameters
    ----------
    nmf, pca : Compared
        The components of both methods against the classes.
    classes : Classes
        The classes.
    labels : dict of str
        What a class is called, by its name.

    Returns
    -------
    list of str
    """
    doubtful = [row for row in nmf.assignments + pca.assignments if row["doubtful"]]
    said = left_over(classes.names, nmf.assignments, labels)
    return said + [warning(row, labels) for row in doubtful]


def doubts_of_errors(
    nmf: Compared, classes: Classes, labels: dict[str, str], smoothness: float
) -> list[str]:
    """Sentences on the limits of the standard errors; none where there are no such errors.

    Parameters
    ----------
    nmf : Compared
        The components against the classes.
    classes : Classes
        The classes.
    labels : dict of str
        What a class is called, by its name.
    smoothness : float
        lambda of the fit.
    """
    if not np.isfinite([row["standard_error"] for row in nmf.assignments]).any():
        return []
    said = []
    sizes = zip(classes.names, classes.sizes, strict=True)
    if few := [f"{labels[name]} ({n})" for name, n in sizes if n < FEW]:
        said.append(
            f"{', '.join(few)}: so few spectra are much the same in every resample, so that the "
            "standard errors of what depends on them are too small"
        )
    if smoothness == 0:
        said.append(
            "without smoothness the standard errors hold only where some spectra are nearly pure: "
            "else other components fit as well, and refits stay near these"
        )
    return said


def dominant_share(
    weights: np.ndarray, components: np.ndarray, members: list[str], assignments: list[Row]
) -> float:
    """Share of the spectra to which the component of their own class contributes most.

    Parameters
    ----------
    weights : ndarray of shape (n_spectra, k)
        Weights of the components in the spectra.
    components : ndarray of shape (k, n_wave)
        The components.
    members : list of str
        The class of each spectrum.
    assignments : list of dict
        Which component is assigned to which class.

    Returns
    -------
    float
    """
    names = component_names(len(components))
    class_of = {names.index(row["component"]): row["class"] for row in assignments}
    largest = comparison.shares(weights, components).argmax(axis=1)
    own = [class_of.get(k) == name for k, name in zip(largest, members, strict=True)]
    return float(np.mean(own))


def tables(nmf: Compared, pca: Compared, metric: str) -> tuple[Table, Table]:
    """The tables of distances and of assignments, whose metadata say the metric."""
    rows = nmf.distances + pca.distances, nmf.assignments + pca.assignments
    distances, assignments = (
        Table(rows=[tuple(row[name] for name in columns) for row in part], names=columns)
        for part, columns in zip(rows, (OF_DISTANCES, OF_ASSIGNMENTS), strict=True)
    )
    distances.meta = {"metric": metric}
    assignments.meta = {"metric": metric}
    return distances, assignments


def method_summary(
    fit: dict[str, Any], compared: Compared, of_total: dict[str, float] | None
) -> dict[str, Any]:
    """The part of the summary for a method: its fit without the history, and the assignment.

    of_total : the errors of the total distance, None where there are no resamples
    """
    fit = {key: value for key, value in fit.items() if key != "history"}
    described = [
        {key: _or_none(row[key]) for key in OF_ASSIGNMENTS if key != "method"}
        for row in compared.assignments
    ]
    total = {
        "total_distance": compared.total_distance,
        "total_distance_standard_error": of_total and of_total["standard_error"],
    }
    return {**fit, "assignment": described, **total}


def _or_none(value: Any) -> Any:
    """None in place of NaN, because JSON has no NaN."""
    return None if isinstance(value, float) and np.isnan(value) else value


def summarise(
    data: dict[str, Any],
    metric: str,
    warnings: list[str],
    nmf: tuple[dict[str, Any], Compared],
    pca: tuple[dict[str, Any], Compared],
    own_dominant: float,
    totals: dict[str, Any],
) -> dict[str, Any]:
    """The summary of a run.

    Parameters
    ----------
    data : dict
        As `data_summary` gives it.
    metric : {"rms", "angle"}
        The distance.
    warnings : list of str
        Warnings about the fit and the assignments.
    nmf, pca : tuple of dict and Compared
        The numbers of each fit, and its components compared with the classes.
    own_dominant : float
        As `dominant_share` gives it.
    totals : dict
        As `assignment_errors.totals` gives them.

    Returns
    -------
    dict
    """
    of_nmf = method_summary(*nmf, totals["nmf_total_distance"])
    of_pca = method_summary(*pca, totals["pca_total_distance"])
    of_nmf["dominant_component_is_own_class"] = own_dominant
    of_methods = {"nmf": of_nmf, "pca": of_pca, "bootstrap": totals}
    return {**data, "metric": metric, "warnings": warnings, **of_methods}


def data_summary(library: str, fetched: dict[str, Any], shape: tuple[int, int]) -> dict[str, Any]:
    """The part of the summary for the spectra: their source and (n_spectra, n_wave)."""
    source = {
        "description": fetched["source"]["description"],
        "files": [file["name"] for file in fetched["files"]],
        "sha256": fetched["sha256"],
    }
    return {"library": library, "source": source, "n_spectra": shape[0], "n_wave": shape[1]}


def not_converged(fit: dict[str, Any], path: str, strict: bool) -> list[str]:
    """A list with a sentence, where a fit stopped before its tolerance.

    The step of the fit does not raise this error, so that its results stay, and a new run can use
    them without a new fit.

    Parameters
    ----------
    fit : dict
        The numbers of the fit, from `fit_report.numbers`.
    path : str
        The file with these numbers, for the sentence.
    strict : bool
        Whether such a fit is an error.

    Returns
    -------
    list of str

    Raises
    ------
    LibraryError
        The fit did not converge, and `strict` is true.
    """
    if fit["converged"] or fit["tol"] == 0:  # with 0 max_iter iterations are what was asked for
        return []
    objective = np.array(fit["history"]["objective"])
    earlier = np.array(fit["history"]["iterations"]) <= fit["n_iter"] - RECENT
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
