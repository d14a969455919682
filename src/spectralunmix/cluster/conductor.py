"""The client's side of a fit on a cluster: it places the ranks, leads them and replaces the lost.

A rank's state follows from its rows and the sums that it was told, so these are kept.  Where a
worker is lost, its rows are read again on another one, which is told all sums up to the last.
"""

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
from distributed import CancelledError, Client, Future, secede, wait
from distributed.protocol import to_serialize

from ..nmf import progress
from ..nmf.communication import COMPONENTS
from .checkpoint import ClusterLostError, keep
from .rank import ENDED, FAILED, LOST, Message, Node, Program, Rank, Rows, found_by_rank

log = logging.getLogger(__name__)

BRANCHES = 4  # of the tree, at each worker
IN_MEMORY = 2**27  # bytes of sums that are kept in memory; more are kept in a temporary file
REPLAYED = (
    2**24
)  # bytes of sums, about, that are sent at once to a rank that takes a lost one's place
BACK = 15.0  # seconds that a cluster has to start a lost worker anew before another one helps out
PATIENCE = 60.0  # seconds without any worker until the cluster counts as lost
ASK = 0.2  # seconds between two looks at the workers
LOOK = 2.0  # seconds that a look at a rank takes at the most
GONE = OSError, RuntimeError, KeyError  # of a worker, of its connection, of its actor
FEWEST_ROWS = 64  # that are worth a worker of their own


class Found(NamedTuple):
    """What a program found: of all spectra, and of each rank's rows, as Dask arrays' futures."""

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
    """Run a program on the workers that there are, each with rows of X and V in its memory.

    Parameters
    ----------
    client : distributed.Client
    X, V : dask.array.Array
        (n_spectra, n_wave); V may be None.
    program : function of Rows and a Communicator
        Returns what is found of all spectra, the same in every rank, and arrays of the own rows.
    n_of_rows : int
        How many arrays of rows that is.
    itemsize : int, default 8
        Bytes of a number, as the program keeps X.

    Raises
    ------
    MemoryError
        The workers have less memory than X and what is made of it take.
    ClusterLostError
        No worker is left, or the scheduler is gone.
    """
    _check_memory(client, X.size * itemsize * (2 if V is None else 3))
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        return _Conductor(client, X, V, program, _Log(file)).lead(n_of_rows)


def _check_memory(client: Client, n_bytes: int) -> None:
    """X and its parts while they are joined; or X, its weights and their product."""
    limits = [of["memory_limit"] for of in client.scheduler_info(n_workers=-1)["workers"].values()]
    if all(limits) and 0 < sum(limits) < n_bytes:
        raise MemoryError(
            f"the fit needs about {n_bytes / 2**30:.3g} GiB on the workers, which have "
            f"{sum(limits) / 2**30:.3g} GiB: more of them, dtype='float32' or fewer spectra"
        )


class _Conductor:
    """The ranks of one program, and the sums that they were told."""

    def __init__(
        self, client: Client, X: da.Array, V: da.Array | None, program: Program, log: "_Log"
    ):
        self.client, self.program, self.log = client, program, log
        self.components: np.ndarray | None = None
        workers = self._workers()
        most = -(-X.shape[0] // FEWEST_ROWS)
        workers = workers[:most]
        rows = shares(X.shape[0], [nthreads for _, nthreads in workers])
        self.rows = tuple(n for n in rows if n)
        whole = [Z if Z is None else Z.rechunk((self.rows, -1)) for Z in (X, V)]
        self.chunks = [[None] * len(rows) if Z is None else Z.to_delayed()[:, 0] for Z in whole]
        self.ranks: list[Any] = [None] * len(self.rows)  # futures of actors; None where lost
        self.kept: list[Any] = [None] * len(self.rows)  # of the tasks that keep their workers
        self.places = [address for (address, _), n in zip(workers, rows, strict=True) if n]

    def lead(self, n_of_rows: int) -> Found:
        """From the first sum to the end."""
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
                if all(future.status == "finished" for of in found for future in of):
                    return Found(message.content, found, self.rows)
                self._replace(turn)  # a worker was lost at the very end
                continue
            if message.of == COMPONENTS:
                (self.components,) = message.content
                keep(self.components)
            turn, reply = turn + 1, message.content
            self.log.append(reply)

    def _told(self, turn: int, reply: list[np.ndarray] | None) -> Message:
        """What comes of a turn; lost ranks are replaced until something does."""
        while True:
            root = self._tree()
            try:
                message = self.client.sync(_advanced_by, self.client, root, turn, reply)
            except GONE as error:
                message = Message(LOST, error)
            if message.kind != LOST:
                return message
            log.warning("a worker was lost: its spectra are read again on another one")
            self._replace(turn)

    def _tree(self) -> Node:
        """Rank 0, and below it the others."""
        nodes = [Node(at, of.key, []) for at, of in zip(self.places, self.ranks, strict=True)]
        for i, node in enumerate(nodes[1:], start=1):
            nodes[(i - 1) // BRANCHES].below.append(node)
        return nodes[0]

    def _replace(self, turn: int) -> None:
        """Have ranks in place of those that do not answer, and tell them all but this turn."""
        while True:
            there = dict(self._workers())
            missing = [rank for rank in range(len(self.places)) if not self._answers(rank, there)]
            if not missing:
                return
            for rank in missing:
                self.ranks[rank] = self.kept[rank] = None
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
                return
            except GONE as error:
                log.warning("another worker was lost (%s)", error)

    async def _replayed(self, ranks: list[int], first: int, replies: list) -> None:
        for rank in ranks:
            await _asked(
                self.client, self.places[rank], self.ranks[rank].key, "replay", first, replies
            )

    def _answers(self, rank: int, there: Container[str]) -> bool:
        """Whether a rank is there still, on one of these workers."""
        of, at = self.ranks[rank], self.places[rank]
        if of is None or at not in there:
            return False
        try:
            self.client.sync(_asked, self.client, at, of.key, "has_ended")
        except GONE:
            return False
        return True

    def _free_worker(self) -> str:
        """The worker with the fewest ranks; one that starts in a lost one's place is waited for."""
        until = time.monotonic() + BACK
        while True:
            n_ranks = {address: self.places.count(address) for address, _ in self._workers()}
            at = min(n_ranks, key=lambda address: n_ranks[address])
            if n_ranks[at] == 0 or time.monotonic() > until:
                return at
            time.sleep(ASK)

    def _workers(self) -> list[tuple[str, int]]:
        """Address and threads of each worker, waiting for a first one."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                scheduler: Any = self.client.scheduler  # None where the client is closed
                of_all = self.client.sync(scheduler.identity, n_workers=-1)["workers"]
            except (OSError, RuntimeError, AttributeError) as error:
                raise ClusterLostError(
                    f"its scheduler does not answer ({error})", self.components
                ) from error
            if of_all:
                return sorted((address, of["nthreads"]) for address, of in of_all.items())
            if time.monotonic() > until:
                raise ClusterLostError(f"it has had no worker for {PATIENCE:g} s", self.components)
            time.sleep(ASK)

    def _placed(self, ranks: list[int]) -> bool:
        """Have ranks on their workers, with their rows; False where one of these is lost meanwhile.

        Raises what reading the rows raises.
        """
        bounds = np.concatenate([[0], np.cumsum(self.rows)])
        for rank in ranks:
            pair = [of_rank[rank] for of_rank in self.chunks]
            part = dask.delayed(Rows)(int(bounds[rank]), int(bounds[rank + 1]), *pair)
            only = {"workers": [self.places[rank]], "allow_other_workers": False}
            (rows,) = self.client.compute([part], **only)
            self.ranks[rank] = self.client.submit(
                Rank, rows, self.program, rank, len(self.rows), actor=True, pure=False, **only
            )
        while True:
            with contextlib.suppress(TimeoutError):
                wait([self.ranks[rank] for rank in ranks], timeout=LOOK)
            there = dict(self._workers())
            if any(self.places[rank] not in there for rank in ranks):
                return False
            if all(self.ranks[rank].done() for rank in ranks):
                break
        for rank in ranks:
            try:
                self.ranks[rank].result()
            except CancelledError:
                return False
            at = self.places[rank]
            self.kept[rank] = self.client.submit(_kept, self.ranks[rank], workers=[at], pure=False)
        return True

    def _of_rows(self, n: int) -> list[list[Future]]:
        """What the ranks found of their rows, as futures of their own on the same workers."""
        with contextlib.suppress(TimeoutError):
            wait(self.kept, timeout=LOOK)
        found = [
            [
                # not of the rank's future: what is lost then would be waited for, and never come
                self.client.submit(
                    found_by_rank,
                    at,
                    of.key,
                    number,
                    workers=[at],
                    allow_other_workers=True,
                    pure=False,
                )
                for of, at in zip(self.ranks, self.places, strict=True)
            ]
            for number in range(n)
        ]
        wait(found)
        return found


def _kept(rank: Any) -> None:
    """A task for as long as a rank works: clusters give workers back that have none."""
    secede()
    while not rank.has_ended(LOOK).result():
        pass


async def _asked(client: Client, address: str, key: str, function: str, *arguments: Any) -> Any:
    """What a rank answers, by way of the scheduler, which clients outside the cluster reach."""
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
    answer = await scheduler.proxy(worker=address, msg=message)
    if answer["status"] != "OK":
        raise answer["exception"]
    return answer["result"]


async def _advanced_by(client: Client, root: Node, turn: int, reply: Any) -> Message:
    return await _asked(client, root.address, root.key, "advance", turn, reply, root.below)


def shares(n: int, nthreads: list[int]) -> list[int]:
    """How many of n rows each worker has, by its threads; 0 for some where there are too few."""
    ends = np.round(np.cumsum(nthreads) / sum(nthreads) * n).astype(int)
    return np.diff(ends, prepend=0).tolist()


class _Log:
    """The sums that ranks were told, in their order."""

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
