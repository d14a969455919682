"""X and its weights, as the products that fits need of them.

X alone is large: it stays on its device and in its precision, or on disk, and is gone through here
only.  Factors and products are tensors of float64 on the same device, batch first, so that one pass
serves several fits.  W and all products with it are transposed, (batch, k, n_spectra).
"""

import copy
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from . import device
from .communication import ALONE, Communicator
from .compression import Compressed, sketch
from .scale import Scale, divided, read

OVERSAMPLING = 16  # directions of a sketch beyond k
BLOCK = 2**26  # bytes of X worked on at once, where it is on disk or a copy is needed
READ = 2**21  # bytes of X that are read from disk at once: what is made of them stays at hand
CACHED = 2**20  # bytes that a CPU keeps at hand: 3 times faster where a model is made of them


class Data(Protocol):
    """All that a fit needs of X, and the only place that knows where X lies.

    Attributes
    ----------
    shape : tuple of int
        (n_spectra, n_wave), of the spectra that this process has
    comm : Communicator
        The processes that have the others: products with W and sums are of all spectra.
    pixel_weights : bool
        Whether pixels have weights, so that each channel and spectrum has a Gram matrix of its own.
    eps : float
        Relative rounding of X.
    sum_of_squares : Tensor
        sum_ij v_ij X_ij^2, (1,) or (batch,).
    mean_weight : Tensor
        v_i, the mean of each spectrum's weights above 0, (1, n_spectra) or (batch, n_spectra).
    row_weight : Tensor or None
        How often each spectrum counts in each fit, (batch, n_spectra); None is once.
    """

    shape: tuple[int, int]
    comm: Communicator
    pixel_weights: bool
    eps: float
    sum_of_squares: Tensor
    mean_weight: Tensor
    row_weight: Tensor | None

    def times_components(self, H: Tensor) -> Tensor:
        """H (v X)', (batch, k, n_spectra); one pass over X."""

    def times_weights(self, Wt: Tensor) -> Tensor:
        """W' (v X), (batch, k, n_wave); one pass over X."""

    def products_with_weights(self, Wt: Tensor) -> tuple[Tensor, Tensor]:
        """`times_weights` and `gram_weights`."""

    def gram_components(self, H: Tensor) -> Tensor:
        """H diag(v_i) H' of each spectrum i, (batch, k, k, 1 or n_spectra)."""

    def gram_weights(self, Wt: Tensor) -> Tensor:
        """W' diag(v_j) W of each channel j, (batch, k, k, 1 or n_wave)."""

    def of_fits(self, fits: Tensor) -> "Data":
        """The same for those fits of the batch."""


class WeightedData(Data, Protocol):
    """Data whose pixels have weights."""

    def model_times_weights(self, Wt: Tensor, dWt: Tensor, H: Tensor) -> Tensor:
        """W' (v (dW H)), (batch, k, n_wave)."""

    def model_times_components(self, H: Tensor, Wt: Tensor, dH: Tensor) -> Tensor:
        """H (v (W dH))', (batch, k, n_spectra)."""


class Block(NamedTuple):
    """Consecutive spectra: which, their values, weights (None for 1 throughout), and v X."""

    rows: slice
    X: Tensor
    V: Tensor | None
    VX: Tensor


class Spectra:
    """X (n_spectra, n_wave), in memory or on disk, with inverse variance and weights of spectra.

    Parameters
    ----------
    X : Tensor or array
        A tensor, or an array on disk of any byte order (memory-mapped, a FITS image), which each
        pass reads in blocks of rows and converts to `dtype` on `device`.
    V : Tensor or array, default None
        The inverse variance, of X's shape and kind, or a tensor (batch, n_spectra, n_wave) with
        that of each fit.  A value whose inverse variance is 0 counts for nothing, NaN included.
    row_weight : Tensor, default None
        How often each spectrum counts in each fit, (batch, n_spectra).
    device, dtype
        Where and in which precision passes over X are made.
    scale : Scale
        What X and V are divided by; all products are of what is left.
    comm : Communicator
        The processes that have further spectra, each a `Spectra` with the same settings.
    """

    def __init__(
        self,
        X: Any,
        V: Any = None,
        row_weight: Tensor | None = None,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
        scale: Scale = Scale(),  # noqa: B008 - it is frozen
        comm: Communicator = ALONE,
    ):
        self.shape = (int(X.shape[0]), int(X.shape[1]))
        self.scale, self.pixel_weights, self.row_weight = scale, V is not None, row_weight
        self.comm = comm
        self.n_in_all = int(comm.total(torch.tensor(self.shape[0])))
        self.eps = torch.finfo(dtype).eps
        self.device, self.dtype = torch.device(device), dtype
        row_bytes = self.shape[1] * dtype.itemsize
        self._rows_of_a_block = max(1, BLOCK // row_bytes)
        self._rows_cached = max(1, min(CACHED, BLOCK) // row_bytes)
        self._rows_read = max(1, min(READ, BLOCK) // row_bytes)
        self._in_memory = self._block(slice(0, len(X)), X, V) if isinstance(X, Tensor) else None
        self._on_disk: tuple[Any, Any] = (None, None) if self._in_memory else (X, V)
        self._count()

    def _count(self) -> None:
        """What is known of X as a whole."""
        self._sketches: dict[int, Compressed] = {}
        squares, means = [], []
        for rows, X, V, _ in self.pieces():
            of_row = (X.square() if V is None else V * X.square()).double().sum(dim=-1)
            count = None if self.row_weight is None else self.row_weight[:, rows]
            squares.append(torch.atleast_1d((of_row if count is None else of_row * count).sum(-1)))
            means.append(torch.atleast_2d(mean_weight(X, V)))
        self.sum_of_squares = self.comm.total(torch.stack(squares).sum(dim=0))
        self.mean_weight = torch.cat(means, dim=1)

    def unweighted(self) -> Self:
        """The same X, zero where its weight is 0, with weight 1 throughout."""
        if not self.pixel_weights and self.row_weight is None:
            return self
        same = copy.copy(self)
        same.pixel_weights, same.row_weight = False, None
        if self._in_memory:
            X = self._in_memory.X
            X = X if X.ndim == 2 else X[0]
            same._in_memory = self._in_memory._replace(X=X, V=None, VX=X)
        same._count()
        return same

    def counted(self, row_weight: Tensor) -> Self:
        """The same spectra, each so often in each fit, (batch, n_spectra)."""
        same = copy.copy(self)
        same.row_weight = row_weight.to(self.device)
        same._count()
        return same

    def rows(self, which: np.ndarray) -> "Spectra":
        """Some of the spectra, (n_spectra,) bool, where they are in memory."""
        assert self._in_memory is not None
        at = torch.from_numpy(np.flatnonzero(which)).to(self.device)
        X, V = (None if Z is None else Z[at] for Z in (self._in_memory.X, self._in_memory.V))
        return Spectra(X, V, device=self.device, dtype=self.dtype, comm=self.comm)

    def of_fits(self, fits: Tensor) -> Self:
        block = self._in_memory
        per_fit = block is not None and block.VX.ndim == 3
        if self.row_weight is None and not per_fit:
            return self
        same = copy.copy(self)
        if self.row_weight is not None:
            same.row_weight = self.row_weight[fits]
        if len(self.sum_of_squares) > 1:
            same.sum_of_squares = self.sum_of_squares[fits]
        if len(self.mean_weight) > 1:
            same.mean_weight = self.mean_weight[fits]
        if block is not None and block.V is not None and per_fit:
            same._in_memory = Block(block.rows, block.X[fits], block.V[fits], block.VX[fits])
        return same

    def blocks(self, first: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Consecutive rows, those in memory as one block."""
        if self._in_memory:
            yield self._in_memory
            return
        X, V = self._on_disk
        stop = stop or self.shape[0]
        for start in range(first, stop, self._rows_read):
            rows = slice(start, min(start + self._rows_read, stop))
            yield self._block(rows, X[rows], None if V is None else V[rows])

    def pieces(self) -> Iterator[Block]:
        """Blocks of at most BLOCK bytes, those in memory too."""
        for rows, X, V, VX in self.blocks():
            for first in range(rows.start, max(rows.stop, 1), self._rows_of_a_block):
                at = slice(first, min(first + self._rows_of_a_block, rows.stop))
                part = slice(at.start - rows.start, at.stop - rows.start)
                weights = None if V is None else V[..., part, :]
                yield Block(at, X[..., part, :], weights, VX[..., part, :])

    def times_components(self, H: Tensor) -> Tensor:
        """H (v X)', (batch, k, n_spectra)."""
        return self._joined(H, "VX")

    def times_weights(self, Wt: Tensor) -> Tensor:
        """W' (v X), (batch, k, n_wave)."""
        return self.comm.total(self._summed(self._counted(Wt), "VX"))

    def products_with_weights(self, Wt: Tensor) -> tuple[Tensor, Tensor]:
        counted = self._counted(Wt)
        if not self.pixel_weights:
            WtX, gram = self.comm.all_reduce(self._summed(counted, "VX"), Wt @ counted.mT)
            return WtX, gram[..., None]
        of_all = self._summed(counted, "VX"), self._summed(_pairs(Wt, counted), "V")
        WtX, pairs = self.comm.all_reduce(*of_all)
        return WtX, _matrices(pairs)

    def gram_components(self, H: Tensor) -> Tensor:
        if not self.pixel_weights:
            return (H @ H.mT)[..., None]
        return _matrices(self._joined(_pairs(H), "V"))

    def gram_weights(self, Wt: Tensor) -> Tensor:
        counted = self._counted(Wt)
        if not self.pixel_weights:
            return self.comm.total(Wt @ counted.mT)[..., None]
        return _matrices(self.comm.total(self._summed(_pairs(Wt, counted), "V")))

    def _counted(self, Wt: Tensor) -> Tensor:
        """W', each spectrum as often as it counts."""
        return Wt if self.row_weight is None else Wt * self.row_weight[:, None]

    def model_times_weights(self, Wt: Tensor, dWt: Tensor, H: Tensor) -> Tensor:
        Wt, dWt, H = (Z.to(self.dtype) for Z in (self._counted(Wt), dWt, H))
        total = torch.zeros_like(H)
        for rows, V in self._weights_in_pieces():
            for fit in range(len(H)):
                model = (dWt[fit, :, rows].mT @ H[fit]).mul_(V if V.ndim == 2 else V[fit])
                total[fit] += Wt[fit, :, rows] @ model
        return self.comm.total(total.double())

    def model_times_components(self, H: Tensor, Wt: Tensor, dH: Tensor) -> Tensor:
        H, Wt, dH = (Z.to(self.dtype) for Z in (H, Wt, dH))
        made = torch.empty_like(Wt)
        for rows, V in self._weights_in_pieces():
            for fit in range(len(H)):
                model = (Wt[fit, :, rows].mT @ dH[fit]).mul_(V if V.ndim == 2 else V[fit])
                made[fit, :, rows] = H[fit] @ model.mT
        return made.double()

    def _weights_in_pieces(self) -> Iterator[tuple[slice, Tensor]]:
        """Weights of consecutive spectra, as many as is fast on their device."""
        step = self._rows_cached if self.device.type == "cpu" else self._rows_of_a_block
        for start in range(0, self.shape[0], step):
            rows = slice(start, min(start + step, self.shape[0]))
            if self._in_memory:
                assert self._in_memory.V is not None
                yield rows, self._in_memory.V[..., rows, :]
            else:
                yield rows, self._weights(self._on_disk[1][rows])

    def misfit(self, Wt: Tensor, H: Tensor) -> float:
        """sum_ij v_ij (X - W H)_ij^2 of one fit, from W' (k, n_spectra) and H (k, n_wave)."""
        Wt, H, total = Wt.to(self.dtype), H.to(self.dtype), 0.0
        for rows, X, V, _ in self.pieces():
            squares = (X - Wt[:, rows].mT @ H).square_()
            total += float((squares if V is None else squares.mul_(V)).sum())
        return float(self.comm.total(torch.tensor(total, dtype=torch.float64)))

    def squared_lengths(self) -> Tensor:
        """sum_j X_ij^2 of each spectrum i, (n_spectra,), weights left out."""
        return torch.cat([X.square().sum(dim=1).double() for _, X, *_ in self.pieces()])

    def row(self, i: int) -> Tensor:
        """Spectrum i, (n_wave,)."""
        if self._in_memory:
            return self._in_memory.X[i].double()
        return next(X[i - rows.start].double() for rows, X, *_ in self.blocks(i, i + 1))

    def sketch(self, k: int) -> Compressed:
        """`compression.sketch` of X to a few more directions than k, made once."""
        if k not in self._sketches:
            self._sketches[k] = sketch(self, min(k + OVERSAMPLING, self.n_in_all, self.shape[1]))
        return self._sketches[k]

    def _summed(self, Z: Tensor, factor: str) -> Tensor:
        """The products of Z (batch, any, n_spectra) with V or VX, summed over the blocks."""
        Z = Z.to(self.dtype)
        parts = (_times(Z[..., rows], values) for rows, values in self._of_blocks(factor))
        return functools.reduce(torch.add, parts).double()

    def _joined(self, Z: Tensor, factor: str) -> Tensor:
        """The products of Z (batch, any, n_wave) with V' or VX', block by block."""
        Z = Z.to(self.dtype)
        made = [_times(Z, values.mT) for _, values in self._of_blocks(factor)]
        return (made[0] if len(made) == 1 else torch.cat(made, dim=-1)).double()

    def _of_blocks(self, factor: str) -> Iterator[tuple[slice, Tensor]]:
        """Rows, and V or VX of them; of those on disk no more is read than that takes."""
        if self._in_memory or factor != "V":
            yield from ((block.rows, getattr(block, factor)) for block in self.blocks())
            return
        for start in range(0, self.shape[0], self._rows_read):
            rows = slice(start, min(start + self._rows_read, self.shape[0]))
            yield rows, self._weights(self._on_disk[1][rows])

    def _weights(self, V: Any) -> Tensor:
        return divided(read(V), self.scale.v).to(self.device, self.dtype)

    def _block(self, rows: slice, X: Any, V: Any) -> Block:
        X = divided(read(X), self.scale.x).to(self.device, self.dtype)
        if V is None:
            return Block(rows, X, None, X)
        V = self._weights(V)
        X = torch.where(V > 0, X, 0)
        return Block(rows, X, V, V * X) if self.pixel_weights else Block(rows, X, None, X)


def _times(Z: Tensor, block: Tensor) -> Tensor:
    """Z (batch, any, n) times a matrix (n, m) for all fits, or one for each."""
    if block.ndim == 3:
        return Z @ block
    flat = Z.reshape(-1, Z.shape[-1])
    one_thread = device.on_cpu(block) and torch.get_num_threads() == 1
    if one_thread and block.dtype == torch.float64:
        made = torch.from_numpy(flat.numpy() @ block.numpy())  # up to 2 times faster in this shape
    else:
        made = flat @ block
    return made.reshape(*Z.shape[:2], -1)


def mean_weight(X: Tensor, V: Tensor | None) -> Tensor:
    """The mean of each spectrum's weights above 0, (..., n_spectra); 1 where V is None."""
    if V is None:
        return torch.ones(len(X), dtype=torch.float64, device=X.device)
    return V.sum(dim=-1, dtype=torch.float64) / (V > 0).sum(dim=-1).clamp(min=1)


def _pairs(Z: Tensor, other: Tensor | None = None) -> Tensor:
    """The products of each two of k rows, (batch, k (k + 1) / 2, m), for Z (batch, k, m)."""
    first, second = torch.triu_indices(Z.shape[1], Z.shape[1], device=Z.device)
    return Z[:, first] * (Z if other is None else other)[:, second]


def _matrices(pairs: Tensor) -> Tensor:
    """Symmetric matrices, (batch, k, k, m), of such pairs."""
    n_fits, n_pairs, m = pairs.shape
    k = int((2 * n_pairs) ** 0.5)
    first, second = torch.triu_indices(k, k, device=pairs.device)
    matrices = pairs.new_empty(n_fits, k, k, m)
    matrices[:, first, second] = pairs
    matrices[:, second, first] = pairs
    return matrices
