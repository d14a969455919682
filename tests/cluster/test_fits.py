"""Fits of Dask arrays on a cluster of two processes are those of numpy arrays in memory."""

import dask
import dask.array as da
import numpy as np
import pytest
import torch
from distributed import futures_of

from mixtures import spectra
from spectralunmix import (
    SmoothNMF,
    bootstrap,
    cross_validate,
    jackknife,
    scan_smoothness,
    smooth_nmf,
    unmix,
)
from spectralunmix.cluster import conductor
from spectralunmix.cluster.conductor import shares

CHUNKS = [(300, 120), (37, 50), (1, 120), ((250, 3, 47), (119, 1))]


def dask_of(Z, chunks=(37, 50)):
    return None if Z is None else da.from_array(Z, chunks=chunks)


def check(found, expected):
    assert isinstance(found.weights, da.Array)
    W = found.weights.compute()
    np.testing.assert_allclose(W, expected.weights, atol=1e-10 * expected.weights.max())
    np.testing.assert_allclose(found.components, expected.components, atol=1e-10)
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-10)
    assert found.n_iter == expected.n_iter
    assert found.converged == expected.converged
    np.testing.assert_allclose(found.restart_objectives, expected.restart_objectives, rtol=1e-10)
    assert found.reconstruction_err == pytest.approx(expected.reconstruction_err, rel=1e-10)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fit_is_that_in_memory_whatever_the_chunks(client, chunks, weighted):
    X, V = spectra()
    v = V if weighted else None
    if weighted:
        X[V == 0] = np.nan
    expected = smooth_nmf(X, 3, inverse_variance=v)
    found = smooth_nmf(dask_of(X, chunks), 3, inverse_variance=dask_of(v, (100, 120)))
    check(found, expected)
    assert found.weights.chunks == (dask_of(X, chunks).chunks[0], (3,))


@pytest.mark.parametrize(
    ("changed", "weighted"),
    [
        ({"init": "spa", "smoothness": 0}, True),
        ({"init": "random", "n_restarts": 3, "random_state": 2}, False),
        ({"solver": "proximal_gradient", "max_iter": 20, "tol": 0}, True),
        ({"init": np.ones((2, 3, 120)) + np.arange(3)[:, None] * np.arange(120)}, False),
    ],
)
def test_every_parameter_means_what_it_does_in_memory(client, changed, weighted):
    X, V = spectra()
    v = V if weighted else None
    expected = smooth_nmf(X, 3, inverse_variance=v, **changed)
    check(smooth_nmf(dask_of(X), 3, inverse_variance=dask_of(v), **changed), expected)


def test_compressed_iterations(client):
    X, _ = spectra(700, 900)
    check(smooth_nmf(dask_of(X), 3), smooth_nmf(X, 3))


def test_single_precision(client):
    X, V = (Z.astype(np.float32) for Z in spectra())
    found = smooth_nmf(dask_of(X), 3, inverse_variance=dask_of(V), dtype="float32", tol=1e-4)
    assert found.weights.dtype == np.float32
    expected = smooth_nmf(X, 3, inverse_variance=V, dtype="float32", tol=1e-4)
    np.testing.assert_allclose(found.components, expected.components, atol=1e-4)


def test_the_papers_spectra(client, paper_spectra):
    expected = smooth_nmf(paper_spectra, 4, smoothness=10)
    check(smooth_nmf(dask_of(paper_spectra, (7, 1000)), 4, smoothness=10), expected)


def test_the_estimator(client):
    X, V = spectra()
    expected = SmoothNMF(3, smoothness=2).fit(X, inverse_variance=V)
    found = SmoothNMF(3, smoothness=2).fit(dask_of(X), inverse_variance=dask_of(V))
    np.testing.assert_allclose(found.components_, expected.components_, atol=1e-10)
    for v, lazy in ((None, None), (V, dask_of(V)), (V, V)):
        weights = found.transform(dask_of(X), inverse_variance=lazy)
        in_memory = expected.transform(X, inverse_variance=v)
        np.testing.assert_allclose(weights.compute(), in_memory, atol=1e-9)
        score = found.score(dask_of(X), inverse_variance=lazy)
        assert score == pytest.approx(expected.score(X, inverse_variance=v), rel=1e-9)
    back = found.inverse_transform(weights)
    assert isinstance(back, da.Array)
    np.testing.assert_allclose(back.compute(), expected.inverse_transform(in_memory), atol=1e-8)
    with pytest.raises(ValueError, match="channels"):
        found.transform(dask_of(X[:, :50]))


def test_a_scan_of_smoothness(client):
    X, _ = spectra()
    found = scan_smoothness(SmoothNMF(3), dask_of(X), [0.0, 1.0, 10.0])
    for one, expected in zip(found, scan_smoothness(SmoothNMF(3), X, [0, 1, 10]), strict=True):
        np.testing.assert_allclose(one.components_, expected.components_, atol=1e-10)


def test_cross_validation(client):
    X, v = spectra(160, 60)
    arguments = {"classes": np.arange(160) % 3, "n_repeats": 1, "n_starts": 1, "n_folds": 3}
    expected = cross_validate(X, [2, 3], [0.0, 5.0], inverse_variance=v, **arguments)
    found = cross_validate(dask_of(X), [2, 3], [0.0, 5.0], inverse_variance=dask_of(v), **arguments)
    for name in expected.__dataclass_fields__:
        own, theirs = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(own, theirs, rtol=1e-8, atol=1e-12, err_msg=name)
    assert found.chosen() == expected.chosen()


@pytest.mark.parametrize("resample", ["spectra", "noise"])
def test_resamples(client, resample):
    X, V = spectra(1100, 40)
    H = smooth_nmf(X, 3, inverse_variance=V).components
    arguments = {"resample": resample, "n_resamples": 3, "random_state": 1}
    expected = bootstrap(X, H, inverse_variance=V, **arguments)
    found = bootstrap(dask_of(X), H, inverse_variance=dask_of(V), **arguments)
    np.testing.assert_allclose(found.components, expected.components, atol=1e-10)
    np.testing.assert_array_equal(found.counts.compute(), expected.counts)
    assert found.n_not_converged == expected.n_not_converged


def test_nothing_is_left_on_the_cluster_and_weights_lie_on_its_workers(client):
    X, V = spectra()
    found = smooth_nmf(dask_of(X), 3, inverse_variance=dask_of(V))
    futures = futures_of(found.weights)
    where = client.who_has(futures)
    assert len(futures) == len(where) == 2
    assert len({at for holders in where.values() for at in holders}) == 2
    assert client.run(lambda dask_worker: len(dask_worker.state.actors)) == dict.fromkeys(
        client.scheduler_info()["workers"], 0
    )
    stored = client.run(lambda dask_worker: [Z.size for Z in dask_worker.data.values()])
    assert sum(map(sum, stored.values())) == found.weights.size
    del found, futures

    def gone():
        return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

    for _ in range(100):
        if not gone():
            break
    assert gone() == 0


def test_tasks_are_as_many_as_workers_whatever_the_iterations(client, monkeypatch):
    """And one message a sum goes to the client, however large X is."""
    X, _ = spectra(2000, 60)
    tasks, sizes = [], []
    told = conductor._Conductor._told

    def count(self, turn, reply):
        tasks.append(self.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))
        message = told(self, turn, reply)
        if message.kind == "sum":
            sizes.append(sum(array.size for array in message.content))
        return message

    monkeypatch.setattr(conductor._Conductor, "_told", count)
    smooth_nmf(dask_of(X, (500, 60)), 3, max_iter=5, tol=0)
    few = len(tasks), max(tasks)
    tasks.clear()
    smooth_nmf(dask_of(X, (500, 60)), 3, max_iter=40, tol=0)
    assert len(tasks) > few[0] + 200
    assert max(tasks) == few[1]
    assert max(sizes) <= (3 + 16) ** 2 * 2 + 60 * (3 + 16)  # of no number of spectra


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda X: smooth_nmf(dask_of(np.where(X > 1, np.nan, X)), 3), "NaN"),
        (lambda X: smooth_nmf(dask_of(-np.abs(X)), 3), "above zero"),
        (lambda X: smooth_nmf(dask_of(X), 121), "n_components=121"),
        (
            lambda X: smooth_nmf(dask_of(X), 3, inverse_variance=dask_of(X[:5])),
            "inverse_variance is",
        ),
        (lambda X: smooth_nmf(dask_of(X)[dask_of(X)[:, 0] > 0], 3), "compute_chunk_sizes"),
        (lambda X: smooth_nmf(da.ma.masked_less(dask_of(X), 0), 3), "without a mask"),
        (lambda X: smooth_nmf(dask_of(X).astype("U3"), 3), "numbers"),
        (lambda X: smooth_nmf(dask_of(X)[:, 0], 3), "1 dimensions"),
        (lambda X: jackknife(dask_of(X), X[:2].clip(0)), "Dask array"),
        (lambda X: cross_validate(dask_of(X), [301], [0.0]), "n_components=301"),
    ],
)
def test_bad_input_is_an_error_of_one_line(client, what, said):
    with pytest.raises(ValueError, match=said) as caught:
        what(spectra()[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("of", [bootstrap, cross_validate])
def test_a_mask_is_not_lost(client, of):
    X, V = spectra()
    masked = np.ma.masked_less(V, 1.2)
    arguments = [X[:2].clip(0)] if of is bootstrap else [[2], [0.0]]
    with pytest.raises(ValueError, match="masked array"):
        of(dask_of(X), *arguments, inverse_variance=masked)


def test_an_error_in_reading_is_the_one_that_is_raised(client):
    def broken(block):
        raise OSError("the disk is gone")

    whole = da.zeros((300, 120), chunks=(100, 120))
    X = da.map_blocks(broken, whole, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(OSError, match="the disk is gone"):
        smooth_nmf(X, 3)
    assert smooth_nmf(dask_of(spectra()[0]), 3).converged  # and the cluster works on


def test_whole_numbers_are_read_as_floats(client):
    X = np.random.default_rng(0).poisson(20, (200, 30))
    check(smooth_nmf(dask_of(X, (60, 30)), 2), smooth_nmf(X, 2))


def test_progress_is_told_here(client, caplog):
    with caplog.at_level("INFO", logger="spectralunmix"):
        smooth_nmf(dask_of(spectra()[0]), 3, verbose=1)
    said = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("iteration 2: objective") for line in said)


def test_shares_are_by_threads():
    assert shares(10, [1, 1]) == [5, 5]
    assert shares(1000, [4, 1]) == [800, 200]
    assert shares(100, [4, 1]) == [50, 50]  # of a few spectra some could not be told apart
    assert shares(2, [1, 1, 1]) == [1, 0, 1]
    assert sum(shares(1001, [3, 5, 7])) == 1001


def test_weights_need_no_cluster():
    """`unmix` is worked out chunk by chunk by whatever scheduler Dask has."""
    X, V = spectra()
    H = np.abs(X[:3])
    found = unmix(dask_of(X), H, smoothness=2, inverse_variance=dask_of(V))
    with dask.config.set(scheduler="synchronous"):
        expected = unmix(X, H, smoothness=2, inverse_variance=V)
        np.testing.assert_allclose(found.compute(), expected, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_without_a_cluster_chunks_are_read_in_turn(weighted, monkeypatch):
    X, V = spectra()
    v = V if weighted else None
    largest = []

    def noted(block):
        largest.append(block.size)
        return block

    lazy = da.map_blocks(noted, dask_of(X, (50, 120)), dtype=float, meta=np.empty((0, 0)))
    expected = smooth_nmf(X, 3, inverse_variance=v)
    check(smooth_nmf(lazy, 3, inverse_variance=dask_of(v)), expected)
    assert max(largest) == 50 * 120
    assert len(largest) > 6 * expected.n_iter
    assert torch.get_num_threads() == 1
