"""Smooth non-negative factorisation of the spectra: components, weights, and how it ended."""

import torch

PROGRESS = 100  # iterations between two lines of the log, in a long fit


def numbers(model, flux, inverse_variance):
    """What a reader would quote of the fit; sums are weighted where there are weights."""
    components = torch.from_numpy(model.components_)
    squares = flux**2 if inverse_variance is None else inverse_variance * flux**2
    return {
        "weighted": inverse_variance is not None,
        "smoothness": model.smoothness,
        "objective": model.objective_[-1],
        "sum_of_squared_residuals": model.reconstruction_err_**2,
        "explained_sum_of_squares": 1 - model.reconstruction_err_**2 / float(squares.sum()),
        "roughness": [float(r) for r in components.diff(dim=1).square().sum(dim=1)],
        "optimality": model.optimality_[-1],
        "tol": model.tol,
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
        "history": {
            name: getattr(model, name + "_").tolist()
            for name in (
                "objective_iterations",
                "objective",
                "optimality_iterations",
                "optimality",
            )
        },
    }
