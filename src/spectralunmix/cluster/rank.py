"""A process of a fit, on a worker: rows of X, and the program that runs on them.

The program runs in a thread.  Wherever it needs a sum over all spectra it waits, and the client
asks for what it has: `Rank.advance` passes the last sum down a tree of workers, and the parts of
the next one come up it, added on the way.  So the client sends and gets one message a sum, however
many workers there are, and a sum takes as long as the tree is deep.
"""

import asyncio
import ctypes
import logging
import queue
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from distributed import get_worker
from distributed.protocol import to_serialize
from distributed.utils import sync
from torch import Tensor

from ..nmf import progress
from ..nmf.communication import Communicator

SUM, ENDED, FAILED, LOST = "sum", "ended", "failed", "lost"
KEPT = 2**29  # bytes of freed memory that a worker keeps during a fit
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt
MOST_UNMAPPED = 2**25  # bytes: the largest value that glibc takes
ANSWER = 5.0  # seconds in which a worker has to answer
TOO_LATE = object()  # sent in place of a sum, where the fit is no longer wanted


class Rows(NamedTuple):
    """The rows of a rank: spectra first to stop, and their inverse variance or None."""

    first: int
    stop: int
    X: np.ndarray
    V: np.ndarray | None


Program = Callable[[Rows, Communicator], tuple[Any, list[np.ndarray]]]


class Message(NamedTuple):
    """What comes up the tree.

    kind : whether the program waits for a sum, has ended or failed, or a worker is lost
    content : the arrays to be summed, None where they are rank 0's alone; what the program found,
        of rank 0; the error
    of : what rank 0 sends to the others, where that has a name
    lines : of rank 0's progress
    """

    kind: str
    content: Any
    of: str = ""
    lines: tuple[str, ...] = ()


class Node(NamedTuple):
    """A rank, and those below it in the tree."""

    address: str
    key: str
    below: list["Node"]


class _Stopped(BaseException):
    """Ends a program that is no longer wanted."""


class ClusterCommunicator(Communicator):
    """That of a rank, in the thread of its program."""

    def __init__(self, rank: int, n_ranks: int):
        self.rank, self.n_ranks = rank, n_ranks
        self.outbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.lines: list[str] = []
        self.of_rows: list[np.ndarray] = []

    def all_reduce(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return self._exchanged(tensors, [tensor.cpu().numpy() for tensor in tensors], "")

    def broadcast(self, *tensors: Tensor, of: str = "") -> tuple[Tensor, ...]:
        own = None if self.rank else [tensor.cpu().numpy() for tensor in tensors]
        return self._exchanged(tensors, own, of)

    def _exchanged(
        self, tensors: Sequence[Tensor], own: list[np.ndarray] | None, of: str
    ) -> tuple[Tensor, ...]:
        lines, self.lines = tuple(self.lines), []
        self.outbox.put(Message(SUM, own, of, lines))
        reply = self.inbox.get()
        if reply is TOO_LATE:
            raise _Stopped
        # a copy: what came over the network may be read-only
        return tuple(
            torch.tensor(sums, dtype=like.dtype, device=like.device)
            for sums, like in zip(reply, tensors, strict=True)
        )


class Rank:
    """A Dask actor with rows of X, and the thread that works on them."""

    def __init__(self, rows: Rows, program: Program, rank: int, n_ranks: int):
        self._comm = ClusterCommunicator(rank, n_ranks)
        self._turn, self._own = -1, Message(SUM, None)
        self._lock, self.has_ended = asyncio.Lock(), False
        n_threads = get_worker().state.nthreads
        arguments = rows, program, self._comm, n_threads
        threading.Thread(target=_run, args=arguments, daemon=True, name=f"rank {rank}").start()
        weakref.finalize(self, self._comm.inbox.put, TOO_LATE)

    async def advance(self, turn: int, reply: list[np.ndarray] | None, below: list) -> Message:
        """Go on with the sum that was asked for last; the parts of the next, of all below too.

        To ask twice is to be told twice, so that a turn can be repeated where a worker was lost.
        """
        others = [asyncio.ensure_future(_advanced(node, turn, reply)) for node in below]
        async with self._lock:
            if turn > self._turn + 1:  # sums were left out: what comes of that is wrong
                return Message(FAILED, RuntimeError(f"turn {turn} after {self._turn}"))
            if turn > self._turn:
                if reply is not None:
                    self._comm.inbox.put(reply)
                self._own = await asyncio.to_thread(self._comm.outbox.get)
                self._turn = turn
                self.has_ended = self._own.kind != SUM
        return combined([self._own, *await asyncio.gather(*others)])

    async def replay(self, first: int, replies: list[list[np.ndarray] | None]) -> None:
        """Go through turns that the others have made."""
        for turn, reply in enumerate(replies, start=first):
            await self.advance(turn, reply, [])

    async def of_rows(self, number: int) -> np.ndarray:
        """The results of the program for the rows."""
        return self._comm.of_rows[number]

    async def answer(self) -> None:
        """Return at once, which shows that the rank is there."""


def found_by_rank(address: str, key: str, number: int) -> np.ndarray:
    """A task that returns the results of a rank for its rows.

    RuntimeError : the rank is gone, as after the fit, where a worker was lost with this
    """
    worker = get_worker()

    async def asked() -> dict:
        await asyncio.wait_for(worker.rpc(address).identity(), ANSWER)
        return await worker.rpc(address).actor_execute(
            function="of_rows", actor=key, args=[to_serialize(number)], kwargs={}
        )

    try:
        answer = sync(worker.loop, asked)
        assert answer["status"] == "OK"
        return answer["result"]
    except (OSError, KeyError, AssertionError, TimeoutError):
        raise RuntimeError(
            "what was found of some spectra is lost with the worker that had it: `unmix` finds "
            "their weights again, from the components"
        ) from None


async def _advanced(node: Node, turn: int, reply: list[np.ndarray] | None) -> Message:
    """`Rank.advance` of another worker's rank."""
    arguments = [to_serialize(argument) for argument in (turn, reply, node.below)]
    try:
        answer = (
            await get_worker()
            .rpc(node.address)
            .actor_execute(function="advance", actor=node.key, args=arguments, kwargs={})
        )
    except Exception as error:  # of whatever kind, as where the worker does not know the actor
        return Message(LOST, OSError(f"{node.address} from {get_worker().address}: {error}"))
    if answer["status"] != "OK":
        return Message(FAILED, answer["exception"])
    return answer["result"]


def combined(messages: list[Message]) -> Message:
    """The sum of messages, or the worst of them."""
    for kind in (LOST, FAILED):
        for message in messages:
            if message.kind == kind:
                return message
    first = messages[0]
    parts = [message.content for message in messages if message.content is not None]
    if len({message.kind for message in messages}) > 1:
        return Message(FAILED, RuntimeError("some ranks have ended, others not"))
    if first.kind == ENDED or not parts:
        return first
    if len({tuple(array.shape for array in arrays) for arrays in parts}) > 1:
        return Message(FAILED, RuntimeError("ranks have sums of different shapes"))
    sums = [sum(arrays[1:], start=arrays[0]) for arrays in zip(*parts, strict=True)]
    return first._replace(content=sums)


def _run(rows: Rows, program: Program, comm: ClusterCommunicator, n_threads: int) -> None:
    """The thread of a program."""
    torch.set_num_threads(n_threads)  # workers ask for one, of tasks of which several run
    handler = _Lines(comm)
    progress.log.addHandler(handler)
    keep_freed_memory(KEPT)
    try:
        found, comm.of_rows = program(rows, comm)
        comm.outbox.put(Message(ENDED, found if comm.rank == 0 else None, "", tuple(comm.lines)))
    except _Stopped:
        pass
    except BaseException as error:
        comm.outbox.put(Message(FAILED, error))
    finally:
        progress.log.removeHandler(handler)
        del rows
        keep_freed_memory(0)


def keep_freed_memory(n_bytes: int) -> None:
    """Have the process keep so much of what it frees; where the C library is glibc.

    Dask's workers give all of it back at once, and each new array costs page faults: with weights
    an iteration takes 2.4 times as long.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, min(max(n_bytes, 2**17), MOST_UNMAPPED))
        libc.mallopt(M_TRIM_THRESHOLD, max(n_bytes, 2**16))  # Dask's own is the least
        if n_bytes == 0:
            libc.malloc_trim(0)
    except (OSError, AttributeError):
        return


class _Lines(logging.Handler):
    """Keeps what the program's thread logs, for the client."""

    def __init__(self, comm: ClusterCommunicator):
        super().__init__()
        self.comm, self.of_thread = comm, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if self.comm.rank == 0 and record.thread == self.of_thread:
            self.comm.lines.append(record.getMessage())
