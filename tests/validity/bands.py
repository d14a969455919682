"""How often bands around components hold the truth, and what the estimate is on average."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from synthetic import COMPONENTS, Truth, mixtures, with_noise

from spectralunmix import bootstrap, smooth_nmf
from spectralunmix.comparison import in_order_of

N_SPECTRA, K, NOISE = 80, 3, 0.01
# Kind of components, and concentration of the Dirichlet distribution of their shares. Below 1 many
# spectra are nearly pure, and the components are determined; above 1 none is.
MIXTURES = {"identifiable": ("smooth", 0.3), "overlapping": ("lines", 2.0)}
SMOOTHNESS = 0.0, 1.0, 10.0
N_DRAWS = 24  # of the data, each with a bootstrap
N_DRAWS_OF_NOISE = 12
N_FITS = 80  # of further draws, whose mean is the estimator's limit
N_RESAMPLES = 200
N_RESAMPLES_OF_NOISE = 60
SHOWN = 0.02  # bands are counted where the true component is above this share of its maximum
TOL = 1e-6
WIDTHS = {"68": 1.0, "95": 2.0}  # of estimate +- standard errors
TAILS = {"68": 0.16, "95": 0.025}  # of percentiles


def measured() -> list[dict[str, Any]]:
    """Each mixture and smoothness, of spectra drawn anew and of noise drawn anew."""
    found = []
    for resample, smoothnesses in (("spectra", SMOOTHNESS), ("noise", SMOOTHNESS[:2])):
        for mixture in MIXTURES:
            for smoothness in smoothnesses:
                case = {"resample": resample, "mixture": mixture, "smoothness": smoothness}
                found.append({**case, **coverage(resample, mixture, smoothness)})
                print(found[-1], flush=True)
    return found


def draws(resample: str, mixture: str, n: int) -> Iterator[tuple[Truth, np.ndarray]]:
    """Truth and data, n times: other spectra of the same components, or other noise on the same."""
    kind, concentration = MIXTURES[mixture]
    rng = np.random.default_rng(1)
    pure = COMPONENTS[kind](rng, K)
    truth = mixtures(rng, pure, N_SPECTRA, NOISE, concentration)
    for _ in range(n):
        if resample == "spectra":
            truth = mixtures(rng, pure, N_SPECTRA, NOISE, concentration)
        yield truth, with_noise(rng, truth)


def fit(truth: Truth, X: np.ndarray, smoothness: float) -> np.ndarray:
    """The components, in the order of the true ones."""
    made = smooth_nmf(X, K, smoothness=smoothness, tol=TOL).components
    return in_order_of(truth.components, made)


def coverage(resample: str, mixture: str, smoothness: float) -> dict[str, Any]:
    """How often each band holds the truth and the limit; the standard errors beside the spread."""
    n_draws = N_DRAWS if resample == "spectra" else N_DRAWS_OF_NOISE
    every = list(draws(resample, mixture, n_draws + N_FITS))
    estimates = np.stack([fit(*draw, smoothness) for draw in every])
    limit = estimates[n_draws:].mean(axis=0)
    spread = estimates[n_draws:].std(axis=0, ddof=1)
    true = every[0][0].components
    shown = true > SHOWN
    held: dict[str, list[float]] = {}
    squares = []
    for (truth, X), estimate in zip(every[:n_draws], estimates, strict=False):
        resamples = resampled(truth, X, estimate, smoothness, resample)
        squares.append(np.square(resamples.std(axis=0, ddof=1))[shown].mean())
        for name, (low, high) in bands(estimate, resamples).items():
            for of, values in (("truth", true), ("limit", limit)):
                within = (low <= values) & (values <= high)
                held.setdefault(f"{name} {of}", []).append(float(within[shown].mean()))
    return {
        "n_draws": n_draws,
        "standard_error": float(np.sqrt(np.mean(squares))),
        "spread": float(np.sqrt(np.square(spread)[shown].mean())),
        "bias": float(np.sqrt(np.square(limit - true)[shown].mean())),
        # channels of a draw hold or miss together, so draws are what is counted
        "held": {
            name: [float(np.mean(share)), float(np.std(share, ddof=1) / np.sqrt(n_draws))]
            for name, share in held.items()
        },
    }


def resampled(
    truth: Truth, X: np.ndarray, estimate: np.ndarray, smoothness: float, resample: str
) -> np.ndarray:
    """The components of the resamples, (n_resamples, k, n_wave)."""
    noise = resample == "noise"
    return bootstrap(
        X,
        estimate,
        smoothness=smoothness,
        inverse_variance=np.full(X.shape, truth.noise**-2) if noise else None,
        resample=resample,
        n_resamples=N_RESAMPLES_OF_NOISE if noise else N_RESAMPLES,
        tol=TOL,
    ).components


def bands(estimate: np.ndarray, resamples: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lower and upper ends of each kind of band, each (k, n_wave)."""
    made = {}
    error = resamples.std(axis=0, ddof=1)
    for level, width in WIDTHS.items():
        made[f"standard error {level}"] = estimate - width * error, estimate + width * error
    for level, tail in TAILS.items():
        low, high = np.quantile(resamples, [tail, 1 - tail], axis=0)
        made[f"percentile {level}"] = low, high
        made[f"basic {level}"] = 2 * estimate - high, 2 * estimate - low
        made[f"bias-corrected {level}"] = bias_corrected(estimate, resamples, tail)
    return made


def bias_corrected(
    estimate: np.ndarray, resamples: np.ndarray, tail: float
) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles moved by twice the median bias of the resamples (Efron 1981)."""
    n = len(resamples)
    below = (resamples < estimate).sum(axis=0) + (resamples == estimate).sum(axis=0) / 2
    shift = 2 * ndtri(np.clip(below / n, 0.5 / n, 1 - 0.5 / n))
    ordered = np.sort(resamples, axis=0)
    ends = []
    for share in (tail, 1 - tail):
        place = np.rint(ndtr(shift + ndtri(share)) * (n - 1)).astype(int)
        ends.append(np.take_along_axis(ordered, place[None], axis=0)[0])
    return ends[0], ends[1]
