"""What holds of every fit, on problems of any shape, scale, mask and smoothness."""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from written_out import objective, optimality, projected, unit_length

from spectralunmix import smooth_nmf, unmix
from spectralunmix.nmf import solver
from spectralunmix.nmf.data import Spectra

ROUNDING = 1e-12  # of F, relative to the sum of v X^2
SMOOTHNESS = st.sampled_from([0.0, 0.0, 1e-3, 0.3, 10.0, 1e4, 1e9])
MOST = 290  # of the exponent of ten of a sum of v X^2


def examples(n):
    """So many, the same in each run."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(
        max_examples=n, derandomize=True, deadline=None, database=None, suppress_health_check=checks
    )


class Problem(NamedTuple):
    """X and v at ordinary scale, v None for 1 throughout, and how many components to find."""

    X: np.ndarray
    v: np.ndarray | None
    k: int
    seed: int

    @property
    def rng(self):
        return np.random.default_rng(self.seed)

    @property
    def ones(self):
        return np.ones_like(self.X) if self.v is None else self.v

    @property
    def sum_of_squares(self):
        return float((self.ones * np.square(self.X)).sum())

    def spectra(self):
        return Spectra(*(None if Z is None else torch.from_numpy(Z) for Z in (self.X, self.v)))


def spectra_of(kind, n, m, rng):
    mixture = rng.gamma(0.7, size=(n, 3)) @ rng.random((3, m))
    return {
        "mixture": lambda: mixture,
        "noisy": lambda: mixture + 0.3 * rng.standard_normal((n, m)),
        "noise": lambda: rng.standard_normal((n, m)),
        "sparse": lambda: rng.random((n, m)) * (rng.random((n, m)) > 0.7),
        "faint": lambda: mixture * 10.0 ** rng.uniform(-12, 0, (n, 1)),
        "lines": lambda: 1 - rng.random((n, 1)) * rng.integers(0, 2, (n, m)),
    }[kind]()


KINDS = st.sampled_from(["mixture", "noisy", "noise", "sparse", "faint", "lines"])


@st.composite
def problems(draw, kinds=KINDS, least=1, masked=(0.0, 0.2, 0.6), values_of_each=1):
    """values_of_each : at the least, spectra and channels for each component."""
    n, m = draw(st.integers(least, 14)), draw(st.integers(least, 24))
    k, seed = draw(st.integers(1, min(n, m, 8) // values_of_each)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    X, v = spectra_of(draw(kinds), n, m, rng), None
    if draw(st.booleans()):
        v = 10.0 ** rng.uniform(0, draw(st.sampled_from([0, 2, 6])), (n, m))
        v[rng.random((n, m)) < draw(st.sampled_from(masked))] = 0
        if 0.6 in masked and draw(st.booleans()):
            v[rng.integers(n)], v[:, rng.integers(m)] = 0, 0
    assume((np.where(1 if v is None else v, X, 0) > 0).any())
    return Problem(X, v, k, seed)


@st.composite
def units(draw):
    """Exponents of ten of X and of v, such that those of their sums of squares are numbers."""
    x = draw(st.integers(-150, 150))
    v = draw(st.integers(max(-150, -MOST - 2 * x), min(150, MOST - 2 * x)))
    return x, v


def is_number(problem, unit):
    """Whether the sum of squares is one in this unit."""
    return abs(np.log10(problem.sum_of_squares) + 2 * unit[0] + unit[1]) < MOST + 10


def fitted(problem, smoothness, unit=(0, 0), **settings):
    """A fit of them in a unit, and its weights and components in the ordinary one."""
    x, v = (10.0**exponent for exponent in unit)
    weights = None if problem.v is None else v * problem.v
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few iterations, and of empty components
        of = {"smoothness": smoothness, "inverse_variance": weights, "random_state": 0} | settings
        result = smooth_nmf(x * problem.X, problem.k, **of)
    return result, result.weights / x, result.components


@examples(250)
@given(problems(), SMOOTHNESS, units(), st.sampled_from(["nndsvd", "spa", "random"]), st.booleans())
def test_a_fit_is_feasible_monotone_and_what_it_says(problem, smoothness, unit, init, paper):
    scheme = "proximal_gradient" if paper else "anticipation"
    of = {"init": init, "max_iter": 12, "solver": scheme}
    unit = unit if problem.v is not None else (np.clip(unit[0], -140, 140), 0)
    assume(is_number(problem, unit))
    result, W, H = fitted(problem, smoothness, unit, **of)
    X, v = problem.X, problem.v
    assert np.isfinite(W).all()
    assert (W >= 0).all()
    assert (H >= 0).all()
    assert set(H.max(axis=1)) <= {0.0, 1.0}
    scale, rounding = 10.0 ** (2 * unit[0] + unit[1]), ROUNDING * problem.sum_of_squares
    F = result.objective / scale
    assert (np.diff(F) <= rounding).all()
    assert abs(objective(X, W, H, smoothness, v) - F[-1]) <= rounding
    if not W.any(axis=0).all():
        return  # the length of an empty component, which optimality counts, is not known
    at_the_end = optimality(X, *unit_length(X, W, H, v), smoothness, v)
    np.testing.assert_allclose(
        result.optimality[-1], at_the_end, rtol=1e-6, atol=1e-12 * (1 + smoothness)
    )


@examples(100)
@given(
    problems(),
    SMOOTHNESS,
    st.integers(-200, 200),
    st.integers(-200, 200),
    st.sampled_from(["spa", "random"]),  # NNDSVD takes the root of X's unit, and its mean beside it
)
def test_a_unit_of_an_even_power_of_two_changes_nothing(problem, smoothness, of_X, of_v, init):
    """Of X, and of v: so that square roots are exact, and no rounding is to be told from it."""
    of_X, of_v = 2 * of_X, 2 * of_v * (problem.v is not None)
    assume(abs(2 * of_X + of_v) < 900)
    of = {"max_iter": 8, "init": init}
    result, W, H = fitted(problem, smoothness, **of)
    v = None if problem.v is None else np.ldexp(problem.v, of_v)
    scaled = problem._replace(X=np.ldexp(problem.X, of_X), v=v)
    other, W_of, H_of = fitted(scaled, smoothness, **of)
    np.testing.assert_allclose(H_of, H, rtol=1e-9, atol=1e-12)
    model = W @ H  # the weights of an empty component are without meaning
    np.testing.assert_allclose(np.ldexp(W_of @ H_of, -of_X), model, rtol=1e-9, atol=1e-12)
    unit, rounding = 2.0 ** (2 * of_X + of_v), ROUNDING * problem.sum_of_squares
    np.testing.assert_allclose(other.objective / unit, result.objective, atol=rounding)


@st.composite
def batches(draw):
    """A problem that rounding hardly changes, and a start and a smoothness of each fit."""
    problem = draw(problems(st.just("noisy"), 8, (0.0, 0.1), values_of_each=4))
    n = draw(st.integers(2, 5))
    starts = problem.rng.random((n, problem.k, problem.X.shape[1])) + 0.1
    ordinary = SMOOTHNESS.filter(lambda value: value < 1e6)  # more is less told from rounding
    lam = np.array(draw(st.lists(ordinary, min_size=n, max_size=n)))
    return problem, torch.from_numpy(starts), lam


def solved(problem, H, smoothness, **of):
    return solver.solve(problem.spectra(), H, smoothness, **{"max_iter": 3, "tol": 1e-12} | of)


def check_same(fit, other, order=slice(None)):
    """To rounding, with W's columns in another order."""
    assert fit.n_iter == other.n_iter
    F, expected = ([value for _, value in each.objective] for each in (fit, other))
    np.testing.assert_allclose(F, expected, rtol=1e-7, atol=1e-9 * F[0])
    np.testing.assert_allclose(fit.H, other.H, rtol=1e-4, atol=1e-5 * other.H.max())
    np.testing.assert_allclose(fit.W[:, order], other.W, rtol=1e-4, atol=1e-5 * other.W.max())


@examples(100)
@given(batches())
def test_a_fit_in_a_batch_is_the_fit_alone_whatever_their_order(batch):
    problem, H, lam = batch
    together, reverse = solved(problem, H, lam), solved(problem, H.flip(0), lam[::-1].copy())
    for i, fit in enumerate(together):
        (alone,) = solved(problem, H[i : i + 1], lam[i : i + 1])
        check_same(fit, alone)
        check_same(reverse[len(lam) - 1 - i], alone)


@examples(100)
@given(batches())
def test_the_order_of_the_spectra_does_not_matter(batch):
    problem, H, lam = batch
    order = problem.rng.permutation(len(problem.X))
    v = None if problem.v is None else problem.v[order]
    for fit, moved in zip(
        solved(problem, H, lam),
        solved(problem._replace(X=problem.X[order], v=v), H, lam),
        strict=True,
    ):
        check_same(fit, moved, order)


@examples(400)
@given(problems(), SMOOTHNESS, units(), st.booleans())
def test_unmixed_weights_are_optimal(problem, smoothness, unit, negative):
    """By the conditions of Karush, Kuhn and Tucker, spectrum by spectrum."""
    assume(is_number(problem, unit))
    x, of_v = (10.0**exponent for exponent in unit)
    X, v, rng = problem.X, problem.ones, problem.rng
    H = rng.random((problem.k, X.shape[1])) - (0.5 if negative else 0)
    W = unmix(x * X, H, smoothness=smoothness, inverse_variance=of_v * v) / x
    assert (W >= 0).all()
    rough = np.square(np.diff(H)).sum(axis=1)
    for w, spectrum, u in zip(W, X, v, strict=True):
        mean = u[u > 0].mean() if u.any() else 0.0
        product = (u * spectrum) @ H.T
        terms = (u * H) @ H.T @ w + smoothness * mean * rough * w
        size = np.abs(product).max() + (np.abs(u * H) @ np.abs(H.T) @ w).max()
        assert np.abs(projected(terms - product, w)).max() <= 1e-9 * size
