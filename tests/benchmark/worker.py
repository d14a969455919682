"""Fits of one version of the package, as they are asked for: `versions` starts one for each.

A line of JSON on the standard input is a task, one on the output what came of it.  Only what both
versions have is used, but for bootstrap fits, of which the version that can takes all at once.
"""

import functools
import json
import sys
import time
import warnings

import numpy as np
import torch
from problems import problems

import spectralunmix
from spectralunmix import SmoothNMF

try:  # the version whose spectra can have weights of their own in each fit
    from spectralunmix.nmf.data import Spectra
    from spectralunmix.nmf.solver import solve
except ImportError:
    Spectra = solve = None

MAX_ITER = 3000
SHORT = 0.5  # a task is repeated until it has taken as many seconds, or so often
MOST_REPEATS = 5


@functools.lru_cache(maxsize=1)
def matrix(path, problem):
    return problems(np.load(path))[problem].make()


def fitted(X, V, parameters):
    model = SmoothNMF(**{"max_iter": MAX_ITER, "dtype": str(X.dtype)} | parameters)
    return model.fit(X, inverse_variance=V)


def fit(X, V, parameters):
    """One fit, or several restarts side by side."""
    model = fitted(X, V, parameters)
    return int(model.n_iter_), float(model.restart_objectives_.min())


def resamples(n_spectra, n):
    """Rows of X, (n, n_spectra), drawn with replacement."""
    return np.random.default_rng(0).integers(n_spectra, size=(n, n_spectra))


def bootstrap(X, V, parameters, rows, start):
    """Fits of resamples of the spectra, from the components of the fit of all: the sum of each."""
    if solve is None:
        models = [fitted(X[of_fit], V, parameters | {"init": start}) for of_fit in rows]
        return sum(int(m.n_iter_) for m in models), sum(float(m.objective_[-1]) for m in models)
    counts = np.array([np.bincount(of_fit, minlength=len(X)) for of_fit in rows], dtype=float)
    data = Spectra(torch.from_numpy(X), row_weight=torch.from_numpy(counts))
    H = torch.from_numpy(start).repeat(len(rows), 1, 1)
    smoothness = np.full(len(rows), float(parameters["smoothness"]))
    fits = solve(data, H, smoothness, MAX_ITER, parameters["tol"])
    return sum(each.n_iter for each in fits), sum(float(each.F) for each in fits)


def done(task):
    """The median seconds of a task, its iterations and its objective."""
    X, V = matrix(task["spectra"], task["problem"])
    parameters = task["parameters"]
    if n := task.get("bootstrap"):
        start = fitted(X, V, parameters).components_
        run = functools.partial(bootstrap, X, V, parameters, resamples(len(X), n), start)
    else:
        run = functools.partial(fit, X, V, parameters)
    times = []
    while not times or (sum(times) < SHORT and len(times) < MOST_REPEATS):
        began = time.perf_counter()
        n_iter, objective = run()
        times.append(time.perf_counter() - began)
    return {"seconds": float(np.median(times)), "n_iter": n_iter, "objective": objective}


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(json.dumps({"package": spectralunmix.__file__}), flush=True)
    for line in sys.stdin:
        try:
            result = done(json.loads(line))
        except Exception as error:  # which the other side tells, and goes on with other tasks
            result = {"error": repr(error)}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
