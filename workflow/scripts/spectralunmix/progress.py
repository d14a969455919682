"""What a long fit says of itself, when asked."""

import logging
import time

log = logging.getLogger(__name__)


class Progress:
    """Logs the best of the fits, about every so many iterations."""

    def __init__(self, spectra, every: int):
        log.setLevel(logging.INFO)
        if not log.hasHandlers():
            log.addHandler(logging.StreamHandler())
        self.spectra, self.every, self.logged = spectra, every, 0
        self.began, self.passes = time.perf_counter(), spectra.passes

    def __call__(self, fits) -> None:
        n_iter = max(fit.n_iter for fit in fits)
        if n_iter - self.logged < self.every:
            return
        self.logged = n_iter
        best = min(fits, key=lambda fit: fit.now.F)
        log.info(
            "iteration %d: objective %.9g, optimality %.1e, %.3g passes over X a second",
            n_iter,
            best.now.F,
            best.optimality[-1][1],
            (self.spectra.passes - self.passes) / (time.perf_counter() - self.began),
        )
