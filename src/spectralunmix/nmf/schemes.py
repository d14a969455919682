"""How an iteration updates the factors: with anticipation, or as the paper does."""

from typing import NamedTuple

from torch import Tensor

from . import device
from .anticipation import anticipated
from .data import Data
from .proximal_gradient import MOST_STEPS, SMOOTH_STEPS, STEPS, descended
from .quadratics import Quadratics
from .state import State
from .updates import smooth_quadratics, weights_matrix

LOOSE = 0.5  # optimality asked of smooth components, over that of the last iterate


class Scheme(NamedTuple):
    """How an iteration updates the factors: exactly, the weights with anticipation.

    smooth : whether smoothness is above 0, in all fits or in none
    most : the largest smoothness
    """

    smooth: bool
    most: float

    def weights(self, data: Data, smoothness: Tensor, state: State) -> Tensor:
        """W', the best for the components of the state as these will respond."""
        problem = Quadratics(weights_matrix(state.gram_H, state.H, smoothness, data.mean_weight))
        best = problem.minimise(state.XHt, state.Wt)[0]
        share = 1 - state.damping
        if device.on_cpu(share) and not share.any():
            return best
        factors = state.Wt, state.H, state.gram_W
        more = anticipated(data, *factors, smoothness, share, best, problem, self.smooth)
        return problem.minimise(state.XHt + more, best)[0]

    def components(
        self,
        WtX: Tensor,
        gram_W: Tensor,
        smoothness: Tensor,
        start: Tensor,
        optimality: Tensor,
    ) -> Tensor:
        """The best components for weights of unit length."""
        if not self.smooth:
            return Quadratics(gram_W).minimise(WtX, start)[0]
        return smooth_quadratics(gram_W, WtX, start, smoothness, LOOSE * optimality)


class ProximalGradient(Scheme):
    """How the paper updates the factors: by proximal-gradient steps, one factor after the other."""

    def weights(self, data: Data, smoothness: Tensor, state: State) -> Tensor:
        Q = weights_matrix(state.gram_H, state.H, smoothness, data.mean_weight)
        return descended(Q, state.XHt, state.Wt, None, STEPS, data.comm)

    def components(
        self,
        WtX: Tensor,
        gram_W: Tensor,
        smoothness: Tensor,
        start: Tensor,
        optimality: Tensor,
    ) -> Tensor:
        if not self.smooth:
            return descended(gram_W, WtX, start, None, STEPS)
        steps = min(max(STEPS, int(SMOOTH_STEPS * (1 + 4 * self.most) ** 0.5)), MOST_STEPS)
        return descended(gram_W, WtX, start, smoothness, steps)


SCHEMES = {"anticipation": Scheme, "proximal_gradient": ProximalGradient}
