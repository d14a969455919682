"""The number of components and the smoothness that a cross-validation chooses, in words."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from spectralunmix import CrossValidation
from spectralunmix.model_selection import standard_error

BY_SMOOTHNESS = [
    field.name
    for field in dataclasses.fields(CrossValidation)
    if field.name not in ("n_components", "smoothness")
]
SAME_ERROR = 1e-9  # relative to the error of the choice: a smaller difference is rounding
SAME_COMPONENTS = 0.02  # mean distance: below it, curves lie over each other in a figure


def as_table(found: CrossValidation, uncertain: bool) -> Table:
    """A row for each number of components and smoothness, `errors` by spectrum.

    Parameters
    ----------
    found : CrossValidation
    uncertain : bool
        Whether the inverse variance is that of the noise, and not of a mask alone.
    """
    k, smoothness = np.meshgrid(found.n_components, found.smoothness, indexing="ij")
    columns = {name: getattr(found, name) for name in BY_SMOOTHNESS}
    if not uncertain:
        columns["reduced_chi2"] = np.full(k.shape, np.nan)
    flat = {
        name: np.reshape(values, (k.size, *values.shape[2:])) for name, values in columns.items()
    }
    meta = {"UNCERTAI": uncertain}
    return Table({"n_components": k.ravel(), "smoothness": smoothness.ravel(), **flat}, meta=meta)


def of_tables(tables: Sequence[Table]) -> tuple[CrossValidation, bool]:
    """Join the cross-validations of tables, and tell whether the spectra have uncertainties."""
    parts = []
    for table in tables:
        n_components, smoothness = (np.unique(table[n]) for n in ("n_components", "smoothness"))
        shape = len(n_components), len(smoothness)
        values = {
            name: np.reshape(np.asarray(table[name]), (*shape, *table[name].shape[1:]))
            for name in BY_SMOOTHNESS
        }
        parts.append(CrossValidation(n_components, smoothness, **values))
    return CrossValidation.joined(parts), bool(tables[0].meta["UNCERTAI"])


def errors_in_words(found: CrossValidation) -> str:
    """The root of the mean error at each smoothness, in a line."""
    of_each = zip(found.smoothness, np.sqrt(found.mean[0]), strict=True)
    return "held-out rms " + ", ".join(f"{error:.4g} at lambda = {lam:g}" for lam, error in of_each)


def for_readers(found: CrossValidation) -> Table:
    """A row for each number of components and smoothness, for readers.

    `rms` is the root of `error`, the mean held-out error.
    """
    made = as_table(found, uncertain=True)
    made.remove_column("errors")
    made.add_column(found.mean.ravel(), name="error", index=2)
    made.add_column(found.standard_error.ravel(), name="standard_error", index=3)
    made.add_column(np.sqrt(found.mean.ravel()), name="rms", index=4)
    made.meta = {}
    return made


def summary(
    found: CrossValidation, n_components: int, smoothness: float, uncertain: bool
) -> dict[str, Any]:
    """The choice of a cross-validation, beside the configured values, in numbers and in words.

    Parameters
    ----------
    found : CrossValidation
        The configured values have to be among its own.
    n_components : int
        The number of components that is configured.
    smoothness : float
        The smoothness that is configured.
    uncertain : bool
        Whether the spectra have uncertainties.

    Returns
    -------
    dict
    """
    least, chosen, within_one = found.least(), found.chosen(), found.chosen(1.0)
    configured = (
        int(np.flatnonzero(found.n_components == n_components)[0]),
        int(np.flatnonzero(found.smoothness == smoothness)[0]),
    )
    places = {"chosen": chosen, "within_one_standard_error": within_one, "least": least}
    places["configured"] = configured
    said = {name: _numbers(found, at) for name, at in places.items()}
    words = [
        _choice(found, least, within_one, chosen),
        _configured(found, configured, chosen),
        _gains(found, configured),
        _floor(found, configured, uncertain),
        _stability(found, configured),
        _ended(found),
    ]
    return {
        **said,
        "uncertainties": uncertain,
        "in_words": [sentence for sentence in words if sentence],
    }


def _numbers(found: CrossValidation, at: tuple[int, int]) -> dict[str, Any]:
    """The numbers at a place of the grid."""
    return {
        "n_components": int(found.n_components[at[0]]),
        "smoothness": float(found.smoothness[at[1]]),
        "rms": float(f"{np.sqrt(found.mean[at]):.6g}"),
        "error": float(f"{found.mean[at]:.6g}"),
        "standard_error": float(f"{found.standard_error[at]:.4g}"),
    }


def _named(found: CrossValidation, at: tuple[int, int]) -> str:
    return f"{_components(found, at[0])} at lambda = {found.smoothness[at[1]]:g}"


def _components(found: CrossValidation, place: int) -> str:
    k = int(found.n_components[place])
    return f"{k} component{'s' * (k > 1)}"


def _choice(
    found: CrossValidation,
    least: tuple[int, int],
    within_one: tuple[int, int],
    chosen: tuple[int, int],
) -> str:
    """A sentence on the choice, also with one standard error, and on the edges of the grid."""
    said = (
        f"Spectra that were held out are explained best by {_named(found, least)} "
        f"(rms {np.sqrt(found.mean[least]):.3g})"
    )
    if within_one not in (least, chosen):
        said += f"; {_named(found, within_one)} do as well within one standard error"
    if chosen != least:
        said += f"; the choice, the fewest components within two, is {_named(found, chosen)}"
        if chosen == within_one:
            said += ", and within one as well"
    return said + "".join(f". {sentence}" for sentence in _edges(found, least, chosen))


def _edges(
    found: CrossValidation, least: tuple[int, int], chosen: tuple[int, int]
) -> Iterator[str]:
    """Sentences where the choice, or the least error, is at an edge of the grid."""
    for at, name in ((chosen, "choice"), (least, "least error")):
        if at[0] == len(found.n_components) - 1 > 0:
            yield (
                f"The {name} is at the largest number compared, so this grid does not bound the "
                "number of components"
            )
            break
    if chosen[1] == len(found.smoothness) - 1 > 0:
        yield "The choice is at the largest smoothness compared, so this grid does not bound it"


def _configured(
    found: CrossValidation, configured: tuple[int, int], chosen: tuple[int, int]
) -> str:
    """How the configured values compare with the chosen ones, paired spectrum by spectrum."""
    if configured == chosen:
        return f"That is what is configured: {_named(found, configured)}"
    difference = found.errors[configured] - found.errors[chosen]
    away, error = np.nanmean(difference), standard_error(difference)
    said = f"Configured: {_named(found, configured)} (rms {np.sqrt(found.mean[configured]):.3g})"
    if not abs(away) > SAME_ERROR * found.mean[chosen]:
        return f"{said}, with the same error as the choice"
    return (
        f"{said}; the mean square error is {abs(away) / found.mean[chosen]:.0%} "
        f"{'larger' if away > 0 else 'smaller'} than that of the choice, which is "
        f"{abs(away) / error:.1f} standard errors of the difference"
        + (": no more than chance" if abs(away) < 2 * error else "")
    )


def _gains(found: CrossValidation, configured: tuple[int, int]) -> str:
    """By how much the error falls from the number before the configured one, and to the next."""
    k, column = configured[0], found.mean[:, configured[1]]
    said = [
        f"from {found.n_components[i - 1]} to {found.n_components[i]} components by "
        f"{column[i] / column[i - 1] - 1:+.0%}"
        for i in (k, k + 1)
        if 0 < i < len(column)
    ]
    if not said:
        return ""
    lam = f"lambda = {found.smoothness[configured[1]]:g}"
    return f"At {lam} the mean square error changes {', '.join(said)}"


def _floor(found: CrossValidation, configured: tuple[int, int], uncertain: bool) -> str:
    """A sentence on reduced chi^2, or that the noise is not known."""
    if not uncertain:
        return (
            "The spectra come without uncertainties, so there is no telling where their noise "
            "begins: without noise further components explain ever finer detail, and a fall of "
            "the error alone does not make a component real"
        )
    chi2 = found.reduced_chi2[:, configured[1]]
    at = chi2[configured[0]]
    if not np.isfinite(at):
        return "There are not enough pixels for a reduced chi^2 of so many components"
    said = f"With the configured values the fit of all spectra has a reduced chi^2 of {at:.3g}"
    above = np.flatnonzero(chi2 > 1)
    if not len(above):
        return f"{said}, and with any number not above 1: are the uncertainties too large?"
    below = np.flatnonzero(chi2 <= 1)
    if not len(below):
        return f"{said}; it stays above 1 with any number compared"
    return f"{said}; it comes to 1 with {_components(found, below[0])}"


def _stability(found: CrossValidation, configured: tuple[int, int]) -> str:
    """A sentence on other starts and on subsamples."""
    distance = found.subsample_distance[configured]
    said = (
        f"Without the spectra held out the configured components, whose maximum is 1, move by "
        f"{distance:.2g} (rms)"
    )
    unstable = np.flatnonzero(found.subsample_distance[:, configured[1]] > SAME_COMPONENTS)
    if len(unstable) and unstable[0] != configured[0]:
        said += f", those of {_components(found, unstable[0])} by more than {SAME_COMPONENTS:g}"
    same = found.same_minimum[configured]
    if np.isfinite(same):
        said += f"; {same:.0%} of the other starts end at the same minimum"
    return said


def _ended(found: CrossValidation) -> str:
    """A sentence on fits that stopped before their tolerance, so that errors are too large."""
    missed = int(found.n_not_converged.sum())
    if not missed:
        return ""
    return (
        f"{missed} of the fits stopped at smooth_nmf.max_iter before their tolerance: their errors "
        "are larger than they need be, and more components can look better than they are"
    )
