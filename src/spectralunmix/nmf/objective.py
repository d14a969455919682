"""The objective of smooth non-negative factorisation, its gradient and its optimality.

Numbers in brackets are those of the equations in the page of the method.

    F(W, H) = sum_ij v_ij (X - W H)_ij^2 + lambda sum_ik v_i w_ik^2 ||D h_k||^2             (1)

X is (n_spectra, n_wave), W (n_spectra, k), H (k, n_wave), v_ij the weight of a pixel (1 throughout
where none are given), v_i the mean of spectrum i's weights that are not 0, lambda the smoothness,
and D takes first differences along wavelength.

Every function is of a batch of fits: W is (batch, n_spectra, k), H (batch, k, n_wave), the
smoothness (batch,).  F and its gradient come from products that the updates need anyway (`data`):
those of v X with a factor, and the factor's Gram matrices.  These are (batch, k, k, 1) where one
serves all channels or spectra, (batch, k, k, n_wave) or (batch, k, k, n_spectra) where pixels have
weights.  All products with W are transposed, (batch, k, n_spectra), so that both factors have one
layout in memory.
"""

import torch
from torch import Tensor

HUGE = 1e300  # makes of an entry above zero no bound to its gradient
ROUNDING = 16 * torch.finfo(torch.float64).eps  # of a sum, relative to the sum of its squares


def times_gram(gram: Tensor, Z: Tensor) -> Tensor:
    """Gram matrices times Z (batch, k, columns), one matrix for all columns or one for each."""
    if gram.shape[-1] == 1:
        return gram[..., 0] @ Z
    return torch.einsum("bklc,blc->bkc", gram, Z)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The product <a, b> of each fit, (batch,)."""
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))


def roughness(H: Tensor) -> Tensor:
    """||D h_k||^2 of each component, as in (1), (batch, k)."""
    return H.diff(dim=-1).square().sum(dim=-1)


def squared_lengths(Wt: Tensor, row_weight: Tensor) -> Tensor:
    """sum_i v_i w_ik^2 of each component (5), (batch, k), for W' and v_i, (batch, n_spectra)."""
    return (Wt.square() @ row_weight[:, :, None])[..., 0]


def second_difference(H: Tensor) -> Tensor:
    """H D^T D of (4), of the shape of H: the gradient of half the roughness, with free ends."""
    steps = H.diff(dim=-1)
    second = torch.zeros_like(H)
    second[..., 1:] += steps
    second[..., :-1] -= steps
    return second


def less_than_squares(gradient: Tensor, factor: Tensor, product: Tensor) -> Tensor:
    """F less sum_ij v_ij X_ij^2, of each fit (3), from half the gradient of either factor.

    F is quadratic in a factor Z with the other held: <Z, Q Z> - 2 <Z, P> + sum of squares, where P
    is the product of v X with the other factor, and half the gradient is Q Z - P.
    Of some columns of the factor it is their part of the sum.
    """
    return inner(factor, gradient - product)


def relative_projected(gradient: Tensor, factor: Tensor, product: Tensor) -> Tensor:
    """||P g|| / ||product|| of each fit (4): how far from optimal a factor is, without units.

    P keeps what a feasible step can follow: where the factor is zero, only a negative gradient.
    A pair (W, H) is stationary exactly where this is zero for both factors.  The product with X is
    the gradient's data term, so that the ratio needs no reference to a start (Lin 2007, Neural
    Comput. 19, 2756, has the norm).
    """
    return ratio(*projected_squares(gradient, factor, product))


def projected_squares(gradient: Tensor, factor: Tensor, product: Tensor) -> tuple[Tensor, Tensor]:
    """The squares of both norms of (4); of some columns of the factor their parts of them."""
    feasible = torch.minimum(gradient, factor * HUGE)  # times faster than a choice by `where`
    return inner(feasible, feasible), inner(product, product)


def ratio(squares: Tensor, of_product: Tensor) -> Tensor:
    """The norms' ratio, from their squares."""
    length = of_product.sqrt()
    return squares.sqrt() / torch.where(length > 0, length, 1)
