"""Alternating minimisation that anticipates the other factor, for the smooth NMF objective.

An iteration takes the weights (`updates`) that are best for the components as these will
respond to them (`response`), then the components best for those weights.  The weights are
extrapolated besides, a little, or, where that converges slowly, by Nesterov's (1983) rule, as
Xu & Yin (2013, SIAM J. Imaging Sci. 6, 1758) do.  Where the objective would rise, the step is
taken back, and the next one extrapolates, then anticipates, less.  An iteration makes two passes
over X and ends with the true objective and optimality of its (W, H).

Where X is large the iterations run on a compressed X (`compression`), and passes over
the whole X are made to extend it and to certify the result.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .objective import (
    ROUNDING,
    gradient_components,
    gradient_weights,
    relative_projected,
    roughness,
    squared_lengths,
    value,
)
from .response import anticipated
from .updates import nonnegative_quadratic, smooth_nonnegative_quadratic

if TYPE_CHECKING:
    from .compression import Compressed
    from .spectra import Spectra

WORTHWHILE = 8  # X is compressed where that makes a pass so many times cheaper
GAIN = 0.01  # in optimality, between two extensions of the compressed X; none is half of it
LEAST_DAMPING = 1e-3  # of the response, which leaves the scale of a component undetermined
LEAST_MOMENTUM = 0.2  # what suits the rate at which most fits converge
SLOW = 0.5  # of the last fall of the objective: a fall of more calls for more momentum
LOOSE = 0.5  # optimality asked of smooth components, over that of the last iterate


@dataclasses.dataclass(frozen=True)
class Iterate:
    """Factors with the products that F and its gradient need.

    H : (k, n_wave); W : the weights transposed, (k, n_spectra), rows of unit length, of which
        each spectrum's square counts with its mean weight
    XHt, A, B : H (v X)^T, and the Gram matrices of H and of W
    F : the objective
    optimality : the larger of both factors' `relative_projected`
    """

    H: np.ndarray
    W: np.ndarray
    XHt: np.ndarray
    A: np.ndarray
    B: np.ndarray
    F: float
    optimality: float


class Fit:
    """One fit: where it is, and how it came there.

    now : the best Iterate; smoothness : lambda
    objective : (iteration, F) of each accepted iterate, the start included; F never rises (of
        each extension alone, while X is compressed)
    optimality : (iteration, optimality) pairs of the same
    n_iter : iterations made, those taken back included
    damping : of the components' response to the next weights
    """

    def __init__(
        self, start: Iterate, smoothness: float, damping: float = 1.0, n_iter: int = 0
    ) -> None:
        self.now, self.smoothness, self.damping, self.n_iter = start, smoothness, damping, n_iter
        self.objective: list[tuple[int, float]] = []
        self.optimality: list[tuple[int, float]] = []
        # weights before extrapolation, of this step and the last
        self._aim: np.ndarray | None = None
        self._last: np.ndarray | None = None
        self._streak, self._fall = 0, np.inf  # slow steps in a row; by how much F last fell
        self._wait, self._waited = 1, 0  # steps until the damping is halved; those made of them
        self._note()

    @property
    def _momentum(self) -> float:
        return 0.0 if self._last is None else max(LEAST_MOMENTUM, self._streak / (self._streak + 3))

    def proposal(self, best: np.ndarray, mean_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next weights, (k, n_spectra), with rows of unit length, and the length they had.

        best : the weights that are best for the components as these respond, (k, n_spectra)
        mean_weight : of each spectrum's pixels, (n_spectra,)
        """
        self._aim, length = _unit_length(best, mean_weight)
        if self._last is None:
            return self._aim, length
        ahead = self._aim + self._momentum * (self._aim - self._last)
        W, scale = _unit_length(np.maximum(ahead, 0), mean_weight)
        return W, length * scale

    def step(self, new: Iterate, rounding: float) -> None:
        """Take `new`, for the weights proposed, unless F rises."""
        self.n_iter += 1
        fall = self.now.F - new.F
        if fall < -rounding:
            if not self._momentum:
                self.damping = min(1, 8 * self.damping)
                self._wait, self._waited = 4 * self._wait, 0
            self._last, self._streak = None, 0
            return
        slow = fall > SLOW * self._fall
        self._streak = self._streak + 1 if slow else self._streak // 2
        self._fall = max(fall, 0)
        # a fall within rounding does not tell whether extrapolation helps
        self._last = self._aim if fall > rounding else None
        self._waited += 1
        if self._waited >= self._wait:
            self.damping, self._waited = max(self.damping / 2, LEAST_DAMPING), 0
        self.now = dataclasses.replace(new, F=min(new.F, self.now.F))
        self._note()

    def jump(self, new: Iterate, n_iter: int) -> None:
        """Take `new`, found otherwise by iteration n_iter, if F is lower there."""
        self.n_iter = n_iter
        if new.F < self.now.F:
            self.now = new
            self._note()

    def ended(self, max_iter: int, tol: float) -> bool:
        return self.n_iter >= max_iter or (tol > 0 and self.now.optimality <= tol)

    def _note(self) -> None:
        self.objective.append((self.n_iter, self.now.F))
        self.optimality.append((self.n_iter, self.now.optimality))


def silent(fits: list[Fit]) -> None:
    """No report of the progress."""


def fit(
    spectra: "Spectra",
    H: np.ndarray,
    smoothness: np.ndarray,
    max_iter: int,
    tol: float,
    progress: Callable[[list[Fit]], None] = silent,
) -> list[Fit]:
    """Minimise F over W, H >= 0 from each of the components H, all fits side by side.

    spectra : `Spectra`; H : (fits, k, n_wave); smoothness : (fits,)
    max_iter : iterations of a fit
    tol : a fit ends at this optimality; 0 never ends early
    progress : called with fits after each of their iterations, on X or on X compressed
    """
    of_each = zip(_starts(spectra, H, smoothness), smoothness, strict=True)
    fits = [Fit(*start) for start in of_each]
    if not spectra.weighted and _dear(spectra.shape, H.shape[1]):
        _iterate_compressed(spectra, spectra.sketch(H.shape[1]), fits, max_iter, tol, progress)
    _iterate(spectra, fits, max_iter, tol, progress)
    return fits


def weights_for(
    XHt: np.ndarray,
    A: np.ndarray,
    H: np.ndarray,
    smoothness: float,
    mean_weight: np.ndarray,
    start: np.ndarray,
) -> np.ndarray:
    """W >= 0, (k, n_spectra), best for components H, from H (v X)^T and their Gram matrices A."""
    return nonnegative_quadratic(_matrix_for_weights(A, H, smoothness, mean_weight), XHt, start)


def _matrix_for_weights(
    A: np.ndarray, H: np.ndarray, smoothness: float, mean_weight: np.ndarray
) -> np.ndarray:
    """Of the weights' quadratic problem: the Gram matrices A of H, and what smoothness adds."""
    ridge = np.diag(smoothness * roughness(H))
    return A + (ridge if A.ndim == 2 else ridge[:, :, None] * mean_weight)


def _anticipating_weights(spectra: "Spectra | Compressed", fits: list[Fit]) -> list[np.ndarray]:
    """The weights of each fit, (k, n_spectra), best for its components as these will respond."""
    now = [one.now for one in fits]
    A = [
        _matrix_for_weights(of.A, of.H, one.smoothness, spectra.mean_weight)
        for one, of in zip(fits, now, strict=True)
    ]
    best = [nonnegative_quadratic(a, of.XHt, of.W) for a, of in zip(A, now, strict=True)]
    able = [i for i, one in enumerate(fits) if one.damping < 1]
    of_able = ([of_each[i] for i in able] for of_each in (fits, best, A))
    for i, more in zip(able, anticipated(spectra, *of_able), strict=True):
        best[i] = nonnegative_quadratic(A[i], now[i].XHt + more, best[i])
    return best


def _components_for(
    WtX: np.ndarray, A: np.ndarray, smoothness: float, start: np.ndarray, tol: float
) -> np.ndarray:
    """H >= 0, (k, n_wave), for weights of unit length, from W^T (v X) and their Gram matrices."""
    if not smoothness:
        return nonnegative_quadratic(A, WtX, start)
    return smooth_nonnegative_quadratic(A, WtX, start, smoothness, tol)


def _dear(shape: tuple[int, ...], k: int) -> bool:
    """Whether a pass costs that much more than one over X compressed to a few times k."""
    n_spectra, n_wave = shape
    return n_spectra * n_wave > WORTHWHILE * 5 * k * (n_spectra + n_wave)


def _starts(
    spectra: "Spectra | Compressed", H: np.ndarray, smoothness: Sequence[float] | np.ndarray
) -> list[Iterate]:
    """Components H (fits, k, n_wave) with the best weights for them."""
    XHt, A = spectra.with_components(H), spectra.gram_of_components(H)
    start, mean_weight = np.zeros_like(XHt[0]), spectra.mean_weight
    best = [weights_for(*of, mean_weight, start) for of in zip(XHt, A, H, smoothness, strict=True)]
    scaled = [_unit_length(weights, mean_weight) for weights in best]
    W, length = map(np.stack, zip(*scaled, strict=True))
    products = spectra.with_weights(W), spectra.gram_of_weights(W)
    return _iterates(spectra, H * length, W, *products, smoothness)


def _iterate(
    spectra: "Spectra | Compressed",
    fits: list[Fit],
    max_iter: int,
    tol: float,
    progress: Callable[[list[Fit]], None] = silent,
) -> None:
    """Iterate, with two passes over X, until every fit has ended."""
    # F is a difference of sums as large as that of X^2: below this it is not told apart
    rounding = (2 * spectra.eps + ROUNDING) * spectra.sum_of_squares
    while running := [fit for fit in fits if not fit.ended(max_iter, tol)]:
        smoothness = [fit.smoothness for fit in running]
        best = _anticipating_weights(spectra, running)
        proposals = [
            one.proposal(weights, spectra.mean_weight)
            for one, weights in zip(running, best, strict=True)
        ]
        W, length = map(np.stack, zip(*proposals, strict=True))
        WtX, A = spectra.with_weights(W), spectra.gram_of_weights(W)
        starts = [fit.now.H * scale for fit, scale in zip(running, length, strict=True)]
        aims = [LOOSE * fit.now.optimality for fit in running]
        of_each = zip(WtX, A, smoothness, starts, aims, strict=True)
        H = np.stack([_components_for(*of) for of in of_each])
        for fit, new in zip(running, _iterates(spectra, H, W, WtX, A, smoothness), strict=True):
            fit.step(new, rounding)
        progress(fits)


def _iterate_compressed(
    spectra: "Spectra",
    compressed: "Compressed",
    fits: list[Fit],
    max_iter: int,
    tol: float,
    progress: Callable[[list[Fit]], None],
) -> None:
    """Iterate on X compressed, and extend that by the true products, while it gains enough."""
    running = [(one, compressed) for one in fits if not one.ended(max_iter, tol)]
    while running:
        smoothness = [one.smoothness for one, _ in running]
        before = [one.now.optimality for one, _ in running]
        inner = []
        for one, view in running:
            (start,) = _starts(view, one.now.H[None], [one.smoothness])
            inner.append(Fit(start, one.smoothness, one.damping, one.n_iter))
            aim = max(GAIN * one.now.optimality, tol / 2)
            _iterate(view, inner[-1:], max_iter, aim, progress)
            one.damping = inner[-1].damping
        true = _starts(spectra, np.stack([each.now.H for each in inner]), smoothness)
        for (one, _), iterate, each in zip(running, true, inner, strict=True):
            one.jump(iterate, each.n_iter)
        progress(fits)
        running = [
            (one, view)
            for (one, view), optimality in zip(running, before, strict=True)
            if one.now.optimality < optimality / 2 and not one.ended(max_iter, tol)
        ]
        if running:
            new = np.stack([view.outside(one.now.W, one.now.XHt) for one, view in running])
            products = spectra.with_weights(new)
            running = [
                (one, view.extended(*more))
                for (one, view), *more in zip(running, new, products, strict=True)
            ]


def _iterates(
    spectra: "Spectra | Compressed",
    H: np.ndarray,
    W: np.ndarray,
    WtX: np.ndarray,
    A: np.ndarray,
    smoothness: Sequence[float] | np.ndarray,
) -> list[Iterate]:
    """An Iterate a fit: H (fits, k, n_wave), W, their products and Gram matrices likewise."""
    XHt, A_H = spectra.with_components(H), spectra.gram_of_components(H)
    made = []
    for h, w, wtx, a_w, xht, a_h, lam in zip(H, W, WtX, A, XHt, A_H, smoothness, strict=True):
        in_weights = gradient_weights(xht, a_h, w, h, lam, spectra.mean_weight)
        in_components = gradient_components(wtx, a_w, w, h, lam, spectra.mean_weight)
        optimality = max(
            relative_projected(in_weights, w, xht), relative_projected(in_components, h, wtx)
        )
        F = value(spectra.sum_of_squares, in_components, h, wtx)
        made.append(Iterate(h, w, xht, a_h, a_w, F, float(optimality)))
    return made


def _unit_length(W: np.ndarray, mean_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """W, (k, n_spectra), with rows of unit length, and what they were divided by, (k, 1).

    So the components' problem has the same smoothness whatever the scale of the weights.
    """
    length = squared_lengths(W, mean_weight)[:, None] ** 0.5
    length[length == 0] = 1
    return W / length, length
