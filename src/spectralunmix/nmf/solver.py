"""Alternating minimisation that anticipates the other factor, for the smooth NMF objective.

An iteration, `step`, takes the weights (`updates`) that are best for the components as these will
respond to them (`anticipation`), then the components best for those weights.  The weights are
extrapolated besides, a little, or, where that converges slowly, by Nesterov's (1983) rule, as
Xu & Yin (2013, SIAM J. Imaging Sci. 6, 1758) do.  Where the objective would rise, the step is
taken back, and the next one extrapolates, then anticipates, less.  An iteration makes two passes
over X and ends with the true objective and optimality of its (W, H).

All fits of a batch take their steps side by side; those that have ended leave the batch.  Where X
is large the iterations run on a compressed X (`compression`), and passes over the whole X are made
to extend it and to certify the result.
"""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from . import device
from .communication import COMPONENTS
from .data import Data, Spectra
from .objective import (
    ROUNDING,
    less_than_squares,
    projected_squares,
    ratio,
    relative_projected,
    roughness,
    second_difference,
    squared_lengths,
    times_gram,
)
from .quadratics import Quadratics
from .schemes import SCHEMES, Scheme
from .state import State, chosen
from .updates import weights_matrix

WORTHWHILE = 8  # X is compressed where that makes a pass so many times cheaper
GAIN = 0.01  # in optimality, between two extensions of the compressed X; none is half of it
LEAST_DAMPING = 1e-3  # of the response, which leaves the scale of a component undetermined
MORE_DAMPING = 8.0  # times, after a step that was taken back without extrapolation
MORE_WAIT = 4  # times as many steps, after one, until the damping is halved
LEAST_MOMENTUM = 0.2  # what suits the rate at which most fits converge
NESTEROV = 3  # of the rule s / (s + 3) for the momentum after s slow steps in a row
SLOW = 0.5  # of the last fall of the objective: a fall of more calls for more momentum
LEAST_AIM = 1e-10  # of an optimality that counts from that of the start, which may be as good
DEVICE_STEPS = 5  # between two looks at a batch on a device


@dataclasses.dataclass(frozen=True)
class Fit:
    """One fit, as it ended.

    W, H : (k, n_spectra), weights transposed and of unit length, and (k, n_wave)
    objective, optimality : (iteration, value) of each accepted iterate on the whole X, the start
        included; F never rises but by rounding
    n_iter : iterations made, those taken back included
    converged : whether the last optimality is at most what the fit aimed at
    """

    W: np.ndarray
    H: np.ndarray
    objective: list[tuple[int, float]]
    optimality: list[tuple[int, float]]
    n_iter: int
    converged: bool

    @property
    def F(self) -> float:
        """The last objective."""
        return self.objective[-1][1]


class Histories:
    """Objective and optimality of each fit of a batch, over its iterations."""

    def __init__(self, n_fits: int):
        self.objective: list[list[tuple[int, float]]] = [[] for _ in range(n_fits)]
        self.optimality: list[list[tuple[int, float]]] = [[] for _ in range(n_fits)]
        self.n_iter = [0] * n_fits

    def note(self, fits: Iterable[int], state: State) -> None:
        """Take note of those fits where they are, unless they are where they were."""
        values = (state.F, state.optimality, state.n_iter)
        for fit, F, optimality, n_iter in zip(fits, *(v.tolist() for v in values), strict=True):
            self.n_iter[fit] = n_iter
            last = self.objective[fit][-1:], self.optimality[fit][-1:]
            if last and [F, optimality] == [pair[1] for pairs in last for pair in pairs]:
                continue
            self.objective[fit].append((n_iter, F))
            self.optimality[fit].append((n_iter, optimality))


Progress = Callable[[Histories], None]


def silent(histories: Histories) -> None:
    """No report of the progress."""


@torch.inference_mode()  # small operations take less time without a record of them
def solve(
    data: Spectra,
    H: Tensor,
    smoothness: np.ndarray,
    max_iter: int,
    tol: float,
    progress: Progress = silent,
    solver: str = "anticipation",
    relative: bool = False,
) -> list[Fit]:
    """Minimise F over W, H >= 0 from each of the components H, all fits side by side.

    Parameters
    ----------
    data : Spectra
        X and its weights.
    H : Tensor
        Components to start from, (batch, k, n_wave).
    smoothness : ndarray
        lambda, (batch,)
    max_iter : int
        Iterations of a fit.
    tol : float
        A fit ends at this optimality; 0 never ends early.
    progress : function of Histories, default silent
        Called after iterations, on X or on X compressed.
    solver : {"anticipation", "proximal_gradient"}, default "anticipation"
        How the factors are updated.
    relative : bool, default False
        Whether `tol` counts from each fit's optimality at its start.
    """
    found: dict[int, Fit] = {}
    for smooth in (False, True):  # problems of a kind of their own
        which = np.flatnonzero((smoothness > 0) == smooth)
        if len(which):
            of = torch.from_numpy(which).to(H.device)
            lam = torch.from_numpy(smoothness[which]).to(H.device)
            scheme = SCHEMES[solver](smooth, float(smoothness[which].max()))
            batch = _Batch(data.of_fits(of), lam, scheme, max_iter, progress)
            for i, fit in zip(which.tolist(), batch.fit(H[of], tol, relative), strict=True):
                found[i] = fit
    return [found[i] for i in range(len(H))]


class _Batch:
    """Fits side by side that are all smooth, or none is."""

    def __init__(
        self,
        data: Spectra,
        smoothness: Tensor,
        scheme: Scheme,
        max_iter: int,
        progress: Progress,
    ):
        self.data, self.smoothness, self.scheme = data, smoothness, scheme
        self.max_iter, self.progress = max_iter, progress
        self.histories = Histories(len(smoothness))

    def fit(self, H: Tensor, tol: float, relative: bool) -> list[Fit]:
        state = start(self.data, self.smoothness, H, self.scheme.smooth)
        aims = torch.full_like(state.F, tol)
        if relative and tol > 0:  # rounding leaves so much of the smoothness's products
            aims = torch.maximum(tol * state.optimality, LEAST_AIM * (1 + self.smoothness / 1e3))
        everyone = torch.arange(len(H), device=H.device)
        self.histories.note(range(len(H)), state)
        plain = not self.data.pixel_weights and self.data.row_weight is None
        if plain and _dear((self.data.n_in_all, H.shape[2]), H.shape[1]):
            state = self._iterated_compressed(state, aims)
        state = self._iterated(self.data, everyone, state, aims, self.histories)
        of_each = self.histories
        return [
            Fit(W, H, objective, optimality, n_iter, converged)
            for W, H, objective, optimality, n_iter, converged in zip(
                state.Wt.cpu().numpy(),
                state.H.cpu().numpy(),
                of_each.objective,
                of_each.optimality,
                of_each.n_iter,
                (state.optimality <= aims).tolist(),
                strict=True,
            )
        ]

    def _iterated(
        self, data: Data, fits: Tensor, state: State, aims: Tensor, histories: Histories
    ) -> State:
        """Steps, with two passes over X each, until every fit has ended."""
        ended = state
        steps = 1 if device.on_cpu(state.F) else DEVICE_STEPS
        going_on = torch.arange(len(fits), device=fits.device)
        data, smoothness = data.of_fits(going_on), self.smoothness[fits]
        while True:
            done = self._ended(state, aims)
            if done.any():
                keep = (~done).nonzero()[:, 0]
                ended = ended.with_fits(going_on, state)
                going_on, state = going_on[keep], state.of_fits(keep)
                data, smoothness, aims = data.of_fits(keep), smoothness[keep], aims[keep]
            if len(going_on) == 0:
                return ended
            left = self.max_iter - int(state.n_iter.max())
            for _ in range(min(steps, left)):
                state = step(data, smoothness, state, self.scheme)
            histories.note(fits[going_on].tolist(), state)
            self.progress(histories)

    def _iterated_compressed(self, state: State, final: Tensor) -> State:
        """Iterate on X compressed, and extend that by the true products, while it gains enough."""
        data = self.data
        running = torch.arange(len(state.F), device=state.F.device)
        view = data.sketch(state.H.shape[1])
        running = running[~self._ended(state, final)]
        while len(running):
            now, smoothness = state.of_fits(running), self.smoothness[running]
            before = now.optimality
            inner = start(view, smoothness, now.H, self.scheme.smooth)
            inner = inner._replace(damping=now.damping, n_iter=now.n_iter)
            aims = torch.maximum(GAIN * now.optimality, final[running] / 2)
            inner = self._iterated(view, running, inner, aims, Histories(len(self.smoothness)))
            true = start(data.of_fits(running), smoothness, inner.H, self.scheme.smooth)
            true = true._replace(damping=inner.damping, n_iter=inner.n_iter)
            better = true.F < now.F
            now = chosen(better, true, now._replace(damping=inner.damping, n_iter=inner.n_iter))
            state = state.with_fits(running, now)
            self.histories.note(running.tolist(), now)
            self.progress(self.histories)
            on = (now.optimality < before / 2) & ~self._ended(now, final[running])
            on = on.nonzero()[:, 0]
            running, now, view = running[on], now.of_fits(on), view.of_fits(on)
            if len(running):
                new = view.outside(now.Wt, now.XHt)
                view = view.extended(new, data.times_weights(new))
        return state

    def _ended(self, state: State, aims: Tensor) -> Tensor:
        """Which fits: at their aim of optimality, where that is not 0, stuck, out of iterations."""
        done = (state.optimality <= aims) | state.wait.isinf()
        return (state.n_iter >= self.max_iter) | (done & (aims > 0))


def start(data: Data, smoothness: Tensor, H: Tensor, smooth: bool) -> State:
    """Components H (batch, k, n_wave) with the best weights for them."""
    Wt, length = unit_length(data, weights_for(data, smoothness, H))
    H = H * length
    WtX, gram_W = data.products_with_weights(Wt)
    XHt, gram_H, F, optimality = certified(data, smoothness, Wt, H, WtX, gram_W, smooth)
    zero = torch.zeros_like(F)
    return State(
        *(Wt, H, XHt, gram_H, gram_W, F, optimality, Wt),
        extrapolates=torch.zeros_like(F, dtype=torch.bool),
        streak=zero,
        fall=torch.full_like(F, torch.inf),
        damping=torch.ones_like(F),
        wait=torch.ones_like(F),
        waited=zero,
        n_iter=torch.zeros_like(F, dtype=torch.long),
    )


def weights_for(data: Data, smoothness: Tensor, H: Tensor) -> Tensor:
    """W' >= 0 of (6), (batch, k, n_spectra), for components H (batch, k, n_wave)."""
    XHt, gram_H = data.times_components(H), data.gram_components(H)
    problem = Quadratics(weights_matrix(gram_H, H, smoothness, data.mean_weight))
    return problem.minimise(XHt, torch.zeros_like(XHt))[0]


def step(data: Data, smoothness: Tensor, state: State, scheme: Scheme) -> State:
    """The next state of each fit: pseudo-code in the page of the method."""
    on_cpu = device.on_cpu(state.F)
    best = scheme.weights(data, smoothness, state)
    aim, length = unit_length(data, best)
    momentum = (state.streak / (state.streak + NESTEROV)).clamp(min=LEAST_MOMENTUM)
    extrapolates = state.extrapolates[:, None, None]
    ahead = (aim + momentum[:, None, None] * (aim - state.aim)).clamp(min=0)
    ahead, more_length = unit_length(data, ahead)
    Wt = torch.where(extrapolates, ahead, aim)
    length = torch.where(extrapolates, length * more_length, length)

    WtX, gram_W = data.products_with_weights(Wt)
    H = scheme.components(WtX, gram_W, smoothness, state.H * length, state.optimality)
    (H,) = data.comm.broadcast(H, of=COMPONENTS)
    XHt, gram_H, F, optimality = certified(data, smoothness, Wt, H, WtX, gram_W, scheme.smooth)

    # F is a difference of sums as large as that of X^2: below this it is not told apart
    rounding = (2 * data.eps + ROUNDING) * data.sum_of_squares
    fall = state.F - F
    rose = fall < -rounding
    with_damping = rose & ~state.extrapolates  # to be blamed on the response
    slow = fall > SLOW * state.fall
    waited = state.waited + 1
    halve = waited >= state.wait
    less = torch.where(halve, (state.damping / 2).clamp(min=LEAST_DAMPING), state.damping)
    new = State(
        *(Wt, H, XHt, gram_H, gram_W, torch.minimum(F, state.F), optimality, aim),
        # a fall within rounding does not tell whether extrapolation helps
        extrapolates=fall > rounding,
        streak=torch.where(slow, state.streak + 1, (state.streak / 2).floor()),
        fall=fall.clamp(min=0),
        damping=less,
        wait=state.wait,
        waited=torch.where(halve, 0, waited),
        n_iter=state.n_iter,
    )
    back = state._replace(
        extrapolates=torch.zeros_like(rose),
        streak=torch.zeros_like(state.streak),
        damping=torch.where(
            with_damping, (MORE_DAMPING * state.damping).clamp(max=1), state.damping
        ),
        # of full damping, the next step would be the same: the fit goes no further
        wait=torch.where(
            with_damping,
            torch.where(state.damping < 1, MORE_WAIT * state.wait, torch.inf),
            state.wait,
        ),
        waited=torch.where(with_damping, 0, state.waited),
    )
    after = new if on_cpu and not rose.any() else chosen(rose, back, new)
    return after._replace(n_iter=state.n_iter + 1)


def certified(
    data: Data,
    smoothness: Tensor,
    Wt: Tensor,
    H: Tensor,
    WtX: Tensor,
    gram_W: Tensor,
    smooth: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """H (v X)', the Gram matrices of H, and the true F (3) and optimality (4) of (W, H)."""
    XHt, gram_H = data.times_components(H), data.gram_components(H)
    row_weight = _row_weight(data)
    in_weights = times_gram(gram_H, Wt) - XHt
    in_components = times_gram(gram_W, H) - WtX
    if smooth:
        ridge = (smoothness[:, None] * roughness(H))[..., None] * data.mean_weight[:, None]
        in_weights = in_weights + ridge * Wt
    counted = Wt if data.row_weight is None else Wt * data.row_weight[:, None]
    # of the components it would be less exact: there smoothness is a difference of large products
    F = less_than_squares(in_weights, counted, XHt)
    of_weights = in_weights, XHt
    if data.row_weight is not None:  # as of spectra that are there so often
        root = data.row_weight[:, None].sqrt()
        of_weights = in_weights * root, XHt * root
    lengths, F, *squares = data.comm.all_reduce(
        squared_lengths(Wt, row_weight.expand(len(Wt), -1)),
        F,
        *projected_squares(of_weights[0], Wt, of_weights[1]),
    )
    if smooth:
        coupling = (smoothness[:, None] * lengths)[..., None]
        in_components = in_components + coupling * second_difference(H)
    (of_components,) = data.comm.broadcast(relative_projected(in_components, H, WtX))
    optimality = torch.maximum(ratio(*squares), of_components)
    return XHt, gram_H, data.sum_of_squares + F, optimality


def _row_weight(data: Data) -> Tensor:
    """What a spectrum's square counts in the length of weights, (1 or batch, n_spectra)."""
    return data.mean_weight if data.row_weight is None else data.mean_weight * data.row_weight


def unit_length(data: Data, Wt: Tensor) -> tuple[Tensor, Tensor]:
    """W' with rows of unit length (5), and what they were divided by, (batch, k, 1).

    So the components' problem has the same smoothness whatever the scale of the weights.
    """
    squares = data.comm.total(squared_lengths(Wt, _row_weight(data).expand(len(Wt), -1)))
    length = squares.sqrt()[..., None]
    length = torch.where(length > 0, length, 1)
    return Wt / length, length


def _dear(shape: tuple[int, int], k: int) -> bool:
    """Whether a pass costs that much more than one over X compressed to a few times k."""
    n_spectra, n_wave = shape
    return n_spectra * n_wave > WORTHWHILE * 5 * k * (n_spectra + n_wave)
