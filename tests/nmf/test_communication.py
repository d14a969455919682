"""Fits that several processes share the spectra of: here threads, in one process."""

import threading

import numpy as np
import pytest
import torch

from mixtures import spectra
from spectralunmix.factorisation import results
from spectralunmix.nmf.checks import Settings
from spectralunmix.nmf.communication import ALONE, Communicator, orthonormal

RNG = np.random.default_rng(5)


class Threads(Communicator):
    """One of several threads; sums are made by the last to arrive."""

    def __init__(self, rank, shared):
        self.rank, self.shared, self.n_ranks = rank, shared, shared.n
        self.names = []

    def _exchanged(self, tensors, own):
        self.shared.of_ranks[self.rank] = own
        self.shared.barrier.wait(timeout=60)
        parts = [part for part in self.shared.of_ranks if part is not None]
        sums = tuple(sum(of[1:], start=of[0]).clone() for of in zip(*parts, strict=True))
        assert [s.shape for s in sums] == [t.shape for t in tensors]
        self.shared.barrier.wait(timeout=60)
        return sums

    def all_reduce(self, *tensors):
        return self._exchanged(tensors, tensors)

    def broadcast(self, *tensors, of=""):
        self.names.append(of)
        return self._exchanged(tensors, None if self.rank else tensors)


class Shared:
    def __init__(self, n):
        self.n, self.of_ranks, self.barrier = n, [None] * n, threading.Barrier(n)


def in_threads(n, program):
    """What the program gives in each of n threads."""
    shared, found, errors = Shared(n), [None] * n, []

    def run(rank):
        try:
            found[rank] = program(Threads(rank, shared))
        except BaseException as error:
            errors.append(error)
            shared.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise next(
            (e for e in errors if not isinstance(e, threading.BrokenBarrierError)), errors[0]
        )
    return found


def test_sums_are_of_all_and_broadcasts_of_the_first():
    def program(comm):
        own = torch.tensor([1.0, 2.0]) * (comm.rank + 1)
        return (
            comm.total(own),
            comm.broadcast(own)[0],
            comm.all_gather(own),
            comm.largest(-own),
            comm.any(own == 6),
        )

    for total, first, gathered, largest, has in in_threads(3, program):
        assert total.tolist() == [6, 12]
        assert first.tolist() == [1, 2]
        assert gathered.tolist() == [[1, 2], [2, 4], [3, 6]]
        assert largest.tolist() == [-1, -2]
        assert has.tolist() == [False, True]


def test_one_process_is_all_of_them():
    own = torch.tensor([1.0, -2.0])
    assert ALONE.total(own) is own
    assert ALONE.broadcast(own) == (own,)
    assert ALONE.all_gather(own).tolist() == [[1, -2]]
    assert ALONE.largest(own).tolist() == [1, -2]
    assert ALONE.any(own > 0).tolist() == [True, False]


@pytest.mark.parametrize("rows", [(7, 13, 2), (30, 1, 1)])
@pytest.mark.parametrize("rank", [6, 3])
def test_an_orthonormal_basis_of_shared_columns(rows, rank):
    """Of the same span as by one process, also where that has fewer dimensions than rows."""
    Z = RNG.standard_normal((2, 6, rank)) @ RNG.standard_normal((2, rank, sum(rows)))
    parts = torch.from_numpy(Z).split(rows, dim=2)
    found = in_threads(3, lambda comm: orthonormal(parts[comm.rank], comm))
    Q = torch.cat(found, dim=2).numpy()
    np.testing.assert_allclose(Q @ Q.swapaxes(1, 2), [np.eye(6)] * 2, atol=1e-12)
    projected = (Z @ Q.swapaxes(1, 2)) @ Q
    np.testing.assert_allclose(projected, Z, atol=1e-12 * np.abs(Z).max())


def settings(**changed):
    values = {
        "n_components": 3,
        "smoothness": 1.0,
        "init": "nndsvd",
        "n_restarts": 1,
        "solver": "anticipation",
        "max_iter": 300,
        "tol": 1e-7,
        "random_state": 0,
        "device": "cpu",
        "dtype": "float64",
        "verbose": 0,
    }
    return Settings(**{**values, **changed})


def check(X, V, chosen, smoothness, bounds=(11, 60)):
    """That ranks with rows up to the bounds find what one process does."""
    rows = np.split(np.arange(len(X)), bounds)

    def program(comm):
        of = rows[comm.rank]
        return results(X[of], None if V is None else V[of], chosen, smoothness, comm=comm)

    alone = results(X, V, chosen, smoothness)
    shared = in_threads(len(rows), program)
    for i, (expected,) in enumerate(alone):
        for of_rank in shared:
            np.testing.assert_allclose(of_rank[i][0].components, expected.components, atol=1e-10)
            assert of_rank[i][0].n_iter == expected.n_iter
            np.testing.assert_allclose(of_rank[i][0].objective, expected.objective, rtol=1e-10)
            np.testing.assert_allclose(
                of_rank[i][0].restart_objectives, expected.restart_objectives, rtol=1e-10
            )
        W = np.concatenate([of_rank[i][0].weights for of_rank in shared])
        np.testing.assert_allclose(W, expected.weights, atol=1e-10 * expected.weights.max())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init", ["nndsvd", "spa", "random"])
@pytest.mark.parametrize("smoothness", [0.0, 10.0])
def test_a_fit_is_that_of_one_process(weighted, init, smoothness):
    X, V = spectra(90, 70, seed=5)
    if weighted:
        X[V == 0] = np.nan
    check(X, V if weighted else None, settings(init=init), [smoothness])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothness", [0.0, 10.0])
def test_the_papers_update_too(weighted, smoothness):
    X, V = spectra(90, 70, seed=5)
    chosen = settings(solver="proximal_gradient", max_iter=20)
    check(X, V if weighted else None, chosen, [smoothness])


def test_batches_of_starts_and_smoothnesses_too():
    X, V = spectra(90, 70, seed=5)
    check(X, V, settings(init="random", n_restarts=3), [0.0, 1.0, 30.0])


@pytest.mark.parametrize("smoothness", [0.0, 10.0])
def test_compressed_iterations_too(smoothness):
    X, _ = spectra(700, 900, seed=5)
    check(X, None, settings(), [smoothness], bounds=(100, 650))


def test_where_the_spectra_do_not_determine_components_the_objective_is_the_same():
    """Rounding may lead elsewhere then, as it does on another processor."""
    X, _ = spectra(700, 900, seed=5)
    chosen, rows = settings(n_components=5), np.split(np.arange(700), (100, 650))
    shared = in_threads(
        3, lambda comm: results(X[rows[comm.rank]], None, chosen, [10.0], comm=comm)
    )
    ((alone,),) = results(X, None, chosen, [10.0])
    assert alone.converged
    for ((found,),) in shared:
        assert found.converged
        assert found.objective[-1] == pytest.approx(alone.objective[-1], rel=1e-6)


@pytest.mark.parametrize("smoothness", [0.0, 3.0])
def test_many_components_too(smoothness):
    """Of which the response's equations are not solved as they stand."""
    X, _ = spectra(120, 90, seed=5, k=18)
    check(np.abs(X), None, settings(n_components=18, max_iter=15, tol=0), [smoothness])


def test_a_component_that_one_process_alone_has():
    X, _ = spectra(90, 70, seed=5)
    X = np.abs(X)
    X[:60] = X[:60, :1] * np.linspace(1, 2, 70)
    check(X, None, settings(init="spa"), [1.0])


def test_scales_are_of_all_spectra():
    X, V = spectra(90, 70, seed=5)
    X[60:] *= 1e30
    check(X, V, settings(init="spa", max_iter=20), [1.0])


def test_an_error_of_one_ends_all():
    X, _ = spectra(90, 70, seed=5)
    X[80, 3] = np.nan
    rows = np.split(np.arange(90), [30])
    with pytest.raises(ValueError, match="NaN"):
        in_threads(2, lambda comm: results(X[rows[comm.rank]], None, settings(), [1.0], comm=comm))
