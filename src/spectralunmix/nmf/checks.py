"""Checks of what callers give: an error names what is wrong, and the way out."""

import contextlib
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import starts
from .arrays import as_tensor, checked_weights, device_named, on_disk
from .communication import ALONE, Communicator
from .data import Spectra
from .scale import scale_of
from .schemes import SCHEMES

MOST_SMOOTHNESS = 1e9  # by rounding, the optimality cannot fall below about 1e-16 times this
DTYPES = {"float64": torch.float64, "float32": torch.float32}
OUT_OF_MEMORY = "out of memory", "can't allocate memory", "DefaultCPUAllocator"  # in torch's errors

RandomState = int | np.random.Generator | np.random.RandomState | None


class Settings(NamedTuple):
    """The parameters of `smooth_nmf` without the data, under the same names."""

    n_components: int
    smoothness: float
    init: Any
    n_restarts: int
    solver: str
    max_iter: int
    tol: float
    random_state: RandomState
    device: str
    dtype: str
    verbose: int

    def check(self) -> None:
        """ValueError : a parameter is out of its range."""
        for name in ("n_components", "n_restarts", "max_iter"):
            check_whole_number(name, getattr(self, name))
        check_smoothness(self.smoothness)
        check_at_least_zero("tol", self.tol)
        check_at_least_zero("verbose", self.verbose)
        if isinstance(self.init, str) and self.init not in starts.NAMES:
            raise ValueError(f"init={self.init!r}: 'nndsvd', 'spa', 'random' or an array is needed")
        if self.n_restarts > 1 and not (isinstance(self.init, str) and self.init == "random"):
            raise ValueError(f"n_restarts={self.n_restarts} needs init='random'")
        for name, possible in (("solver", SCHEMES), ("dtype", DTYPES)):
            if getattr(self, name) not in list(possible):
                words = " or ".join(map(repr, possible))
                raise ValueError(f"{name}={getattr(self, name)!r}: {words} is needed")


def check_whole_number(name: str, value: object, least: int = 1) -> None:
    """ValueError : the value is not a whole number, or is less than `least`."""
    if not (isinstance(value, Integral) and int(value) >= least):
        raise ValueError(f"{name}={value!r}: a whole number of at least {least} is needed")


def check_at_least_zero(name: str, value: object) -> None:
    """ValueError : the value is not a finite number, or is less than 0."""
    if not (isinstance(value, Real) and 0 <= float(value) < np.inf):
        raise ValueError(f"{name}={value!r}: a finite number of at least 0 is needed")


def check_smoothness(value: object) -> None:
    """ValueError : the value is not a number from 0 to MOST_SMOOTHNESS."""
    check_at_least_zero("smoothness", value)
    if value > MOST_SMOOTHNESS:  # type: ignore[operator]  # a real number: checked above
        raise ValueError(
            f"smoothness={value!r}: at most {MOST_SMOOTHNESS:g} is needed; that "
            "smooths over 30 000 channels, and more cannot be told from rounding"
        )


def check_not_masked(X: Any, inverse_variance: Any) -> None:
    """ValueError : an argument is a masked array, whose mask would be lost."""
    if np.ma.is_masked(X) or np.ma.is_masked(inverse_variance):
        raise ValueError(
            "a masked array: give its values, and an inverse_variance of 0 where masked"
        )


def check_two_dimensions(X: Any) -> None:
    """ValueError : X is not (n_spectra, n_wave), or empty."""
    if X.ndim != 2:
        raise ValueError(f"X has {X.ndim} dimensions, not (n_spectra, n_wave)")
    if 0 in X.shape:
        raise ValueError(f"X is {tuple(X.shape)}: it needs a spectrum and a channel at the least")


def check_rank(n_components: int, shape: tuple[int, int]) -> None:
    """ValueError : more components than spectra of this shape, (n_spectra, n_wave), can give."""
    if n_components > min(shape):
        raise ValueError(
            f"n_components={n_components} is more than {shape[0]} spectra "
            f"of {shape[1]} channels can give"
        )


def check_components(H: np.ndarray, n_wave: int) -> None:
    """ValueError : H is not (k, n_wave), or not finite."""
    if H.ndim != 2 or 0 in H.shape or not np.isfinite(H).all():
        raise ValueError(f"components {H.shape}: finite values of shape (k, n_wave) are needed")
    if H.shape[1] != n_wave:
        raise ValueError(f"X has {n_wave} channels, the components have {H.shape[1]}")


def spectra_of(
    X: Any,
    inverse_variance: Any,
    device_name: str,
    dtype: torch.dtype,
    comm: Communicator = ALONE,
) -> Spectra:
    """X, a tensor or an array, and its inverse variance, after a check and on their device.

    comm : the processes that have further spectra

    ValueError : of `checked_weights`, `scale_of` and `Scale.check_sum`
    """
    device = X.device if isinstance(X, Tensor) else device_named(device_name)
    if isinstance(X, Tensor):
        X = X.detach().to(device)
        X = X if X.is_floating_point() else X.to(dtype)
    elif not on_disk(X):
        X = as_tensor(X).to(device)
    v = checked_weights(inverse_variance, X)
    scale = scale_of(X, v, dtype, comm)
    spectra = Spectra(X, v, device=device, dtype=dtype, scale=scale, comm=comm)
    spectra.scale.check_sum(float(spectra.sum_of_squares))
    return spectra


@contextlib.contextmanager
def memory_explained(X: Any, inverse_variance: Any, dtype: str, device: str) -> Iterator[None]:
    """Raise an error that says how much memory a fit needs, where there is too little."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        of_torch = any(words in str(error) for words in OUT_OF_MEMORY)
        if not (isinstance(error, MemoryError) or of_torch):
            raise
        copies = 2 if inverse_variance is None else 5  # X, v, v X, and a copy while that is made
        size = X.shape[0] * X.shape[1] * np.dtype(dtype).itemsize * copies / 2**30
        raise MemoryError(
            f"a fit of {X.shape[0]} x {X.shape[1]} values in {dtype} needs about "
            f"{size:.2g} GiB on {device!r}: give X as a memory-mapped array, "
            "dtype='float32', or fewer spectra"
        ) from error
