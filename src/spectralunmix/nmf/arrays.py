"""Callers' arrays, and back: numpy, torch, pandas, and arrays on disk."""

import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


def on_disk(X: object) -> bool:
    """Whether X is an array whose values lie in a mapped file, or are read as if they did."""
    if getattr(X, "read_in_blocks", False):
        return True
    while isinstance(X, np.ndarray):
        X = X.base
    return isinstance(X, mmap.mmap)


def device_named(name: str) -> torch.device:
    """The device, "auto" being a CUDA device where there is one.

    ValueError : a CUDA device is asked for and absent, or one of another kind
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if str(name).partition(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"device={name!r}: 'cpu', 'cuda' or 'auto' is needed")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={name!r}: there is no CUDA device; use 'cpu' or 'auto'")
    return device


def as_tensor(Z: np.ndarray) -> Tensor:
    """A numpy array as a tensor of the same memory, copied where torch cannot share it."""
    shared = Z.flags.writeable and min(Z.strides, default=0) >= 0
    return torch.from_numpy(Z if shared else Z.copy())


def float_array(Z: ArrayLike | Tensor) -> np.ndarray:
    """Z, of any kind, as a numpy array of float64."""
    if isinstance(Z, Tensor):
        return Z.detach().to("cpu", torch.float64).numpy()
    return np.asarray(Z, float)


def as_given(X: object, dtype: str) -> Callable[[np.ndarray], np.ndarray | Tensor]:
    """What makes a numpy array one of X's kind, on its device, in the precision asked for."""
    if isinstance(X, Tensor):
        return lambda Z: torch.from_numpy(np.ascontiguousarray(Z, dtype=dtype)).to(X.device)
    return lambda Z: np.ascontiguousarray(Z, dtype=dtype)


def checked_weights(v: Any, X: np.ndarray | Tensor) -> np.ndarray | Tensor | None:
    """v as X is kept: as a tensor, or as an array that is read in blocks of rows; None as None.

    ValueError : v is not of the shape of X
    """
    if v is None:
        return None
    v = v if isinstance(v, (np.ndarray, Tensor)) or on_disk(v) else np.asarray(v)
    if tuple(v.shape) != tuple(X.shape):
        raise ValueError(f"inverse_variance is {tuple(v.shape)}, X is {tuple(X.shape)}")
    if not isinstance(X, Tensor):
        return v.cpu().numpy() if isinstance(v, Tensor) else v
    return v.to(X.device) if isinstance(v, Tensor) else as_tensor(np.asarray(v, float)).to(X.device)
