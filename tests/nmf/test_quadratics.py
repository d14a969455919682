"""Small quadratics' minima and inverses, each implementation against dense linear algebra."""

import numpy as np
import pytest
import scipy.optimize
import torch

from spectralunmix.nmf import device, quadratics
from spectralunmix.nmf.quadratics import MOST_CODED, MOST_TABLED, Quadratics

BATCH, COLUMNS = 2, 15
RANKS = [1, 2, 3, 4, MOST_TABLED, MOST_TABLED + 1, 12]
KINDS = {
    ("cpu", False, 3): "_ByPatterns",
    ("cpu", True, 3): "_ByColumns",
    ("cpu", False, MOST_CODED + 1): "_ByColumns",
    ("device", False, 3): "_ByElimination",
}


class Problem:
    """Least squares in k unknowns: factor z ~ target, a factor a fit, or one a column."""

    def __init__(self, k, per_column=False, columns=COLUMNS, seed=4):
        rng = np.random.default_rng(seed)
        self.factor = rng.random((BATCH, columns if per_column else 1, k + 3, k))
        self.target = rng.standard_normal((BATCH, columns, k + 3))
        self.start = rng.random((BATCH, k, columns)) * (rng.random((BATCH, k, columns)) > 0.4)

    @property
    def each(self):
        """(fit, column, factor, target) of each column."""
        for fit, column in np.ndindex(self.target.shape[:2]):
            factor = self.factor[fit, column if self.factor.shape[1] > 1 else 0]
            yield fit, column, factor, self.target[fit, column]

    @property
    def Q(self):
        return torch.from_numpy((self.factor.swapaxes(2, 3) @ self.factor).transpose(0, 2, 3, 1))

    @property
    def P(self):
        product = self.factor.swapaxes(2, 3) @ self.target[..., None]
        return torch.from_numpy(product[..., 0].swapaxes(1, 2).copy())

    def minimise(self):
        Z, solved = Quadratics(self.Q).minimise(self.P, torch.from_numpy(self.start))
        return Z.numpy(), solved.numpy()

    def exact(self):
        """By Lawson & Hanson's nnls, column by column."""
        Z = np.empty(self.start.shape)
        for fit, column, factor, target in self.each:
            Z[fit, :, column] = scipy.optimize.nnls(factor, target)[0]
        return Z

    def misfits(self, Z):
        return np.array([np.square(f @ Z[i, :, j] - t).sum() for i, j, f, t in self.each])


def patterns(k, columns=COLUMNS):
    """What is free: at random, all and nothing."""
    free = np.random.default_rng(6).random((BATCH, k, columns)) > 0.4
    free[:, :, 0], free[:, :, 1] = True, False
    return free


def dense_inverses(problem, free):
    """Q^-1 on the free entries of each column, (batch, k, k, columns)."""
    k = free.shape[1]
    inverses = np.zeros((BATCH, k, k, free.shape[2]))
    for fit, column, factor, _ in problem.each:
        at = np.ix_(free[fit, :, column], free[fit, :, column])
        inverses[(fit, *at, column)] = np.linalg.inv((factor.T @ factor)[at])
    return inverses


@pytest.mark.parametrize("where", KINDS, ids=str)
def test_each_kind_of_problem_has_its_implementation(where, monkeypatch):
    monkeypatch.setattr(device, "on_cpu", lambda Z: where[0] == "cpu")
    assert type(Quadratics(Problem(where[2], where[1]).Q)).__name__ == KINDS[where]


@pytest.mark.parametrize("k", [*RANKS, MOST_CODED + 1])
@pytest.mark.parametrize("per_column", [False, True])
def test_minima_are_those_of_non_negative_least_squares(k, per_column, implementation):
    problem = Problem(k, per_column)
    Z, solved = problem.minimise()
    exact = problem.exact()
    assert (exact == 0).any()  # the bound is met
    assert solved.all()
    np.testing.assert_allclose(Z, exact, atol=1e-9)
    assert (Z[exact == 0] == 0).all()


@pytest.mark.parametrize(("k", "columns"), [(3, 400), (12, 400), (70, 20)])
def test_many_columns_and_components_of_very_unlike_scales(k, columns, implementation):
    problem = Problem(k, columns=columns, seed=7)
    problem.factor = problem.factor * 10.0 ** np.random.default_rng(8).uniform(-4, 4, k)
    Z, solved = problem.minimise()
    assert (Z >= 0).all()
    assert solved.mean() > (0.99 if implementation == "device" else 1 - 1e-9)
    misfits, expected = (problem.misfits(each)[solved.ravel()] for each in (Z, problem.exact()))
    np.testing.assert_allclose(misfits, expected, rtol=1e-9)


@pytest.mark.parametrize("k", [3, 8])
@pytest.mark.parametrize("per_column", [False, True])
def test_a_column_that_needs_no_component_and_one_that_is_zero(k, per_column, implementation):
    problem = Problem(k, per_column)
    problem.target[:, 0], problem.target[:, 1] = -1, 0
    Z, solved = problem.minimise()
    assert solved.all()
    assert not Z[:, :, :2].any()
    assert Z[:, :, 2:].any()


@pytest.mark.parametrize("k", [4, 9])
@pytest.mark.parametrize("per_column", [False, True])
def test_components_alike_are_solved_for(k, per_column, implementation):
    """Not to the last digits: an inverse as large as 1 / RIDGE is multiplied by."""
    problem = Problem(k, per_column, seed=5)
    problem.factor[..., 2] = problem.factor[..., 1]
    problem.start[:] = 1
    problem.target += 0.5
    Z, solved = problem.minimise()
    assert solved.all()
    np.testing.assert_allclose(problem.misfits(Z), problem.misfits(problem.exact()), rtol=1e-6)


@pytest.mark.parametrize("k", [3, 8])
@pytest.mark.parametrize("per_column", [False, True])
def test_an_empty_component_stays_as_it_is_and_the_others_do_not_mind(
    k, per_column, implementation
):
    problem = Problem(k, per_column)
    problem.factor[0, ..., 1] = 0  # in one fit of the batch alone
    Z, solved = problem.minimise()
    expected = problem.exact()
    expected[0, 1] = problem.start[0, 1]
    assert solved.all()
    np.testing.assert_allclose(Z, expected, atol=1e-10)
    assert np.array_equal(Z[0, 1], problem.start[0, 1])


def test_a_component_empty_in_some_columns_stays_as_it_is_there(implementation):
    problem = Problem(3, per_column=True)
    problem.factor[:, 4:7, :, 2] = 0
    Z, _ = problem.minimise()
    expected = problem.exact()
    expected[:, 2, 4:7] = problem.start[:, 2, 4:7]
    np.testing.assert_allclose(Z, expected, atol=1e-10)


@pytest.mark.parametrize("k", [3, 12, MOST_CODED + 1])
def test_exchanges_of_one_entry_a_round_end_at_the_minimum_too(k, monkeypatch):
    monkeypatch.setattr(quadratics, "PATIENCE", 0)
    problem = Problem(k)
    np.testing.assert_allclose(problem.minimise()[0], problem.exact(), atol=1e-9)


def test_columns_that_a_device_has_not_solved_are_no_worse(as_on_device, monkeypatch):
    monkeypatch.setattr(quadratics, "DEVICE_ROUNDS", -3)  # two rounds with k = 5
    problem = Problem(5, columns=60)
    problem.start[:] = 1
    Z, solved = problem.minimise()
    assert 0 < solved.sum() < solved.size
    chosen = np.broadcast_to(solved[:, None], Z.shape)
    np.testing.assert_allclose(Z[chosen], problem.exact()[chosen], atol=1e-10)
    begun, ended = (problem.misfits(each)[~solved.ravel()] for each in (problem.start, Z))
    assert (ended <= begun).all()
    assert (ended < begun).any()


@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("k", [3, 12])
def test_columns_in_parts_are_the_same_columns(k, per_column, monkeypatch):
    problem = Problem(k, per_column)
    whole, _ = problem.minimise()
    monkeypatch.setattr(quadratics, "COLUMNS", 4)
    monkeypatch.setattr(quadratics, "ENTRIES", 7 * k**2)
    np.testing.assert_allclose(problem.minimise()[0], whole, atol=1e-12)


@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("k", RANKS)
def test_inverses_are_those_of_the_free_entries(k, per_column, implementation):
    problem, free = Problem(k, per_column), patterns(k)
    inverses = Quadratics(problem.Q).inverse_of_free(torch.from_numpy(free))
    np.testing.assert_allclose(inverses, dense_inverses(problem, free), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("k", RANKS)
def test_moments_are_the_sums_over_the_columns(k, per_column, counted, implementation):
    problem, free, rng = Problem(k, per_column), patterns(k), np.random.default_rng(9)
    z, M = rng.standard_normal((BATCH, k, COLUMNS)), rng.standard_normal((BATCH, k, k))
    count = rng.integers(0, 3, (BATCH, COLUMNS)) * 1.0 if counted else np.ones((BATCH, COLUMNS))
    moments, inverse = Quadratics(problem.Q).inverse_moments(
        *map(torch.from_numpy, (free, z)), torch.from_numpy(count) if counted else None
    )
    inverses = dense_inverses(problem, free)
    expected = np.einsum("fc,fkc,flc,fml,fmnc->fkn", count, z, z, M, inverses, optimize=True)
    found = (moments @ torch.from_numpy(M).mT[:, None] @ inverse).sum(dim=1)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("k", RANKS)
def test_both_implementations_agree_to_rounding(k, per_column, monkeypatch):
    problem, free = Problem(k, per_column, columns=40), torch.from_numpy(patterns(k, 40))
    found = []
    for on_cpu in (True, False):
        monkeypatch.setattr(device, "on_cpu", lambda Z, on_cpu=on_cpu: on_cpu)
        found.append((problem.minimise()[0], Quadratics(problem.Q).inverse_of_free(free).numpy()))
    for of_cpu, of_device in zip(*found, strict=True):
        np.testing.assert_allclose(of_device, of_cpu, rtol=1e-8, atol=1e-11 * np.abs(of_cpu).max())
