"""How the components respond to the weights: what a plain alternating update leaves out.

An update of the weights W that holds the components is undone in large part by the components' own
update, and the more they overlap the more iterations that takes.  Here the weights are chosen for
the components as these will then be.  To first order a change dW of the weights moves the
components by (9)

    dH = - B^-1 [W' (v (dW H)) - dW' (v R) + C H D^T D],

R = X - W H the residual, B the matrix of the components' problem on the entries above zero, and
C = 2 lambda diag(sum_i v_i w_ik dw_ik) the change of the smoothness's share.  The last two terms
are left out: the second needs X (Kaufman 1975, BIT 15, 49, leaves it out too), and the third is
zero for a dW that leaves the length of the weights of each component as it is.  What is used is

    dH = - B^-1 W' (v (dW H)),

and so adds G dW = - H (v (W dH))' to H (v X)' in the equations of the weights.  With `best` the
weights of the plain update and A the matrix of their problem on the entries that `best` has above
zero, the weights change by dW = best - W + e, e zero elsewhere, where (10)

    (A - G) e = G (best - W).

This is the Gauss-Newton step of variable projection (Golub & Pereyra 1973, SIAM J. Numer. Anal. 10,
413) as Kaufman approximates it.  That decides how fast a fit converges, not where: a step is kept
only where the true objective does not rise.

Without inverse variance W' (v (dW H)) = (W' dW) H, so that all of it lives in k x k numbers: G dW
is N W' for N = T(W' dW), and e = S(N), so that (10) is (1 - T S) N = T(W' (best - W)).  Without
smoothness this is solved as it stands.  Else it is solved roughly, by a few conjugate gradients
preconditioned with A (Dembo & Steihaug 1983, Math. Program. 26, 190), which need v but not X.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor

from . import device
from .communication import Communicator
from .data import Data, WeightedData
from .linear_algebra import BlockTridiagonal
from .objective import inner, times_gram
from .quadratics import Quadratics

LEFT = 0.5  # of the residual, where conjugate gradients end: the next iteration does the rest
MOST_STEPS = 20
MOST_EXACT = 16  # components whose k^2 equations are solved as they stand, without smoothness
DEVICE_STEPS = 4  # of them on a device, where the end is not looked for

Map = Callable[[Tensor], Tensor]


class Response(NamedTuple):
    """The operators of (10) on changes of the weights, and on residuals, as these are kept."""

    of_change: Callable[[Tensor, Tensor | None], Tensor]  # G, of those fits
    precondition: Map  # A^-1 on the free entries
    restrict: Map  # to the free entries
    inner: Callable[[Tensor, Tensor], Tensor]  # product of a residual and a change, (batch,)


def anticipated(
    data: Data,
    Wt: Tensor,
    H: Tensor,
    gram_W: Tensor,
    smoothness: Tensor,
    share: Tensor,
    best: Tensor,
    problem: Quadratics,
    smooth: bool,
) -> Tensor:
    """G (best - W + e) of (10), to add to H (v X)': (batch, k, n_spectra).

    The weights that are best for the sum anticipate the components.

    Parameters
    ----------
    data : Data
        X, or X compressed.
    Wt, H, gram_W : Tensor
        The factors, W transposed, and the Gram matrices of W.
    smoothness, share : Tensor
        lambda, and how much of the response counts, (batch,).
    best : Tensor
        The weights that are best for H, transposed.
    problem : Quadratics
        What they solve.
    smooth : bool
        Whether smoothness is above 0, in all fits or in none.
    """
    free, comm = best > 0, data.comm
    count = None if data.row_weight is None else data.row_weight[:, None]
    # a component without weights does not respond
    of_H = (H > 0) & (gram_W.diagonal(dim1=1, dim2=2) > 0).any(dim=1)[..., None]
    share = share[:, None, None]
    if data.pixel_weights:
        weighted = cast(WeightedData, data)
        B = _inverse(gram_W, smoothness, of_H, smooth)
        inverse_A = problem.inverse_of_free(free)
        response = Response(
            lambda dWt, fits: (
                share
                * weighted.model_times_components(
                    H, Wt, B(weighted.model_times_weights(Wt, dWt, H), fits)
                )
            ),
            lambda residual: times_gram(inverse_A, residual),
            lambda residual: torch.where(free, residual, 0),
            lambda residual, change: comm.total(
                inner(residual if count is None else residual * count, change)
            ),
        )
        return _conjugate_gradients(response, best - Wt)
    counted = Wt if count is None else Wt * count
    change = counted @ (best - Wt).mT
    of_weights = problem.inverse_moments(free, Wt, data.row_weight)
    if not smooth:
        moments, inverse = Quadratics(gram_W).inverse_moments(of_H, H)
        of_components = share[..., None] * moments, inverse
        if H.shape[1] <= MOST_EXACT:
            change, S = comm.all_reduce(change, _matrix(of_weights))
            return _exact(_matrix(of_components), S, change) @ Wt

        def of_change(M: Tensor, fits: Tensor | None) -> Tensor:
            return _summed(of_components, M)
    else:
        B = _inverse(gram_W, smoothness, of_H, smooth)

        def of_change(M: Tensor, fits: Tensor | None) -> Tensor:
            return share * (H @ B(M @ H, fits).mT)

    response, change = _response(comm, of_change, of_weights, change)
    return _conjugate_gradients(response, change) @ Wt


def _response(
    comm: Communicator,
    of_change: Callable[[Tensor, Tensor | None], Tensor],
    of_weights: tuple[Tensor, Tensor],
    change: Tensor,
) -> tuple[Response, Tensor]:
    """That without inverse variance, and the change, of the spectra of all processes."""

    def restrict(residual: Tensor) -> Tensor:
        return residual  # its image is zero elsewhere

    if comm.n_ranks > 1 and change.shape[1] <= MOST_EXACT:  # one sum, in place of one a step
        change, S = comm.all_reduce(change, _matrix(of_weights))

        def times_S(residual: Tensor) -> Tensor:
            return (S @ residual.flatten(1)[..., None]).reshape(residual.shape)

        return Response(of_change, times_S, restrict, lambda a, b: inner(a, b.mT)), change
    return Response(
        of_change,
        lambda residual: comm.total(_summed(of_weights, residual)),
        restrict,
        lambda residual, change: comm.broadcast(inner(residual, change.mT))[0],
    ), comm.total(change)


def _summed(of_columns: tuple[Tensor, Tensor], M: Tensor) -> Tensor:
    """sum_p moments_p M' inverse_p, (batch, k, k)."""
    moments, inverse = of_columns
    return (moments @ M.mT[:, None] @ inverse).sum(dim=1)


def _matrix(of_columns: tuple[Tensor, Tensor]) -> Tensor:
    """`_summed` as a matrix, (batch, k^2, k^2), of M row by row."""
    moments, inverse = (Z.flatten(2) for Z in of_columns)
    k = of_columns[0].shape[-1]
    products = (moments.mT @ inverse).unflatten(2, (k, k)).unflatten(1, (k, k))
    return products.permute(0, 1, 4, 3, 2).flatten(3).flatten(1, 2)


def _exact(T: Tensor, S: Tensor, change: Tensor) -> Tensor:
    """N of (1 - T S) N = T(change), which is (10), (batch, k, k); 0 where it is no number."""
    system = -T @ S
    system.diagonal(dim1=1, dim2=2).add_(1)
    found = torch.linalg.solve_ex(system, T @ change.flatten(1)[..., None])[0]
    return torch.where(found.isfinite(), found, 0).reshape(change.shape)


def _conjugate_gradients(response: Response, change: Tensor) -> Tensor:
    """G of that change and of the e that (10) asks for with it."""
    on_cpu = device.on_cpu(change)
    total = response.of_change(change, None)
    residual = response.restrict(total)
    ahead = response.precondition(residual)
    direction, image_of_A = ahead, residual  # A direction
    length = first = response.inner(residual, ahead)
    for _ in range(MOST_STEPS if on_cpu else DEVICE_STEPS):
        active = length > LEFT**2 * first
        if on_cpu and not active.any():
            break
        image = response.of_change(direction, active)
        curved = response.restrict(image_of_A - image)
        curvature = response.inner(curved, direction)
        active &= curvature > 0  # it is not by rounding, where components are alike
        step = torch.where(active, length / curvature, 0)[:, None, None]
        total = total + step * image
        residual = residual - step * curved
        ahead = response.precondition(residual)
        last, length = length, torch.where(active, response.inner(residual, ahead), 0)
        turn = torch.where(active, length / last, 0)[:, None, None]
        direction = ahead + turn * direction
        image_of_A = residual + turn * image_of_A
    return total


def _inverse(
    gram_W: Tensor, smoothness: Tensor, free: Tensor, smooth: bool
) -> Callable[[Tensor, Tensor | None], Tensor]:
    """B^-1 on the free entries of H: a map of (batch, k, n_wave), of those fits."""
    if smooth:
        return BlockTridiagonal(gram_W, smoothness, free).solve
    inverse = Quadratics(gram_W).inverse_of_free(free)
    return lambda Z, _: times_gram(inverse, Z)
