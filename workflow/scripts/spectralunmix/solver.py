"""Alternating minimisation with extrapolation, for the smooth NMF objective.

The scheme of Xu & Yin (2013, SIAM J. Imaging Sci. 6, 1758): the weights are updated
(`updates`) against an extrapolation of the components, then the components against the
new weights.  Where the objective would rise, the step is taken back and the extrapolation
starts afresh.  The product of X with the extrapolated components follows from those with
their last two iterates, so an iteration makes two passes over X and ends with the true
objective of its (W, H).

Where X is large the iterations run on a compressed X (`compression`), and passes over
the whole X are made to extend it and to certify the result.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from .objective import (
    gradient_components,
    gradient_weights,
    relative_projected,
    roughness,
    value,
)
from .updates import nonnegative_quadratic, smooth_nonnegative_quadratic

CERTIFY_EVERY = 5  # iterations between two looks at the optimality
WORTHWHILE = 8  # X is compressed where that makes a pass so many times cheaper
GAIN = 0.1  # in optimality, between two extensions of the compressed X; none is half of it


@dataclasses.dataclass(frozen=True)
class Iterate:
    """Factors with the products that F and its gradient need.

    H : (k, n_wave); W : the weights transposed, (k, n_spectra), rows of unit length
    WtX, A, XHt : W^T (v X), the Gram matrices of W, and H (v X)^T
    F : the objective
    """

    H: np.ndarray
    W: np.ndarray
    WtX: np.ndarray
    A: np.ndarray
    XHt: np.ndarray
    F: float


class Fit:
    """One fit: where it is, and how it came there.

    now : the best Iterate; smoothness : lambda
    objective : (iteration, F) of each accepted iterate, the start included; F never rises (of
        each extension alone, while X is compressed)
    optimality : (iteration, the larger of both factors' `relative_projected`) pairs
    n_iter : iterations made, those taken back included
    """

    def __init__(self, start: Iterate, smoothness: float):
        self.now, self.smoothness = start, smoothness
        self.objective, self.optimality, self.n_iter = [(0, start.F)], [], 0
        self._last, self._streak = (start.H, start.XHt), 0

    def ahead(self):
        """H and H (v X)^T extrapolated from the last two iterates, by Nesterov's (1983) rule."""
        momentum = self._streak / (self._streak + 3)
        now = (self.now.H, self.now.XHt)
        return [new + momentum * (new - old) for new, old in zip(now, self._last, strict=True)]

    def step(self, new: Iterate, length, rounding: float) -> None:
        """Take `new`, whose weights were scaled by 1 / length (k, 1), unless F rises."""
        self.n_iter += 1
        now = self.now
        if now.F + rounding < new.F:
            self._last, self._streak = (now.H, now.XHt), self._streak // 2
            return
        self._last, self._streak = (now.H * length, now.XHt * length), self._streak + 1
        self.now = dataclasses.replace(new, F=min(new.F, now.F))
        self.objective.append((self.n_iter, self.now.F))

    def jump(self, new: Iterate, n_iter: int) -> None:
        """Take `new`, found otherwise in n_iter iterations, if F is lower there."""
        self.n_iter += n_iter
        if new.F < self.now.F:
            self.now, self._last, self._streak = new, (new.H, new.XHt), 0
            self.objective.append((self.n_iter, new.F))

    def ended(self, max_iter: int, tol: float) -> bool:
        return self.n_iter >= max_iter or (tol > 0 and self.optimality[-1][1] <= tol)


def silent(fits: list[Fit]) -> None:
    """No report of the progress."""


def fit(
    spectra,
    H,
    smoothness,
    max_iter: int,
    tol: float,
    progress: Callable[[list[Fit]], None] = silent,
) -> list[Fit]:
    """Minimise F over W, H >= 0 from each of the components H, all fits side by side.

    spectra : `Spectra`; H : (fits, k, n_wave); smoothness : (fits,)
    max_iter : iterations of a fit
    tol : a fit ends at this optimality; 0 never ends early
    progress : called with all fits whenever their optimality is known anew
    """
    fits = _begin(spectra, H, smoothness)
    if not spectra.weighted and _dear(spectra.shape, H.shape[1]):
        _iterate_compressed(spectra, spectra.sketch(H.shape[1]), fits, max_iter, tol, progress)
    _iterate(spectra, fits, max_iter, tol, progress)
    return fits


def weights_for(XHt, A, H, smoothness: float, start):
    """W >= 0, (k, n_spectra), best for components H, from H (v X)^T and their Gram matrices A."""
    if smoothness:
        ridge = np.diag(smoothness * roughness(H))
        A = A + (ridge if A.ndim == 2 else ridge[:, :, None])
    return nonnegative_quadratic(A, XHt, start)


def _components_for(WtX, A, smoothness: float, start):
    """H >= 0, (k, n_wave), for weights of unit length, from W^T (v X) and their Gram matrices."""
    if not smoothness:
        return nonnegative_quadratic(A, WtX, start)
    return smooth_nonnegative_quadratic(A, WtX, start, smoothness)


def _dear(shape, k: int) -> bool:
    """Whether a pass costs that much more than one over X compressed to a few times k."""
    n_spectra, n_wave = shape
    return n_spectra * n_wave > WORTHWHILE * 5 * k * (n_spectra + n_wave)


def _begin(spectra, H, smoothness) -> list[Fit]:
    starts = zip(_starts(spectra, H, smoothness), smoothness, strict=True)
    fits = [Fit(*start) for start in starts]
    _certify(spectra, fits)
    return fits


def _starts(spectra, H, smoothness) -> list[Iterate]:
    """Components H (fits, k, n_wave) with the best weights for them."""
    XHt, A = spectra.with_components(H), spectra.gram_of_components(H)
    best = [
        weights_for(*of, np.zeros_like(XHt[0])) for of in zip(XHt, A, H, smoothness, strict=True)
    ]
    W, length = _unit_length(best)
    WtX, A = spectra.with_weights(W), spectra.gram_of_weights(W)
    return _iterates(spectra, H * length, W, WtX, A, XHt * length, smoothness)


def _iterate(spectra, fits: list[Fit], max_iter, tol, progress=silent) -> None:
    """Iterate, with two passes over X, until every fit has ended."""
    # F is a difference of sums as large as that of X^2: below this it is not told apart
    rounding = 2 * spectra.eps * spectra.sum_of_squares
    while running := [fit for fit in fits if not fit.ended(max_iter, tol)]:
        smoothness = [fit.smoothness for fit in running]
        H_ahead, XHt_ahead = map(np.stack, zip(*(fit.ahead() for fit in running), strict=True))
        A, W = spectra.gram_of_components(H_ahead), [fit.now.W for fit in running]
        best = [weights_for(*of) for of in zip(XHt_ahead, A, H_ahead, smoothness, W, strict=True)]
        W, length = _unit_length(best)
        WtX, A = spectra.with_weights(W), spectra.gram_of_weights(W)
        # from the extrapolated components one sweep over them is enough
        start = np.maximum(H_ahead * length, 0)
        H = np.stack([_components_for(*of) for of in zip(WtX, A, smoothness, start, strict=True)])
        XHt = spectra.with_components(H)
        new = _iterates(spectra, H, W, WtX, A, XHt, smoothness)
        for one, iterate, scale in zip(running, new, length, strict=True):
            one.step(iterate, scale, rounding)
        due = [one for one in running if one.n_iter % CERTIFY_EVERY == 0 or one.n_iter == max_iter]
        if due:
            _certify(spectra, due)
            progress(fits)


def _iterate_compressed(spectra, compressed, fits: list[Fit], max_iter, tol, progress) -> None:
    """Iterate on X compressed, and extend that by the true products, while it gains enough."""
    running = [(one, compressed) for one in fits if not one.ended(max_iter, tol)]
    while running:
        found, reached = [], []
        for one, view in running:
            aim, left = max(GAIN * one.optimality[-1][1], tol / 2), max_iter - one.n_iter
            inner = _begin(view, one.now.H[None], [one.smoothness])
            _iterate(view, inner, left, aim)
            found.append(inner[0].now.H)
            reached.append(inner[0].n_iter)
        smoothness = [one.smoothness for one, _ in running]
        before = [one.optimality[-1][1] for one, _ in running]
        true = _starts(spectra, np.stack(found), smoothness)
        for (one, _), iterate, n_iter in zip(running, true, reached, strict=True):
            one.jump(iterate, n_iter)
        _certify(spectra, [one for one, _ in running])
        progress(fits)
        running = [
            (one, view)
            for (one, view), optimality in zip(running, before, strict=True)
            if one.optimality[-1][1] < optimality / 2 and not one.ended(max_iter, tol)
        ]
        if running:
            new = np.stack([view.outside(one.now.W, one.now.XHt) for one, view in running])
            products = spectra.with_weights(new)
            running = [
                (one, view.extended(*more))
                for (one, view), *more in zip(running, new, products, strict=True)
            ]


def _certify(spectra, fits: list[Fit]) -> None:
    """Note the optimality of each fit where it now is."""
    grams = spectra.gram_of_components(np.stack([fit.now.H for fit in fits]))
    for fit, A in zip(fits, grams, strict=True):
        at, smoothness = fit.now, fit.smoothness
        in_weights = gradient_weights(at.XHt, A, at.W, at.H, smoothness)
        in_components = gradient_components(at.WtX, at.A, at.W, at.H, smoothness)
        optimality = max(
            relative_projected(in_weights, at.W, at.XHt),
            relative_projected(in_components, at.H, at.WtX),
        )
        fit.optimality.append((fit.n_iter, float(optimality)))


def _iterates(spectra, H, W, WtX, A, XHt, smoothness) -> list[Iterate]:
    """An Iterate a fit, of arrays with the fits in front."""
    return [
        Iterate(h, w, wtx, a, xht, value(spectra.sum_of_squares, wtx, a, w, h, lam))
        for h, w, wtx, a, xht, lam in zip(H, W, WtX, A, XHt, smoothness, strict=True)
    ]


def _unit_length(W: list):
    """W, stacked (fits, k, n_spectra), with rows of unit length, and what they were divided by."""
    W = np.stack(W)
    length = np.linalg.norm(W, axis=2, keepdims=True)
    length[length == 0] = 1
    return W / length, length
