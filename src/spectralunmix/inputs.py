"""Turns spectra, as callers give them, into arrays for fits."""

import importlib
import sys
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor

from .nmf.arrays import on_disk
from .nmf.checks import check_not_masked, check_two_dimensions

Array = Any  # of numpy, in memory or on disk, of torch, pandas or Dask
FLOATS = (np.float64, np.float32)  # types that are not converted


def is_dask(X: Any) -> bool:
    """Whether X is a Dask array; Dask is not imported to find out."""
    dask_array = sys.modules.get("dask.array")
    return dask_array is not None and isinstance(X, dask_array.Array)


def current_client() -> Any:
    """The `distributed.Client` of the cluster that Dask uses now, None where there is none."""
    distributed = sys.modules.get("distributed")
    try:
        client = None if distributed is None else distributed.get_client()
    except ValueError:
        return None
    if client is not None and client.asynchronous:
        raise ValueError(
            "the Dask client is asynchronous: fits need a Client with asynchronous=False"
        )
    return client


def of_cluster(X: Any) -> bool:
    """Whether X is a Dask array, and there is a cluster to work on it."""
    return is_dask(X) and current_client() is not None


def for_dask(name: str) -> ModuleType:
    """Import a module of `cluster`, which is needed for Dask arrays alone."""
    return importlib.import_module(f"spectralunmix.cluster.{name}")


def as_floats(X: Array) -> Array:
    """X, converted to floats by scikit-learn if it is not of floats already.

    scikit-learn is imported only where it is needed, because that takes a second.
    """
    floats = type(X) is np.ndarray and X.dtype in FLOATS and X.ndim == 2 and X.size > 0
    if floats or on_disk(X) or isinstance(X, Tensor) or is_dask(X):
        return X
    from sklearn.utils.validation import check_array

    return check_array(X, dtype=FLOATS, ensure_all_finite=False)


def in_memory(X: Array, inverse_variance: Array | None) -> np.ndarray:
    """X (n_spectra, n_wave) as an array of numpy, checked, for fits of parts of it.

    ValueError : of `check_not_masked` and `check_two_dimensions`; a Dask array
    """
    if is_dask(X):
        raise ValueError(
            "X is a Dask array, and this needs it in memory: give X.compute(), or a part of the "
            "spectra; with a cluster (`client = distributed.Client()`) cross_validate and "
            "bootstrap take it as it is"
        )
    check_not_masked(X, inverse_variance)
    if isinstance(X, Tensor):
        X = X.detach().cpu().numpy()
    if on_disk(X):
        X = np.array(X, dtype=np.result_type(X.dtype, np.float32).newbyteorder("="))
    X = as_floats(X)
    check_two_dimensions(X)
    return X
