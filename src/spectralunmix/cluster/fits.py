"""`smooth_nmf` of a Dask array."""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..factorisation import Result, results
from ..inputs import current_client
from ..nmf.checks import Settings, check_rank
from ..nmf.communication import Communicator
from ..nmf.progress import heard
from .arrays import Chunked, checked

if TYPE_CHECKING:
    import dask.array as da

    from .conductor import Found
    from .rank import Rows


def results_of_dask(
    X: "da.Array",
    inverse_variance: Any,
    settings: Settings,
    smoothness: list[float],
    every_start: bool,
) -> list[list[Result]]:
    """`factorisation.results` of a Dask array: on the cluster of the current client, or here."""
    import dask.array as da

    X, V = checked(X, inverse_variance)
    check_rank(settings.n_components, X.shape)
    client = current_client()
    if client is None:
        given = Chunked(X), None if V is None else Chunked(V)
        found = results(*given, settings, smoothness, every_start)
        chunks = X.chunks[0], (settings.n_components,)
        return _with_weights(found, lambda W, _: da.from_array(W, chunks=chunks))
    from .conductor import conduct

    if settings.verbose:
        heard()
    program = functools.partial(_fit, settings, smoothness, every_start)
    n_fits = len(smoothness) * (_n_starts(settings) if every_start else 1)
    of_cluster = conduct(client, X, V, program, n_fits, np.dtype(settings.dtype).itemsize)
    return _with_weights(
        of_cluster.of_all,
        lambda _, number: rows_of(
            of_cluster, number, settings.n_components, settings.dtype
        ).rechunk({0: X.chunks[0]}),
    )


def _with_weights(found: list[list[Result]], made: Any) -> list[list[Result]]:
    """Replace the weights of each result by what `made` gives for them and a running number."""
    numbers = iter(range(sum(map(len, found))))
    return [
        [
            dataclasses.replace(fit, weights=made(fit.weights, next(numbers)))
            for fit in of_smoothness
        ]
        for of_smoothness in found
    ]


def _n_starts(settings: Settings) -> int:
    if isinstance(settings.init, str):
        return settings.n_restarts
    return 1 if np.ndim(settings.init) == 2 else len(settings.init)


def _fit(
    settings: Settings,
    smoothness: list[float],
    every_start: bool,
    rows: "Rows",
    comm: Communicator,
) -> tuple[list[list[Result]], list[np.ndarray]]:
    """The program of a rank: the fits, and the weights of its own rows."""
    found = results(rows.X, rows.V, settings, smoothness, every_start, comm)
    weights = [fit.weights for of_smoothness in found for fit in of_smoothness]
    return _with_weights(found, lambda *_: None), weights


def rows_of(found: "Found", number: int, n_columns: int, dtype: Any) -> "da.Array":
    """A Dask array (n_spectra, n_columns) of the ranks' results for their rows, on the workers."""
    import dask.array as da

    parts = [
        da.from_delayed(future, shape=(n, n_columns), dtype=dtype)
        for future, n in zip(found.of_rows[number], found.rows, strict=True)
    ]
    return da.concatenate(parts, axis=0)
