"""How many threads numpy and torch take, which wait for one another."""

import contextlib
import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

LARGE = 2**23  # values of X from which passes over it gain by more threads


def one_blas_thread() -> AbstractContextManager:
    """A context in which numpy takes one thread, and torch, which makes the passes over X, all.

    Two pools of threads in turn wait for the same cores: a fit of 80 x 2250 pixels with weights
    takes up to 5 times as long on 2 cores.
    """
    return _thread_pools().limit(limits=1, user_api="blas")


@contextlib.contextmanager
def threads_for(X: np.ndarray) -> Iterator[None]:
    """A context for batches of fits of X: one thread of torch too, unless X is large.

    The threads of small operations wait for one another: with two a batch of fits of 80 x 4739
    pixels takes eight times as long.
    """
    n_threads = torch.get_num_threads()
    with one_blas_thread():
        if X.size < LARGE:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)


@functools.cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all libraries that are loaded, once
