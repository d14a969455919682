"""What a cross-validation says of the number of components and the smoothness, in words."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from spectralunmix import CrossValidation

BY_SMOOTHNESS = [
    field.name
    for field in dataclasses.fields(CrossValidation)
    if field.name not in ("n_components", "smoothness")
]
SAME_COMPONENTS = 0.02  # mean distance; below it the curves lie over each other in a figure


def as_table(found: CrossValidation, uncertain: bool) -> Table:
    """A row for each number of components and smoothness, `errors` by spectrum.

    Parameters
    ----------
    found : CrossValidation
    uncertain : bool
        Whether the weights are those of uncertainties, and not of a mask alone.
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
    """The cross-validation of such tables together, and whether weights are of uncertainties."""
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


def table(found: CrossValidation) -> Table:
    """A row for each number of components and smoothness, for readers.

    `rms` is the root of `error`, the mean square that is left of held-out spectra.
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
    """What the cross-validation chooses, beside what is configured, in numbers and in words.

    Parameters
    ----------
    found : CrossValidation
        With the configured values among its own.
    n_components : int
        The number of components that is configured.
    smoothness : float
        The smoothness that is configured.
    uncertain : bool
        Whether the weights are those of uncertainties.

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
    ]
    return {
        **said,
        "uncertainties": uncertain,
        "in_words": [sentence for sentence in words if sentence],
    }


def _numbers(found: CrossValidation, at: tuple[int, int]) -> dict[str, Any]:
    """What stands at one place of the grid."""
    return {
        "n_components": int(found.n_components[at[0]]),
        "smoothness": float(found.smoothness[at[1]]),
        "rms": float(f"{np.sqrt(found.mean[at]):.6g}"),
        "error": float(f"{found.mean[at]:.6g}"),
        "standard_error": float(f"{found.standard_error[at]:.4g}"),
    }


def _named(found: CrossValidation, at: tuple[int, int]) -> str:
    k = int(found.n_components[at[0]])
    return f"{k} component{'s' * (k > 1)} at lambda = {found.smoothness[at[1]]:g}"


def _choice(
    found: CrossValidation,
    least: tuple[int, int],
    within_one: tuple[int, int],
    chosen: tuple[int, int],
) -> str:
    """The choice, that of one standard error where it differs, and whether the grid bounds it."""
    said = (
        f"Spectra that were held out are explained best by {_named(found, least)} "
        f"(rms {np.sqrt(found.mean[least]):.3g})"
    )
    if within_one not in (least, chosen):
        said += f"; {_named(found, within_one)} do as well within one standard error"
    if chosen != least:
        how = "one standard error or two" if chosen == within_one else "two"
        said += f"; the choice, the fewest components within {how}, is {_named(found, chosen)}"
    last = len(found.n_components) - 1
    if chosen[0] == last and last > 0:
        return (
            f"{said}. That is the largest number compared, so this grid does not bound the number "
            "of components"
        )
    return said


def _configured(
    found: CrossValidation, configured: tuple[int, int], chosen: tuple[int, int]
) -> str:
    """How the configured values compare with the chosen ones, paired spectrum by spectrum."""
    if configured == chosen:
        return f"That is what is configured: {_named(found, configured)}"
    difference = found.errors[configured] - found.errors[chosen]
    n = np.isfinite(difference).sum()
    error = np.nanstd(difference, ddof=1) / np.sqrt(n)
    away = np.nanmean(difference) / error if error > 0 else np.inf
    which = "larger" if away > 0 else "smaller"
    return (
        f"Configured: {_named(found, configured)} (rms {np.sqrt(found.mean[configured]):.3g}); the "
        f"mean square error is {abs(found.mean[configured] / found.mean[chosen] - 1):.0%} {which} "
        f"than that of the choice, by {abs(away):.1f} standard errors of the difference"
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
    """What the noise says, or that nothing is known of it."""
    if not uncertain:
        return (
            "The spectra come without uncertainties, so there is no telling where their noise "
            "begins: without noise further components explain ever finer detail, and a fall of "
            "the error alone does not make a component real"
        )
    chi2 = found.reduced_chi2[:, configured[1]]
    if not np.isfinite(chi2).any():
        return "There are not enough pixels for a reduced chi^2"
    below = np.flatnonzero(chi2 <= 1)
    at = f"The reduced chi^2 of the configured fit is {chi2[configured[0]]:.3g}"
    if not len(below):
        return f"{at}, and stays above 1 up to {found.n_components[-1]} components"
    return f"{at}; it comes to 1 with {found.n_components[below[0]]} components"


def _stability(found: CrossValidation, configured: tuple[int, int]) -> str:
    """The second opinion: other starts, and subsamples."""
    distance = found.subsample_distance[configured]
    said = f"Without the spectra held out the configured components move by {distance:.2g} (rms)"
    unstable = found.n_components[found.subsample_distance[:, configured[1]] > SAME_COMPONENTS]
    if len(unstable):
        said += f", with {unstable[0]} components by more than {SAME_COMPONENTS:g}"
    same = found.same_minimum[configured]
    if np.isfinite(same):
        said += f"; {same:.0%} of the other starts end at the same minimum"
    return said
