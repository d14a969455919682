"""Limits the threads of numpy and torch, which would wait for each other."""

import contextlib
import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

LARGE = 2**23  # values of X from which on several threads make passes over it faster


def one_blas_thread() -> AbstractContextManager:
    """A context in which numpy has a single thread, and torch, which makes passes over X, all.

    Two pools of threads would wait for the same cores: on 2 cores, a fit of 80 x 2250 values with
    inverse variance would take up to 5 times as long.
    """
    return _thread_pools().limit(limits=1, user_api="blas")


@contextlib.contextmanager
def threads_for(X: np.ndarray) -> Iterator[None]:
    """A context for batches of fits of X: a single thread of torch, too, unless X is large.

    In small operations threads wait for each other: with two threads, a batch of fits of
    80 x 4739 values takes eight times as long.
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
