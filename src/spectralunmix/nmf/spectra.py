"""X and its weights, as the products that a fit needs of them.

X alone is large: it stays on its device and in its precision, or on disk, and is gone
through here only.  Factors and products are numpy float64, (fits, k, n_spectra) and
(fits, k, n_wave), so that one pass serves several fits.
"""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from .compression import Compressed, sketch
from .scale import Array, Scale, divided, read

OVERSAMPLING = 16  # directions of a sketch beyond k
BLOCK = 2**26  # bytes of X worked on at once, where it is on disk or a copy is needed
CACHED = 2**20  # bytes that a CPU keeps at hand: 3 times faster where a model is made of them

NO_SCALE = Scale()


class Spectra:
    """X (n_spectra, n_wave) with the weight v of each pixel, or None for 1 throughout.

    X, v : tensors, or arrays on disk of any byte order (memory-mapped, a FITS image),
        which each pass reads in blocks of rows and converts to `dtype` on `device`
    scale : what X and v are divided by; all products are of what is left
    sum_of_squares : sum_ij v_ij X_ij^2
    mean_weight : (n_spectra,), the mean of each spectrum's weights above 0; 0 where there is none

    A pixel of weight 0 counts for nothing, whatever its value, NaN included.
    """

    def __init__(
        self,
        X: Array,
        v: Array | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
        scale: Scale = NO_SCALE,
    ) -> None:
        self.shape, self.scale, self.weighted = tuple(X.shape), scale, v is not None
        self.eps = torch.finfo(dtype).eps
        self._device, self._dtype = device, dtype
        self._block_rows, self._cached_rows = (
            max(1, size // (self.shape[1] * dtype.itemsize)) for size in (BLOCK, min(CACHED, BLOCK))
        )
        self._in_memory = self._prepared(X, v) if isinstance(X, Tensor) else None
        self._X, self._v = (None, None) if self._in_memory else (X, v)
        self._count()

    def _count(self) -> None:
        """What is known of X as a whole."""
        self._sketches: dict[int, Compressed] = {}
        of_pieces = [(_sum(X.square(), v), mean_weight(X, v)) for _, X, v in self.pieces()]
        squares, means = zip(*of_pieces, strict=True)
        self.sum_of_squares, self.mean_weight = sum(squares), np.concatenate(means)

    def unweighted(self) -> "Spectra":
        """The same X, zero where its weight is 0, with weight 1 throughout."""
        if not self.weighted:
            return self
        same = copy.copy(self)
        same.weighted = False
        same._in_memory = self._in_memory and (self._in_memory[0], None, self._in_memory[0])
        same._count()
        return same

    def pieces(self) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """(rows, X, v) of consecutive rows, as tensors of about BLOCK bytes, v as in `blocks`."""
        for rows, X, v, _ in self.blocks():
            for first in range(0, len(X), self._block_rows):
                part = slice(first, first + self._block_rows)
                at = slice(rows.start + first, rows.start + min(part.stop, len(X)))
                yield at, X[part], None if v is None else v[part]

    def blocks(
        self, first: int = 0, stop: int | None = None
    ) -> Iterator[tuple[slice, Tensor, Tensor | None, Tensor]]:
        """(rows, X, v, v X) of consecutive rows, as tensors; v None where it is 1 throughout."""
        if self._in_memory:
            yield slice(0, self.shape[0]), *self._in_memory
            return
        for start in range(first, stop or self.shape[0], self._block_rows):
            rows = slice(start, min(start + self._block_rows, stop or self.shape[0]))
            v = None if self._v is None else self._v[rows]
            yield rows, *self._prepared(self._X[rows], v)

    def with_weights(self, W: np.ndarray) -> np.ndarray:
        """W^T (v X): (fits, k, n_wave) for W (fits, k, n_spectra).  One pass over X."""
        return self._summed(W, lambda v, vX: vX)

    def with_components(self, H: np.ndarray) -> np.ndarray:
        """H (v X)^T: (fits, k, n_spectra) for H (fits, k, n_wave).  One pass over X."""
        return self._joined(H, lambda v, vX: vX)

    def gram_of_weights(self, W: np.ndarray) -> np.ndarray:
        """W^T diag(v_j) W of each channel j: (fits, k, k, n_wave), or (fits, k, k) unweighted."""
        if not self.weighted:
            return W @ W.swapaxes(1, 2)
        return _matrices(self._summed(_pairs(W), lambda v, vX: v))

    def gram_of_components(self, H: np.ndarray) -> np.ndarray:
        """H diag(v_i) H^T of each spectrum i: (fits, k, k, n_spectra), or (fits, k, k)."""
        if not self.weighted:
            return H @ H.swapaxes(1, 2)
        return _matrices(self._joined(_pairs(H), lambda v, vX: v))

    def model_with_weights(self, W: np.ndarray, dW: np.ndarray, H: np.ndarray) -> np.ndarray:
        """W (v (dW^T H)), (fits, k, n_wave), for W, dW (fits, k, n_spectra) and H."""
        W, dW, H = map(self._tensor, (W, dW, H))
        total = torch.zeros_like(H)
        for rows, v in self._pieces_of_v():
            for fit, (left, right, components) in enumerate(zip(W, dW, H, strict=True)):
                total[fit] += left[:, rows] @ (right[:, rows].T @ components).mul_(v)
        return _array(total)

    def model_with_components(self, H: np.ndarray, W: np.ndarray, dH: np.ndarray) -> np.ndarray:
        """H (v (W^T dH))^T, (fits, k, n_spectra), for H, dH (fits, k, n_wave) and W."""
        H, W, dH = map(self._tensor, (H, W, dH))
        made = torch.empty_like(W)
        for rows, v in self._pieces_of_v():
            for fit, (left, weights, right) in enumerate(zip(H, W, dH, strict=True)):
                made[fit, :, rows] = left @ (weights[:, rows].T @ right).mul_(v).T
        return _array(made)

    def _pieces_of_v(self) -> Iterator[tuple[slice, Tensor]]:
        """(rows, v) of consecutive rows, as tensors as large as is fast on their device."""
        on_cpu = torch.device(self._device).type == "cpu"
        step = self._cached_rows if on_cpu else self._block_rows
        for start in range(0, self.shape[0], step):
            rows = slice(start, min(start + step, self.shape[0]))
            yield (
                rows,
                self._in_memory[1][rows] if self._in_memory else self._weights(self._v[rows]),
            )

    def misfit(self, W: np.ndarray, H: np.ndarray) -> float:
        """sum_ij v_ij (X - W H)_ij^2 for W (k, n_spectra) and H (k, n_wave)."""
        W, H, total = self._tensor(W), self._tensor(H), 0.0
        for rows, X, v in self.pieces():
            total += _sum((X - W[:, rows].T @ H).square_(), v)
        return total

    def squared_lengths(self) -> np.ndarray:
        """sum_j X_ij^2 of each spectrum i, (n_spectra,), weights left out."""
        return np.concatenate([_array(X.square().sum(dim=1)) for _, X, _ in self.pieces()])

    def row(self, i: int) -> np.ndarray:
        """Spectrum i, (n_wave,)."""
        if self._in_memory:
            return _array(self._in_memory[0][i])
        return next(_array(X[i - rows.start]) for rows, X, *_ in self.blocks(i, i + 1))

    def sketch(self, k: int) -> Compressed:
        """`compression.sketch` of X to a few more directions than k, made once."""
        if k not in self._sketches:
            self._sketches[k] = sketch(self, min(k + OVERSAMPLING, *self.shape))
        return self._sketches[k]

    def _summed(self, Z: np.ndarray, factor: Callable) -> np.ndarray:
        """The products of Z (fits, any, n_spectra) with v or v X, summed over the blocks."""
        flat = self._tensor(Z.reshape(-1, Z.shape[2]))
        products = (_times(flat[:, rows], factor(v, vX)) for rows, _, v, vX in self.blocks())
        return _array(sum(products)).reshape(*Z.shape[:2], -1)

    def _joined(self, Z: np.ndarray, factor: Callable) -> np.ndarray:
        """The products of Z (fits, any, n_wave) with the transpose of v or v X, block by block."""
        flat = self._tensor(Z.reshape(-1, Z.shape[2])).T.contiguous()  # the fastest layout
        products = [factor(v, vX) @ flat for _, _, v, vX in self.blocks()]
        return _array(torch.cat(products).T.contiguous()).reshape(*Z.shape[:2], -1)

    def _tensor(self, Z: np.ndarray) -> Tensor:
        return torch.from_numpy(Z).to(self._device, self._dtype)

    def _weights(self, v: Array) -> Tensor:
        return divided(read(v), self.scale.v).to(self._device, self._dtype)

    def _prepared(self, X: Array, v: Array | None) -> tuple[Tensor, Tensor | None, Tensor]:
        X = divided(read(X), self.scale.x).to(self._device, self._dtype)
        if v is None:
            return X, None, X
        v = self._weights(v)
        X = torch.where(v > 0, X, 0)
        return (X, v, v * X) if self.weighted else (X, None, X)


def _times(Z: Tensor, block: Tensor) -> Tensor:
    if block.device.type == "cpu" and torch.get_num_threads() == 1:
        return torch.from_numpy(Z.numpy() @ block.numpy())  # up to 2 times faster in this shape
    return Z @ block


def _sum(squares: Tensor, v: Tensor | None) -> float:
    return float((squares if v is None else squares.mul_(v)).sum())


def mean_weight(X: Tensor, v: Tensor | None) -> np.ndarray:
    """(n_spectra,), the mean of each spectrum's weights above 0; 1 where v is None."""
    if v is None:
        return np.ones(len(X))
    n = (v > 0).sum(dim=1)
    return _array(v.sum(dim=1, dtype=torch.float64) / n.clamp(min=1))


def _array(product: Tensor) -> np.ndarray:
    return product.to("cpu", torch.float64).numpy()


def _pairs(Z: np.ndarray) -> np.ndarray:
    """The products of each two of k rows, (fits, k (k + 1) / 2, m), for Z (fits, k, m)."""
    first, second = np.triu_indices(Z.shape[1])
    return Z[:, first] * Z[:, second]


def _matrices(pairs: np.ndarray) -> np.ndarray:
    """Symmetric matrices, (fits, k, k, m), of such pairs."""
    fits, n, m = pairs.shape
    k = int((2 * n) ** 0.5)
    first, second = np.triu_indices(k)
    matrices = np.empty((fits, k, k, m))
    matrices[:, first, second] = matrices[:, second, first] = pairs
    return matrices
