"""What a long fit says of itself, when asked."""

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .scale import Scale
    from .solver import Histories

log = logging.getLogger(__name__)


def heard() -> None:
    """Have what is logged reach the terminal, where the caller has no other place for it."""
    log.setLevel(logging.INFO)
    if not log.hasHandlers():
        log.addHandler(logging.StreamHandler())


class Progress:
    """Logs the best of the fits, about every so many iterations."""

    def __init__(self, scale: "Scale", every: int) -> None:
        heard()
        self.scale, self.every, self.logged = scale, every, 0
        self.last = time.perf_counter()

    def __call__(self, histories: "Histories") -> None:
        n_iter = max(histories.n_iter)
        if n_iter - self.logged < self.every:
            return
        now = time.perf_counter()
        seconds = (now - self.last) / (n_iter - self.logged)
        self.logged, self.last = n_iter, now
        # a fit that ended earlier has none of iterations on X compressed
        last = [(of_fit[-1][1], i) for i, of_fit in enumerate(histories.objective) if of_fit]
        objective, best = min(last)
        log.info(
            "iteration %d: objective %.9g, optimality %.1e, %.2g s per iteration",
            n_iter,
            self.scale.of_squares(objective),
            histories.optimality[best][-1][1],
            seconds,
        )
