"""Objective and optimality over iterations: the run's fit, and the published scheme beside it."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from spectralunmix.figures.style import COLOURS, heading, logarithmic_axis
from spectralunmix.nmf import objective, solver, starts
from spectralunmix.nmf.published import LEARNING_RATE, adam_clamped
from spectralunmix.nmf.spectra import Spectra

EVERY = 10  # iterations of the published scheme between two looks at it


def start(spectra, n_components, init, random_state):
    """Components (k, n_wave) as the run's fit began with, and the best weights for them.

    Each component with maximum 1: a step of Adam is as large in any factor.
    """
    rng = np.random.RandomState(random_state)
    H = starts.named(spectra, init, n_components, rng=rng)
    fit = solver.fit(spectra, H, [0.0], max_iter=0, tol=0)[0]
    maximum = fit.now.H.max(axis=1, keepdims=True)
    return (fit.now.W * maximum).T, fit.now.H / maximum


def state(spectra, W, H, smoothness):
    """Objective and optimality of W (n_spectra, k) and H (k, n_wave)."""
    W, H = np.ascontiguousarray(W.T)[None], np.ascontiguousarray(H)[None]
    WtX, XHt = spectra.with_weights(W)[0], spectra.with_components(H)[0]
    A, B = spectra.gram_of_weights(W)[0], spectra.gram_of_components(H)[0]
    W, H = W[0], H[0]
    in_weights = objective.gradient_weights(XHt, B, W, H, smoothness, spectra.mean_weight)
    in_components = objective.gradient_components(WtX, A, W, H, smoothness, spectra.mean_weight)
    F = objective.value(spectra.sum_of_squares, in_components, H, WtX)
    return F, max(
        objective.relative_projected(in_weights, W, XHt),
        objective.relative_projected(in_components, H, WtX),
    )


def published_history(flux, inverse_variance, options):
    """Rows (iteration, objective, optimality) of the published scheme from the fit's start."""
    v = None if inverse_variance is None else torch.from_numpy(inverse_variance)
    spectra = Spectra(torch.from_numpy(flux), v)
    W, H = start(spectra, options.n_components, options.init, options.random_state)
    history = [(0, *state(spectra, W, H, options.smoothness))]

    def watch(i, W, H):
        if i % EVERY == 0 or i == options.n_iter:
            history.append((i, *state(spectra, W, H, options.smoothness)))

    adam_clamped(flux, W, H, options.n_iter, options.smoothness, inverse_variance, watch)
    return np.transpose(history)


def draw(fit, published, library):
    """Objective above the lowest that either reached, and optimality, over iterations."""
    ours = fit["history"]
    lowest = min(ours["objective"][-1], published[1].min())
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.1), layout="constrained")
    styles = (
        {"color": COLOURS[0], "label": f"this fit: {fit['n_iter']} iterations"},
        {"color": COLOURS[3], "ls": "--", "label": f"published: Adam ({LEARNING_RATE}), clamped"},
    )
    curves = (
        (ours["objective_iterations"], ours["objective"]),
        (published[0], published[1]),
    )
    for (iterations, values), style in zip(curves, styles, strict=True):
        gap = np.array(values) / lowest - 1
        left.plot(np.array(iterations)[gap > 0], gap[gap > 0], **style)
    curves = (
        (ours["optimality_iterations"], ours["optimality"]),
        (published[0], published[2]),
    )
    for (iterations, values), style in zip(curves, styles, strict=True):
        right.plot(iterations, values, **style)
    if fit["tol"]:
        right.axhline(fit["tol"], color="black", lw=0.5, ls=":")
        right.text(1, fit["tol"] * 1.15, f"tol = {fit['tol']:g}", va="bottom")
    heading(left, "A", "Objective above the lowest reached, relative")
    heading(right, "B", "Optimality: relative projected gradient")
    for ax in (left, right):
        last = max(fit["n_iter"], published[0, -1])
        ax.set(xscale="symlog", yscale="log", xlabel="Iterations", xlim=(0, 1.2 * last))
        logarithmic_axis(ax.yaxis)
        ax.set_xticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    fig.suptitle(f"{library}: λ = {fit['smoothness']:g}", x=0.01, ha="left", weight="bold")
    return fig
