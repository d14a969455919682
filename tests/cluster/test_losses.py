"""Workers that are killed in the middle of a fit, and clusters that are lost."""

import pickle
import threading
import time

import dask.array as da
import numpy as np
import pytest
from distributed import Client

from mixtures import spectra
from spectralunmix import ClusterLostError, bootstrap, checkpoint, smooth_nmf, unmix
from spectralunmix.cluster import conductor
from spectralunmix.cluster.rank import LOST, Message
from two_processes import kill_a_worker, local_cluster

slow = pytest.mark.slow  # of losses each takes ten seconds and more


def at_turn(monkeypatch, turns, action):
    """Have something done before turns of a fit."""
    told, left = conductor._Conductor._told, list(turns)

    def before(self, turn, reply):
        if turn in left:
            left.remove(turn)
            action()
        return told(self, turn, reply)

    monkeypatch.setattr(conductor._Conductor, "_told", before)
    return left


@pytest.mark.parametrize(
    ("which", "weighted"),
    [(1, True), *(pytest.param(*of, marks=slow) for of in ((0, True), (0, False), (1, False)))],
)
def test_a_fit_goes_on_where_a_worker_is_killed_and_ends_in_the_same_numbers(
    client, monkeypatch, caplog, weighted, which
):
    X, V = spectra()
    v = V if weighted else None
    expected = smooth_nmf(X, 3, smoothness=10, inverse_variance=v)
    left = at_turn(monkeypatch, [50], lambda: kill_a_worker(client, which))
    lazy = None if v is None else da.from_array(v, chunks=(80, 120))
    found = smooth_nmf(da.from_array(X, chunks=(50, 120)), 3, smoothness=10, inverse_variance=lazy)
    assert not left
    assert "a worker was lost" in caplog.text
    assert found.n_iter == expected.n_iter
    np.testing.assert_allclose(found.components, expected.components, atol=1e-10)
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-10)
    np.testing.assert_allclose(found.weights.compute(), expected.weights, atol=1e-9)


@slow
def test_both_workers_one_after_the_other(client, monkeypatch):
    X, V = spectra()
    H = smooth_nmf(X, 3, inverse_variance=V).components
    expected = bootstrap(X, H, inverse_variance=V, n_resamples=4)
    left = at_turn(monkeypatch, [20, 45], lambda: kill_a_worker(client, 0))
    lazy = [da.from_array(Z, chunks=(80, 120)) for Z in (X, V)]
    found = bootstrap(lazy[0], H, inverse_variance=lazy[1], n_resamples=4)
    assert not left
    np.testing.assert_allclose(found.components, expected.components, atol=1e-10)
    np.testing.assert_array_equal(found.counts.compute(), expected.counts)


def slowly(block):
    time.sleep(1)
    return block


@slow
def test_a_worker_that_is_killed_while_it_reads(client):
    X, _ = spectra()
    lazy = da.map_blocks(slowly, da.from_array(X, chunks=(50, 120)), dtype=float, meta=X[:0])
    timer = threading.Timer(1.5, kill_a_worker, (client, 1))
    timer.start()
    found = smooth_nmf(lazy, 3)
    timer.join()
    np.testing.assert_allclose(found.components, smooth_nmf(X, 3).components, atol=1e-10)


@slow
def test_all_workers_at_once(client, monkeypatch):
    """Which are there again under other addresses."""
    X, _ = spectra()
    left = at_turn(monkeypatch, [40], client.restart)
    found = smooth_nmf(da.from_array(X, chunks=(50, 120)), 3)
    assert not left
    np.testing.assert_allclose(found.components, smooth_nmf(X, 3).components, atol=1e-10)


@slow
def test_a_rank_that_was_not_told_all_sums_does_not_go_on(client, monkeypatch):
    """Where the sums are lost on their way, they are sent once more."""
    X, _ = spectra()
    replayed, failed = conductor._Conductor._replayed, []

    async def once(self, ranks, first, replies):
        if not failed:
            failed.append(first)
            raise OSError("on the way")
        await replayed(self, ranks, first, replies)

    monkeypatch.setattr(conductor._Conductor, "_replayed", once)
    left = at_turn(monkeypatch, [40], lambda: kill_a_worker(client, 0))
    found = smooth_nmf(da.from_array(X, chunks=(50, 120)), 3)
    assert not left
    assert failed == [0]
    np.testing.assert_allclose(found.components, smooth_nmf(X, 3).components, atol=1e-10)


def test_workers_that_cannot_reach_one_another_are_one_error(client, monkeypatch):
    async def lost(*_):
        return Message(LOST, OSError("tcp://10.0.0.2 from tcp://10.0.0.1: no route"))

    monkeypatch.setattr(conductor, "_advanced_by", lost)
    with pytest.raises(ClusterLostError, match=r"in 5 attempts \(.*no route\)"):
        smooth_nmf(da.from_array(spectra()[0], chunks=(50, 120)), 3)


@slow
def test_without_a_new_worker_the_others_help_out(monkeypatch):
    """And what is kept of the sums may be more than is kept in memory."""
    monkeypatch.setattr(conductor, "BACK", 1.0)
    monkeypatch.setattr(conductor, "IN_MEMORY", 1000)
    monkeypatch.setattr(conductor, "REPLAYED", 1000)
    X, _ = spectra()
    expected = smooth_nmf(X, 3)
    with local_cluster(2) as cluster, Client(cluster) as client:

        def lose():
            cluster.scale(1)
            client.sync(client.scheduler.retire_workers, n=1, close_workers=True)

        left = at_turn(monkeypatch, [40], lose)
        found = smooth_nmf(da.from_array(X, chunks=(50, 120)), 3)
        assert not left
        assert len(client.scheduler_info()["workers"]) == 1
        np.testing.assert_allclose(found.components, expected.components, atol=1e-10)
        np.testing.assert_allclose(found.weights.compute(), expected.weights, atol=1e-10)


def test_a_lost_cluster_is_one_error_with_the_components_to_go_on_from(monkeypatch, tmp_path):
    X, _ = spectra()
    expected = smooth_nmf(X, 3, smoothness=0, init="random", random_state=0)
    with local_cluster(2) as cluster, Client(cluster):
        left = at_turn(monkeypatch, [80], cluster.close)
        lazy = da.from_array(X, chunks=(50, 120))
        with (
            pytest.raises(ClusterLostError, match="the cluster is lost") as caught,
            checkpoint(tmp_path / "kept.npy", every=0),
        ):
            smooth_nmf(lazy, 3, smoothness=0, init="random", random_state=0)
        assert not left
    components = caught.value.components
    again = pickle.loads(pickle.dumps(caught.value))
    np.testing.assert_array_equal(again.components, components)
    assert str(again) == str(caught.value)
    np.testing.assert_array_equal(components, np.load(tmp_path / "kept.npy"))
    assert components.shape == (1, 3, 120)
    goes_on = smooth_nmf(X, 3, smoothness=0, init=components)
    assert goes_on.n_iter < expected.n_iter
    assert goes_on.objective[0] < expected.objective[1]
    assert goes_on.objective[-1] == pytest.approx(expected.objective[-1], rel=1e-6)


def test_a_cluster_without_workers_counts_as_lost(monkeypatch):
    monkeypatch.setattr(conductor, "PATIENCE", 1.0)
    with local_cluster(0) as cluster, Client(cluster):
        with pytest.raises(ClusterLostError, match="no worker for 1 s") as caught:
            smooth_nmf(da.from_array(spectra()[0], chunks=(50, 120)), 3)
        assert caught.value.components is None


@slow
def test_weights_that_are_lost_after_a_fit_say_so(client):
    X, _ = spectra()
    found = smooth_nmf(da.from_array(X, chunks=(50, 120)), 3)
    kill_a_worker(client, 0)
    with pytest.raises(RuntimeError, match="`unmix` finds"):
        found.weights.compute()
    lazy = da.from_array(X, chunks=(50, 120))
    again = unmix(lazy, found.components, smoothness=1).compute()
    np.testing.assert_allclose(again, smooth_nmf(X, 3).weights, atol=1e-5)


def test_workers_with_a_rank_are_not_given_back(client, monkeypatch):
    """Clusters that adapt their size close workers without tasks."""
    busy = []

    def look():
        busy.append(
            client.run_on_scheduler(
                lambda dask_scheduler: [
                    len(ws.processing) for ws in dask_scheduler.workers.values()
                ]
            )
        )

    at_turn(monkeypatch, [60], look)
    smooth_nmf(da.from_array(spectra()[0], chunks=(50, 120)), 3)
    assert busy == [[1, 1]]


def test_too_little_memory_is_said_before_anything_is_read():
    X = da.zeros((10**6, 10**4), chunks=(1000, 10**4))
    with (
        local_cluster(2, memory_limit="1GiB") as cluster,
        Client(cluster),
        pytest.raises(MemoryError, match="149 GiB on the workers, of whose 2 GiB"),
    ):
        smooth_nmf(X, 3)
