"""The errors of distances and assignments, from resamples that have their own prototypes."""

import dataclasses
import functools
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Table

from spectralunmix import comparison, pca
from spectralunmix.assignment import ERRORS
from spectralunmix.files import Resamples, component_names
from spectralunmix.prototypes import prototypes

DIGITS = 4  # of a standard error: further digits are chance
NO_CLASS = -1


@dataclasses.dataclass(frozen=True)
class Resampled:
    """Distances and assignments of the resamples of a method, in the order of the components.

    Attributes
    ----------
    distances : ndarray of shape (n_resamples, k, n_classes)
        Distances of components to the prototypes of the resample.
    assigned : ndarray of int, shape (n_resamples, k)
        The number of the class to which a component is assigned; -1 where there is none.
    totals : ndarray of shape (n_resamples,)
        The sums of the assigned components' distances.
    """

    distances: np.ndarray
    assigned: np.ndarray
    totals: np.ndarray


class Source:
    """The spectra from which resamples are drawn, for their prototypes and for PCA.

    Values with inverse variance 0 are replaced, in every resample, by those that the eigenspectra
    of all spectra predict.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_wave)
        The spectra.
    inverse_variance : ndarray of shape (n_spectra, n_wave) or None
        Their weights.
    members : list of str
        The class of each.
    n_eigenspectra : int
        How many eigenspectra PCA takes.
    """

    def __init__(
        self,
        flux: np.ndarray,
        inverse_variance: np.ndarray | None,
        members: list[str],
        n_eigenspectra: int,
    ):
        self.flux, self.inverse_variance = flux, inverse_variance
        self.members, self.n_eigenspectra = np.asarray(members), n_eigenspectra

    @functools.cached_property
    def _in_their_span(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (n_spectra, n) of the spectra in the space that they span, and its axes."""
        flux = self.flux
        if self.inverse_variance is not None and (self.inverse_variance == 0).any():
            flux, _ = pca.without_missing(flux, self.inverse_variance == 0, self.n_eigenspectra)
        U, S, axes = np.linalg.svd(flux, full_matrices=False)
        return U * S, axes

    def prototypes(self, rows: np.ndarray, names: list[str]) -> np.ndarray:
        """The prototypes of these rows, (n_classes, n_wave), in the order of the names."""
        v = None if self.inverse_variance is None else self.inverse_variance[rows]
        curves, _ = prototypes(self.flux[rows], v, list(self.members[rows]))
        return np.array([curves[name] for name in names])

    def eigenspectra(self, rows: np.ndarray) -> np.ndarray:
        """The eigenspectra of these rows, (k, n_wave); 0 where the rows span fewer dimensions."""
        coordinates, axes = self._in_their_span
        drawn = coordinates[rows]
        distinct = len(np.unique(rows))
        k = min(self.n_eigenspectra, distinct - 1)  # they vary about their mean
        found = np.zeros((self.n_eigenspectra, len(axes)))
        if k > 0:
            solver = "arpack" if k < min(drawn.shape) else "full"
            found[:k], _, _ = pca.eigenspectra(drawn, k, solver)
        return found @ axes


def resampled(
    spectra: Source,
    names: list[str],
    counts: np.ndarray,
    components: np.ndarray,
    eigenspectra: np.ndarray,
    metric: str,
) -> dict[str, Resampled]:
    """Distances, assignments and totals of each resample, for NMF and PCA.

    Parameters
    ----------
    spectra : Source
        Those that the resamples draw from.
    names : list of str
        The classes.
    counts : ndarray of int, shape (n_resamples, n_spectra)
        How often each resample has each spectrum.
    components : ndarray of shape (n_resamples, k, n_wave)
        The NMF components of each, in the order of the fit's.
    eigenspectra : ndarray of shape (n_eigenspectra, n_wave)
        Those of all spectra; the resamples' are matched to them.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    dict of Resampled
        By method.
    """
    found: dict[str, list[np.ndarray]] = {"nmf": [], "pca": []}
    for of_resample, own in zip(counts, components, strict=True):
        rows = np.repeat(np.arange(len(of_resample)), of_resample)
        drawn = spectra.prototypes(rows, names)
        axes = spectra.eigenspectra(rows)
        away, _ = comparison.distances(eigenspectra, axes, "rms", signed=True)
        axes = axes[comparison.assign(away)[1]]
        found["nmf"].append(comparison.distances(own, drawn, metric)[0])
        found["pca"].append(comparison.distances(axes, drawn, metric, signed=True)[0])
    shapes = {"nmf": components.shape[1], "pca": len(eigenspectra)}
    return {
        method: _assigned(np.reshape(found[method], (len(counts), k, len(names))))
        for method, k in shapes.items()
    }


def _assigned(distances: np.ndarray) -> Resampled:
    of_each = np.full(distances.shape[:2], NO_CLASS)
    totals = np.empty(len(distances))
    for i, distance in enumerate(distances):
        pairs = comparison.assign(distance)
        of_each[i, pairs[0]] = pairs[1]
        totals[i] = distance[pairs].sum()
    return Resampled(distances, of_each, totals)


def table(
    found: dict[str, Resampled], noise: np.ndarray | None, names: list[str], metric: str
) -> Table:
    """The errors of every distance, a row for each method, component and class.

    Parameters
    ----------
    found : dict of Resampled
        By method.
    noise : ndarray of shape (n_resamples, k, n_classes) or None
        Distances of the NMF components of resamples of the noise.
    names : list of str
        The classes.
    metric : {"rms", "angle"}
        The distance.

    Returns
    -------
    Table
        `standard_error` is the standard deviation of the distance over resamples of the spectra,
        `noise_error` that over resamples of the noise, and `same_assignment` the share of the
        former in which the component is assigned to the class.  NaN where there are none.
    """
    rows = []
    for method, of_method in found.items():
        distances = of_method.distances
        for i, j in np.ndindex(distances.shape[1:]):
            share = (of_method.assigned[:, i] == j).mean() if len(distances) else np.nan
            of_noise = np.nan
            if method == "nmf" and noise is not None:
                of_noise = standard_error(noise[:, i, j])
            error = standard_error(distances[:, i, j])
            rows.append((method, component_names(i + 1)[i], names[j], error, of_noise, share))
    columns = "method", "component", "class", *ERRORS
    return Table(rows=rows, names=columns, meta={"metric": metric})


def distances_of_noise(
    components: np.ndarray, prototypes: np.ndarray, metric: str
) -> np.ndarray | None:
    """Distances of components (n_resamples, k, n_wave) to fixed prototypes; None of none."""
    if not len(components):
        return None
    return np.array([comparison.distances(own, prototypes, metric)[0] for own in components])


def of_components(resamples: Resamples, wavelength: np.ndarray) -> Table:
    """Standard errors of the components over wavelength, NaN without resamples.

    A column for each component, and another with `_noise` for resamples of the noise.
    """
    columns: dict[str, Any] = {"wavelength": wavelength * units.Angstrom}
    for suffix, components in (("", resamples.components), ("_noise", resamples.noise)):
        if suffix and not len(components):
            continue
        names = component_names(components.shape[1])
        for name, curves in zip(names, np.moveaxis(components, 1, 0), strict=True):
            some = len(curves) > 1
            errors = curves.std(axis=0, ddof=1) if some else np.full(len(wavelength), np.nan)
            columns[name + suffix] = [rounded(value) for value in errors]
    return Table(columns)


def standard_error(values: np.ndarray) -> float:
    """The standard deviation of resamples' values (n_resamples,), NaN of fewer than two."""
    return rounded(values.std(ddof=1)) if len(values) > 1 else np.nan


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def totals(found: dict[str, Resampled], n_not_converged: int) -> dict[str, Any]:
    """The errors of the total distances, and of the paired difference between NMF and PCA.

    Parameters
    ----------
    found : dict of Resampled
        By method.
    n_not_converged : int
        How many of the resamples' fits stopped before their tolerance.

    Returns
    -------
    dict
        Its numbers are None where there are no resamples.
    """
    n = len(found["nmf"].totals)
    said: dict[str, Any] = {"n_resamples": n, "n_not_converged": n_not_converged}
    difference = found["pca"].totals - found["nmf"].totals
    for name, values in (
        ("nmf_total_distance", found["nmf"].totals),
        ("pca_total_distance", found["pca"].totals),
        ("pca_minus_nmf", difference),
    ):
        said[name] = (
            {
                "mean": rounded(values.mean()),
                "standard_error": standard_error(values),
                "least": rounded(values.min()),
                "largest": rounded(values.max()),
            }
            if n > 1
            else None
        )
    said["share_of_resamples_with_nmf_nearer"] = float((difference > 0).mean()) if n > 1 else None
    return said


def in_words(totals: dict[str, Any]) -> str:
    """The totals over resamples in a line."""
    n = totals["n_resamples"]
    if n < 2:
        return "no resamples: bootstrap.n_resamples is 0"
    nmf, pca = (totals[f"{method}_total_distance"] for method in ("nmf", "pca"))
    missed = totals["n_not_converged"]
    return (
        f"over {n} resamples the total distance of NMF has a standard error of "
        f"{nmf['standard_error']:.2f}, that of PCA {pca['standard_error']:.2f}"
        + (f"; {missed} fits did not converge" if missed else "")
    )
