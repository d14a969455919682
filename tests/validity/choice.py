"""How often rules find the number of components of spectra that were made with a known one."""

import dataclasses
import itertools
import time
from typing import Any

import numpy as np
from synthetic import COMPONENTS, N_WAVE, Truth, mixtures, with_a_rare_component, with_noise

from spectralunmix import cross_validate
from spectralunmix.model_selection import CrossValidation

TRIED = range(1, 9)  # numbers of components
SMOOTHNESS = [0.0]
N_DIVISIONS = 3  # of the spectra into folds: each alone, and their mean
N_STARTS = 3
TOL = 1e-5
LOOSE = 1e-3  # to see what the tolerance matters
# Sets of 80 spectra by noise, of each kind of noise, kind of components and number of them
SETS = {0.005: 2, 0.01: 3, 0.02: 3, 0.05: 2}
SETS_OF_1000 = {0.01: 1, 0.05: 1}

# Sets of 80 spectra of three components, of which one is in so many spectra only
CARRIERS = 2, 4, 6, 8, 12
DRAWS_OF_RARE = 2
TRIED_OF_RARE = range(1, 6)


def sets() -> list[dict[str, Any]]:
    """What each set is made with."""
    made = []
    for n_spectra, numbers in ((80, SETS), (1000, SETS_OF_1000)):
        for noise, n_draws in numbers.items():
            kinds = itertools.product((False, True), COMPONENTS, (3, 5), range(n_draws))
            for correlated, components, k, draw in kinds:
                entry = {"n_spectra": n_spectra, "noise": noise, "correlated": correlated}
                made.append({**entry, "components": components, "k": k, "draw": draw})
    return made


def measured() -> list[dict[str, Any]]:
    """Each set with the number of components that each rule chooses."""
    found = []
    for made in sets():
        began = time.perf_counter()
        found.append({**made, "chosen": of_set(made)})
        print(found[-1], f"{time.perf_counter() - began:.1f} s", flush=True)
    return found


def of_set(made: dict[str, Any]) -> dict[str, int]:
    """The number of components that each rule chooses for such a set."""
    seed = [made["n_spectra"], round(1000 * made["noise"]), made["correlated"], made["k"]]
    seed += [list(COMPONENTS).index(made["components"]), made["draw"]]
    rng = np.random.default_rng(seed)
    pure = COMPONENTS[made["components"]](rng, made["k"])
    truth = mixtures(rng, pure, made["n_spectra"], made["noise"])
    return choices(with_noise(rng, truth, made["correlated"]), truth)


def rare() -> list[dict[str, Any]]:
    """The same where few spectra carry one of three components."""
    found = []
    kinds = itertools.product(CARRIERS, (0.01, 0.05), COMPONENTS, range(DRAWS_OF_RARE))
    for carriers, noise, components, draw in kinds:
        rng = np.random.default_rng([carriers, round(1000 * noise), draw])
        truth = mixtures(rng, COMPONENTS[components](rng, 3), 80, noise)
        X = with_noise(rng, with_a_rare_component(truth, carriers))
        mean = cross_validate(
            X, TRIED_OF_RARE, SMOOTHNESS, n_repeats=N_DIVISIONS, n_starts=0, tol=TOL
        )
        chosen = {
            "two standard errors": number(mean, 2),
            "one standard error": number(mean, 1),
            "least error": int(mean.n_components[mean.least()[0]]),
        }
        made = {"carriers": carriers, "noise": noise, "components": components, "draw": draw}
        found.append({**made, "k": 3, "chosen": chosen})
        print(found[-1], flush=True)
    return found


def choices(X: np.ndarray, truth: Truth) -> dict[str, int]:
    """The number of components of each rule."""
    divisions = [
        cross_validate(
            X,
            TRIED,
            SMOOTHNESS,
            n_repeats=1,
            n_starts=0 if division else N_STARTS,
            tol=TOL,
            random_state=division,
        )
        for division in range(N_DIVISIONS)
    ]
    first = divisions[0]
    mean = dataclasses.replace(first, errors=np.mean([d.errors for d in divisions], axis=0))
    loose = cross_validate(X, TRIED, SMOOTHNESS, n_repeats=1, n_starts=0, tol=LOOSE)
    v = np.full(X.shape, truth.noise**-2)
    with_variance = cross_validate(
        X, TRIED, SMOOTHNESS, inverse_variance=v, n_folds=2, n_repeats=1, n_starts=0, tol=TOL
    )
    return {
        "two standard errors": number(mean, 2),
        "two standard errors, one division": number(first, 2),
        "one standard error": number(mean, 1),
        "one standard error, one division": number(first, 1),
        "one standard error, one division, tol 1e-3": number(loose, 1),
        "least error": int(mean.n_components[mean.least()[0]]),
        "chi2": by_chi2(with_variance.reduced_chi2[:, 0], X.shape),
        **by_stability(first.subsample_distance[:, 0], first.same_minimum[:, 0]),
    }


def number(of: CrossValidation, n_standard_errors: float) -> int:
    """By the paired rule of so many standard errors."""
    return int(of.n_components[of.chosen(n_standard_errors)[0]])


def by_chi2(reduced: np.ndarray, shape: tuple[int, int]) -> int:
    """The fewest components whose reduced chi^2 is at most two standard deviations above 1.

    0 where none is.
    """
    k = np.array(TRIED)
    free = shape[0] * N_WAVE - k * (shape[0] + N_WAVE - k)
    low = reduced <= 1 + 2 * np.sqrt(2 / free)
    return int(k[low][0]) if low.any() else 0


def by_stability(distance: np.ndarray, same_minimum: np.ndarray) -> dict[str, int]:
    """By components that stay the same: over subsamples, and from other starts."""
    k = np.array(TRIED)
    several = k > 1  # one component is always stable
    differ = several & (same_minimum < 1)
    return {
        "least distance of subsamples": int(k[several][distance[several].argmin()]),
        "before its steepest rise": int(k[np.diff(distance).argmax()]),
        "last before starts differ": int(k[differ][0]) - 1 if differ.any() else int(k[-1]),
    }
