"""`cross_validate` and `bootstrap` of a Dask array, on the cluster of the current client."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import distributed
import numpy as np
import torch

from ..model_selection import CrossValidation, Folds, cross_validation_of
from ..nmf.checks import spectra_of
from ..nmf.communication import Communicator
from ..threads import threads_for
from ..uncertainty import Bootstrap, Resampling, bootstrap_of
from .conductor import conduct
from .fits import rows_of
from .rank import Rows

if TYPE_CHECKING:
    import dask.array as da


def cross_validation(
    X: "da.Array", V: "da.Array | None", plan: Folds, n_components: Sequence[int]
) -> CrossValidation:
    """`cross_validate` after its checks, with folds that are drawn; errors come to the client."""
    program = functools.partial(_cross_validate, plan, n_components)
    found = conduct(distributed.get_client(), X, V, program, 1)
    n_columns = len(n_components) * len(plan.smoothness)
    errors = rows_of(found, 0, n_columns, np.float64).compute().T
    shape = len(n_components), len(plan.smoothness), X.shape[0]
    return dataclasses.replace(found.of_all, errors=errors.reshape(shape))


def _cross_validate(
    plan: Folds, n_components: Sequence[int], rows: Rows, comm: Communicator
) -> tuple[CrossValidation, list[np.ndarray]]:
    """A rank's program."""
    plan = plan._replace(held=[held[rows.first : rows.stop] for held in plan.held])
    with threads_for(rows.X):
        spectra = spectra_of(rows.X, rows.V, "cpu", torch.float64, comm)
        found = cross_validation_of(spectra, plan, n_components)
    errors = found.errors.reshape(-1, found.errors.shape[2]).T
    return dataclasses.replace(found, errors=np.empty((0, 0, 0))), [errors]


def bootstrap_of_dask(
    X: "da.Array", V: "da.Array | None", H: np.ndarray, plan: Resampling
) -> Bootstrap:
    """`bootstrap` after its checks; the counts stay on the workers."""
    program = functools.partial(_bootstrap, H, plan)
    found = conduct(distributed.get_client(), X, V, program, 1)
    counts = rows_of(found, 0, len(plan.numbers), np.int64).T
    return dataclasses.replace(found.of_all, counts=counts)


def _bootstrap(
    H: np.ndarray, plan: Resampling, rows: Rows, comm: Communicator
) -> tuple[Bootstrap, list[np.ndarray]]:
    """A rank's program."""
    found = bootstrap_of(rows.X, rows.V, H, plan, slice(rows.first, rows.stop), comm)
    return dataclasses.replace(found, counts=np.empty((0, 0))), [found.counts.T]
