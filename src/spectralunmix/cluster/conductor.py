"""The client's side of a fit on a cluster: it places the ranks, leads them and replaces the lost.

A rank's state follows from its rows and the sums that it was told, so these are kept.  Where a
worker is lost, its rows are read again on another one, which is told all sums up to the last.
"""

import asyncio
import contextlib
import logging
import pickle
import tempfile
import time
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from distributed import CancelledError, Client, Future, get_worker, secede, wait
from distributed.protocol import to_serialize

from ..nmf import progress
from ..nmf.communication import COMPONENTS
from .checkpoint import ClusterLostError, keep
from .rank import ENDED, FAILED, LOST, Message, Node, Program, Rank, Rows, found_by_rank

log = logging.getLogger(__name__)

BRANCHES = 4  # number of branches of the tree at each worker
IN_MEMORY = 2**27  # bytes of sums that are kept in memory; further sums are in a temporary file
REPLAYED = 2**24  # about as many bytes of sums are sent at once to a rank that replaces a lost one
BACK = 15.0  # seconds in which a cluster can restart a lost worker, before another replaces it
PATIENCE = 60.0  # seconds without any worker, after which the cluster counts as lost
ASK = 0.2  # seconds between two looks at the workers
LOOK = 2.0  # seconds between two checks that workers which read are still there
TRIES = 5  # attempts at a turn, each with new ranks in place of lost ones
USED = 0.8  # share of a worker's memory that can be used: above it Dask pauses the worker
NO_SCHEDULER = OSError, RuntimeError, AttributeError, ValueError  # or its client is closed
FEWEST_ROWS = 64  # smallest number of rows for which a worker is used
COPIES = 2  # copies of X in memory, while its chunks are joined
COPIES_WITH_WEIGHTS = 5  # X and V as they were read, X with 0 where V is 0, and their product


class Found(NamedTuple):
    """The results of a program: for all spectra, and for each rank's rows, as futures."""

    of_all: Any
    of_rows: list[list[Future]]  # by number, by rank
    rows: tuple[int, ...]  # how many each rank has


def conduct(
    client: Client,
    X: da.Array,
    V: da.Array | None,
    program: Program,
    n_of_rows: int,
    itemsize: int = 8,
) -> Found:
    """Run a program on all workers; each has some rows of X and V in its memory.

    Parameters
    ----------
    client : distributed.Client
    X, V : dask.array.Array
        (n_spectra, n_wave); V may be None.
    program : function of Rows and a Communicator
        Returns a result for all spectra, the same in every rank, and arrays for its own rows.
    n_of_rows : int
        Number of these arrays for rows.
    itemsize : int, default 8
        Bytes of a number of X in the program.

    Raises
    ------
    MemoryError
        The workers have less memory than the fit needs.
    ClusterLostError
        There is no worker any more, or the scheduler does not answer.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        leading = _Conductor(client, X, V, program, _Log(file))
        leading.check_memory(X.size * itemsize * (COPIES if V is None else COPIES_WITH_WEIGHTS))
        try:
            return leading.lead(n_of_rows)
        finally:
            leading.release()


class _Conductor:
    """The ranks of a program, and the sums that were sent to them."""

    def __init__(
        self, client: Client, X: da.Array, V: da.Array | None, program: Program, log: "_Log"
    ):
        self.client, self.program, self.log = client, program, log
        self.components: np.ndarray | None = None
        workers = self._workers()[: max(1, X.shape[0] // FEWEST_ROWS)]
        rows = shares(X.shape[0], [worker.nthreads for worker in workers])
        self.rows = tuple(n for n in rows if n)
        whole = [Z if Z is None else Z.rechunk((self.rows, -1)) for Z in (X, V)]
        self.chunks = [[None] * len(rows) if Z is None else Z.to_delayed()[:, 0] for Z in whole]
        self.ranks: list[Any] = [None] * len(self.rows)  # futures of actors; None where lost
        self.kept: list[Any] = [None] * len(self.rows)  # of the tasks that keep their workers
        self.places = [worker.address for worker, n in zip(workers, rows, strict=True) if n]
        self.behind = set(range(len(self.rows)))  # ranks that were not told all sums yet

    def check_memory(self, n_bytes: int) -> None:
        """MemoryError : the workers, of which Dask pauses full ones, have less."""
        limits = [worker.memory for worker in self._workers()]
        if all(limits) and USED * sum(limits) < n_bytes:
            raise MemoryError(
                f"the fit needs about {n_bytes / 2**30:.3g} GiB on the workers, of whose "
                f"{sum(limits) / 2**30:.3g} GiB Dask lets {USED:.0%} be used: use more workers, "
                "dtype='float32' or fewer spectra"
            )

    def release(self) -> None:
        """Remove the ranks from the workers, even if an error keeps a reference to this object."""
        for future in (*self.ranks, *self.kept):
            if future is not None:
                future.release()

    def lead(self, n_of_rows: int) -> Found:
        """Lead the ranks from the first sum to the end of the program."""
        turn, reply = 0, None
        self.log.append(reply)
        self._replace(turn)
        while True:
            message = self._told(turn, reply)
            for line in message.lines:
                progress.log.info(line)
            if message.kind == FAILED:
                raise message.content
            if message.kind == ENDED:
                found = self._of_rows(n_of_rows)
                if all(future.status == "finished" for row in found for future in row):
                    return Found(message.content, found, self.rows)
                self._replace(turn)  # a worker was lost at the very end
                continue
            if message.of == COMPONENTS:
                (self.components,) = message.content
                keep(self.components)
            turn, reply = turn + 1, message.content
            self.log.append(reply)

    def _told(self, turn: int, reply: list[np.ndarray] | None) -> Message:
        """The message of a turn; lost ranks are replaced until there is a message."""
        for _ in range(TRIES):
            root = self._tree()
            try:
                message = self.client.sync(_advanced_by, self.client, root, turn, reply)
            except OSError as error:
                message = Message(LOST, error)
            if message.kind != LOST:
                return message
            log.warning("a worker was lost: its spectra are read again on another one")
            self._replace(turn)
        raise ClusterLostError(
            f"as its workers did not answer in {TRIES} attempts ({message.content})",
            self.components,
        )

    def _tree(self) -> Node:
        """Rank 0, and below it the others."""
        nodes = [Node(at, actor.key, []) for at, actor in zip(self.places, self.ranks, strict=True)]
        for i, node in enumerate(nodes[1:], start=1):
            nodes[(i - 1) // BRANCHES].below.append(node)
        return nodes[0]

    def _replace(self, turn: int) -> None:
        """Replace ranks that do not answer, and send them all sums before this turn."""
        for _ in range(TRIES):
            there = {worker.address for worker in self._workers()}
            for rank in range(len(self.places)):
                if not self._answers(rank, there):
                    self.ranks[rank] = self.kept[rank] = None
                    self.behind.add(rank)
            missing = sorted(self.behind)
            if not missing:
                return
            homeless = [rank for rank in missing if self.places[rank] not in there]
            for rank in homeless:
                self.places[rank] = ""
            for rank in homeless:
                self.places[rank] = self._free_worker()
            if not self._placed(missing):
                continue
            try:
                for first, replies in self.log.parts(turn):
                    self.client.sync(self._replayed, missing, first, replies)
            except OSError as error:
                log.warning("another worker was lost (%s)", error)
            else:
                self.behind.clear()
                return
        raise ClusterLostError(f"as workers were lost in {TRIES} attempts", self.components)

    async def _replayed(self, ranks: list[int], first: int, replies: list) -> None:
        at_once = (
            _asked(self.client, self.places[rank], self.ranks[rank].key, "replay", first, replies)
            for rank in ranks
        )
        await asyncio.gather(*at_once)

    def _answers(self, rank: int, there: Container[str]) -> bool:
        """Whether a rank is still there, on one of these workers."""
        actor, at = self.ranks[rank], self.places[rank]
        if actor is None or at not in there:
            return False
        try:
            self.client.sync(_asked, self.client, at, actor.key, "answer")
        except OSError:
            return False
        return True

    def _free_worker(self) -> str:
        """The worker with the fewest ranks, after waiting for one that replaces a lost worker."""
        until = time.monotonic() + BACK
        while True:
            addresses = [worker.address for worker in self._workers()]
            n_ranks = {address: self.places.count(address) for address in addresses}
            at = min(n_ranks, key=lambda address: n_ranks[address])
            if n_ranks[at] == 0 or time.monotonic() > until:
                return at
            time.sleep(ASK)

    def _workers(self) -> list["_Worker"]:
        """All workers; where there is none yet, wait for the first."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if self.client.status in ("closing", "closed"):
                    raise OSError("the client is closed")
                found = self.client.run_on_scheduler(_workers_of)
            except NO_SCHEDULER as error:
                raise ClusterLostError(
                    f"as its scheduler does not answer ({error})", self.components
                ) from error
            if found:
                return [_Worker(*state) for state in sorted(found)]
            if time.monotonic() > until:
                raise ClusterLostError(
                    f"as it has had no worker for {PATIENCE:g} s", self.components
                )
            time.sleep(ASK)

    def _placed(self, ranks: list[int]) -> bool:
        """Start ranks on their workers, with their rows; False where a worker is lost meanwhile.

        Raises what reading the rows raises.
        """
        bounds = np.concatenate([[0], np.cumsum(self.rows)])
        for rank in ranks:
            pair = [of_rank[rank] for of_rank in self.chunks]
            part = dask.delayed(Rows)(int(bounds[rank]), int(bounds[rank + 1]), *pair)
            at = [self.places[rank]]
            # others too: tasks of a name are kept from all but the worker that they had first
            (rows,) = self.client.compute([part], workers=at, allow_other_workers=True)
            self.ranks[rank] = self.client.submit(
                *(Rank, rows, self.program, rank, len(self.rows)),
                workers=at,
                actor=True,
                pure=False,
            )
            rows.release()  # the rank has them
        while True:
            with contextlib.suppress(TimeoutError, CancelledError):
                wait([self.ranks[rank] for rank in ranks], timeout=LOOK)
            there = {worker.address for worker in self._workers()}
            if any(self.places[rank] not in there for rank in ranks):
                return False
            if any(self.ranks[rank].cancelled() for rank in ranks):
                return False
            if all(self.ranks[rank].done() for rank in ranks):
                break
        for rank in ranks:
            self.ranks[rank].result()
            key, only = self.ranks[rank].key, [self.places[rank]]
            self.kept[rank] = self.client.submit(_kept, key, workers=only, pure=False)
        return True

    def _of_rows(self, n: int) -> list[list[Future]]:
        """The results of the ranks for their rows, as separate futures on the same workers."""
        found = [
            [
                # not of the rank's future: what is lost then would be waited for, and never come
                self.client.submit(
                    found_by_rank,
                    at,
                    actor.key,
                    number,
                    workers=[at],
                    allow_other_workers=True,
                    pure=False,
                )
                for actor, at in zip(self.ranks, self.places, strict=True)
            ]
            for number in range(n)
        ]
        wait(found)
        return found


class _Worker(NamedTuple):
    """A worker, its threads and its memory limit, which is 0 where there is none."""

    address: str
    nthreads: int
    memory: int


def _workers_of(dask_scheduler: Any) -> list[tuple]:
    states = dask_scheduler.workers.values()
    return [(worker.address, worker.nthreads, worker.memory_limit or 0) for worker in states]


def _kept(key: str) -> None:
    """A task that lasts as long as a rank, because clusters release workers without a task."""
    secede()
    actors: Any = get_worker().state.actors
    while key in actors and not actors[key].has_ended:
        time.sleep(ASK)


async def _asked(client: Client, address: str, key: str, function: str, *arguments: Any) -> Any:
    """The answer of a rank, sent through the scheduler, which clients outside the cluster reach.

    OSError : it does not answer, or there is none
    """
    message = {
        "op": "actor_execute",
        "function": function,
        "actor": key,
        "args": [to_serialize(argument) for argument in arguments],
        "kwargs": {},
    }
    scheduler: Any = client.scheduler
    if scheduler is None:  # closed
        raise OSError("the client has no scheduler")
    try:
        answer = await scheduler.proxy(worker=address, msg=message)
    except OSError:
        raise
    except Exception as error:  # of whatever kind, as where the worker does not know the actor
        raise OSError(f"{address}: {error}") from error
    if answer["status"] != "OK":
        raise answer["exception"]
    return answer["result"]


async def _advanced_by(client: Client, root: Node, turn: int, reply: Any) -> Message:
    return await _asked(client, root.address, root.key, "advance", turn, reply, root.below)


def shares(n: int, nthreads: list[int]) -> list[int]:
    """The number of rows of each worker: by its threads, or equal where some would have too few."""
    ends = np.round(np.cumsum(nthreads) / sum(nthreads) * n).astype(int)
    rows = np.diff(ends, prepend=0).tolist()
    alike = len(set(nthreads)) == 1
    return rows if alike or min(rows) >= FEWEST_ROWS else shares(n, [1] * len(nthreads))


class _Log:
    """The sums that were sent to ranks, in their order."""

    def __init__(self, file: Any):
        self._file = file

    def append(self, reply: list[np.ndarray] | None) -> None:
        self._file.seek(0, 2)
        pickle.dump(reply, self._file, protocol=5)

    def parts(self, n: int) -> Iterator[tuple[int, list]]:
        """The number of the first, and some of them, up to n."""
        self._file.seek(0)
        first, part, size = 0, [], 0
        for turn in range(n):
            part.append(pickle.load(self._file))
            size += sum(array.nbytes for array in part[-1] or [])
            if size > REPLAYED or turn == n - 1:
                yield first, part
                first, part, size = turn + 1, [], 0
