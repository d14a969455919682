"""The scale of X and of its weights v, which a fit is made without.

A fit multiplies squares of X with one another, and these leave the range of float64 where X is
about 1e-80 or 1e80, that of float32 where it is 1e-10.  So X and v are divided by powers of two,
which is exact, and what comes of them is multiplied by these in the end.  The powers are even,
so that square roots are exact too.  Where the largest v X^2 is far below the largest v times the
largest X^2, as in spectra of several units with the v of each, X is divided such that v X^2, and
not X, comes near 1: F is a sum of these.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .communication import ALONE, Communicator

Array = np.ndarray | Tensor  # as the caller has it
ORDINARY = 20  # binary orders from 1 within which data stay as they are, and are not copied
BLOCK = 2**22  # values looked at together
COMPENSATED = 0.2  # power of the least number: sqrt(v) |X| this far below its factors decides
SIGNS = torch.tensor([1.0, -1.0, 1.0, 1.0], dtype=torch.float64)  # the second limit is the least
MOST = 1000  # of an exponent: further ones have no power of two in float64


@dataclasses.dataclass(frozen=True)
class Scale:
    """X is 2^x times, and v 2^v times, what a fit is made of."""

    x: int = 0
    v: int = 0

    def of_squares(self, value: ArrayLike) -> np.ndarray:
        """In the caller's unit, a sum of v X^2."""
        return np.ldexp(value, 2 * self.x + self.v)

    def of_roots(self, value: float) -> float:
        """In the caller's unit, the root of a sum of v X^2."""
        return np.ldexp(value, self.x + self.v // 2)

    def of_weights(self, W: np.ndarray) -> np.ndarray:
        """In the caller's unit, the weights of components, which have that of X."""
        return np.ldexp(W, self.x)

    def check_sum(self, sum_of_squares: float) -> None:
        """ValueError : in the caller's unit the sum of v X^2, or its digits, leave float64."""
        info, whole = np.finfo(float), np.frexp(sum_of_squares)[1] + 2 * self.x + self.v
        if sum_of_squares and not info.minexp < whole < info.maxexp:
            raise ValueError(
                f"the sum of X^2, times inverse_variance where there is one, is about "
                f"1e{whole * np.log10(2):.0f}, out of the range of float64: give X or "
                "inverse_variance in another unit"
            )


def scale_of(X: Array, v: Array | None, dtype: torch.dtype, comm: Communicator = ALONE) -> Scale:
    """The scale of X and of v or None, tensors or arrays on disk, for a fit in dtype.

    comm : the processes that have further spectra

    ValueError : X has NaN or infinite values under weight, or v negative, NaN or infinite ones;
        they are out of dtype's range, or span more than it holds
    """
    info = torch.finfo(dtype)
    elsewhere = " or dtype='float64'" if dtype == torch.float32 else ""
    of_blocks = [_limits(*block) for block in _blocks(X, v)]
    limits = torch.tensor(of_blocks, dtype=torch.float64) * SIGNS
    largest, least, heaviest, peak = (comm.largest(limits.amax(dim=0)) * SIGNS).tolist()
    if largest and not info.tiny <= largest <= info.max * info.eps:
        raise ValueError(
            f"X has values up to {largest:.2g}, too near the limits of {info.dtype}: give it in "
            f"another unit{elsewhere and ',' + elsewhere}"
        )
    if v is None or not largest:
        return Scale(int(exponent(largest)))
    if least < heaviest * info.tiny**0.75:
        raise ValueError(
            f"inverse_variance goes from {least:.2g} to {heaviest:.2g}, further than {info.dtype} "
            f"does in products: the least ones need to be 0{elsewhere and ',' + elsewhere}"
        )
    faintest = largest * (least / heaviest) ** 0.5  # that peak can be; it may have left float64
    peak = np.clip(peak / heaviest**0.5, faintest, largest)
    of_x = peak if peak < largest * info.tiny**COMPENSATED else largest
    return Scale(int(exponent(of_x)), int(exponent(heaviest)))


def exponent(largest: float | np.ndarray) -> np.ndarray:
    """Of the even power of two to divide values up to `largest` by, each; 0 at ordinary scale."""
    found = np.frexp(largest)[1] // 2 * 2
    return np.where(np.abs(found) > ORDINARY, np.clip(found, -MOST, MOST), 0)


def divided(Z: Tensor, exponent: int) -> Tensor:
    """Z over that power of two, Z itself where it is 0."""
    if exponent == 0:
        return Z
    return (Z if abs(exponent) < 120 else Z.double()) * 2.0**-exponent  # float32 ends at 2^128


def read(rows: Array) -> Tensor:
    """Rows of an array, of any byte order and kind of number, as a tensor of a kind of float."""
    if isinstance(rows, Tensor):
        return rows
    kind = np.result_type(rows.dtype, np.float32)
    shared = rows.dtype == kind and rows.flags.writeable  # torch refuses to share what is not
    return torch.from_numpy(np.asarray(rows) if shared else np.array(rows, dtype=kind))


def _blocks(X: Array, v: Array | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """(X, v) of consecutive rows, v None where it is."""
    step = max(1, BLOCK // X.shape[1])
    for first in range(0, X.shape[0], step):
        rows = slice(first, first + step)
        yield read(X[rows]), None if v is None else read(v[rows])


def _limits(X: Tensor, v: Tensor | None) -> tuple[float, float, float, float]:
    """The largest |X|, least and largest v, and largest sqrt(v) |X|, where v > 0; v None is 1."""
    least, heaviest, where = 1.0, 1.0, ": give an inverse_variance of 0 where it has no value"
    if v is not None:
        if not bool(((v >= 0) & (v < torch.inf)).all()):
            raise ValueError("inverse_variance has negative, NaN or infinite values")
        X, where = torch.where(v > 0, X, 0), " where inverse_variance is not 0"
        least, heaviest = float(torch.where(v > 0, v, torch.inf).min()), float(v.max())
    largest = max(map(abs, map(float, torch.aminmax(X))))
    if not np.isfinite(largest):
        raise ValueError(f"X has NaN or infinite values{where}")
    peak = largest if v is None else float((v.double().sqrt() * X).abs().max())
    return largest, least, heaviest, peak
