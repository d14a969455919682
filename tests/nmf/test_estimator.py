"""SmoothNMF as its callers meet it: arrays in and out, errors, progress, scikit-learn."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import spectralunmix
from mixtures import inverse_variance, mixtures
from spectralunmix import NotConvergedError, SmoothNMF, scan_smoothness
from spectralunmix.configuration import Configuration
from spectralunmix.nmf.checks import MOST_SMOOTHNESS


def test_says_that_it_did_not_converge():
    with pytest.warns(ConvergenceWarning, match="max_iter=2 .* raise max_iter or tol"):
        model = SmoothNMF(3, max_iter=2).fit(mixtures())
    assert not model.converged_
    assert model.n_iter_ == 2


def test_zero_tolerance_runs_to_the_limit():
    assert SmoothNMF(3, max_iter=7, tol=0).fit(mixtures()).n_iter_ == 7


X_NAN = mixtures()


X_NAN[3, 4] = np.nan


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (X_NAN, {}, "NaN"),
        (-mixtures(), {}, "no value above zero"),
        (np.zeros((5, 6)), {}, "no value above zero"),
        (mixtures(), {"n_components": 31}, "n_components=31 is more than 30 spectra"),
        (mixtures(), {"n_components": 0}, "n_components=0"),
        (mixtures(), {"smoothness": -1}, "smoothness=-1"),
        (mixtures(), {"smoothness": np.nan}, "smoothness=nan"),
        (mixtures(), {"smoothness": 1.1e9}, "at most 1e[+]09 is needed; that smooths over 30 000"),
        (mixtures(), {"smoothness": 1e30}, "smoothness=1e[+]30: at most 1e[+]09"),
        (mixtures(), {"smoothness": 1e300}, "smoothness=1e[+]300: at most 1e[+]09"),
        (mixtures(), {"init": "best"}, "init='best'"),
        (mixtures(), {"max_iter": 0}, "max_iter=0"),
        (mixtures(), {"n_restarts": 2}, "n_restarts=2 needs init='random'"),
        (mixtures(), {"init": np.ones((2, 50))}, "init: non-negative components"),
        (mixtures(), {"dtype": "float16"}, "dtype='float16'"),
        (mixtures(), {"device": "gpu"}, "device='gpu': 'cpu', 'cuda' or 'auto' is needed"),
        (np.ma.masked_invalid(X_NAN), {}, "masked array: .* inverse_variance of 0"),
    ],
)
def test_bad_input_is_named(X, parameters, message):
    with pytest.raises(ValueError, match=message):
        SmoothNMF(**{"n_components": 3, **parameters}).fit(X)


def test_the_largest_smoothness_has_flat_components():
    X = mixtures(noise=0.1)
    model = SmoothNMF(3, smoothness=MOST_SMOOTHNESS).fit(X)
    assert model.converged_
    flat = np.square(X - X.mean(axis=1, keepdims=True)).sum()
    assert model.objective_[-1] == pytest.approx(flat, rel=1e-6)
    with pytest.raises(ValueError, match=r"at most 1e\+09"):
        scan_smoothness(model, X, [10, 1e12])


def test_the_workflow_takes_no_larger_smoothness():
    schema = Configuration.model_json_schema()["$defs"]
    limits = (
        schema["SmoothNmf"]["properties"]["smoothness"],
        schema["Smoothness"]["properties"]["values"]["items"],
        schema["Scan"]["properties"]["smoothness"]["items"],
    )
    assert {each["maximum"] for each in limits} == {MOST_SMOOTHNESS}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 GiB", MemoryError),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", MemoryError),
        ("std::bad_alloc: can't allocate memory", MemoryError),
        ("probability tensor: an illegal memory access was encountered", RuntimeError),
        ("unsupported memory format option", RuntimeError),
    ],
)
def test_only_a_lack_of_memory_is_called_one(message, expected, monkeypatch):
    def fail(*arguments):
        raise RuntimeError(message)

    monkeypatch.setattr("spectralunmix.nmf.solver.solve", fail)
    with pytest.raises(expected) as raised:
        SmoothNMF(3).fit(mixtures())
    assert ("memory-mapped" in str(raised.value)) == (expected is MemoryError)


def test_strict_raises_and_keeps_what_was_found():
    model, as_it_is = (SmoothNMF(3, max_iter=2, strict=strict) for strict in (True, False))
    with pytest.raises(NotConvergedError, match="max_iter=2"):
        model.fit(mixtures())
    with pytest.warns(ConvergenceWarning):
        as_it_is.fit(mixtures())
    assert np.array_equal(model.components_, as_it_is.components_)
    assert model.objective_[-1] == as_it_is.objective_[-1]
    assert np.array_equal(model.transform(mixtures()), as_it_is.transform(mixtures()))


def test_arrays_in_arrays_out():
    X = mixtures()
    expected = SmoothNMF(3).fit_transform(X)
    tensor = SmoothNMF(3).fit_transform(torch.from_numpy(X))
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), expected)
    frame = pd.DataFrame(X, columns=[f"w{i}" for i in range(X.shape[1])])
    model = SmoothNMF(3).set_output(transform="pandas")
    weights = model.fit_transform(frame)
    assert list(weights.columns) == ["smoothnmf0", "smoothnmf1", "smoothnmf2"]
    assert np.array_equal(weights.to_numpy(), expected)


def test_in_a_pipeline():
    X = mixtures()
    pipeline = make_pipeline(FunctionTransformer(), SmoothNMF(3))
    assert pipeline.fit_transform(X).shape == (30, 3)
    better = SmoothNMF(3, smoothness=0).fit(X).score(X)
    assert SmoothNMF(1, smoothness=0).fit(X).score(X) < better <= 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_an_error():
    with pytest.raises(ValueError, match="no CUDA device"):
        SmoothNMF(3, device="cuda").fit(mixtures())


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks():
    results = check_estimator(SmoothNMF(1), on_skip=None)
    skipped = {result["check_name"] for result in results if result["status"] != "passed"}
    assert skipped <= {"check_array_api_input"}


def test_progress_is_told_when_asked(caplog):
    with caplog.at_level("INFO", logger="spectralunmix"):
        SmoothNMF(3, verbose=10, tol=0, max_iter=50).fit(mixtures())
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in told] == [f"iteration {n}" for n in range(10, 60, 10)]
    assert all(
        "objective" in line and re.search("0[.0-9e-]+ s per iteration$", line) for line in told
    )


def test_progress_is_seen_where_no_logs_are_set_up():
    code = "import numpy as np; from spectralunmix import SmoothNMF; "
    code += "X = np.random.default_rng(0).random((20, 30)); "
    code += "SmoothNMF(3, verbose=5, tol=0, max_iter=10).fit(X)"
    path = str(Path(spectralunmix.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "iteration 5",
        "iteration 10",
    ]


def test_a_generator_makes_the_starts():
    X = mixtures()
    rng = np.random.default_rng(3)
    model = SmoothNMF(3, init="random", random_state=rng, max_iter=1, tol=0).fit(X)
    start = np.random.default_rng(3).random((1, 3, 50))
    from_it = SmoothNMF(3, init=start, max_iter=1, tol=0).fit(X)
    assert model.objective_[0] == pytest.approx(from_it.objective_[0], rel=1e-12)
    assert rng.random() != np.random.default_rng(3).random()  # the caller's own was used


def test_spectra_in_any_layout_in_memory():
    """Wavelengths from red to blue, read-only, by columns: as the same values by rows."""
    X, v = mixtures(), inverse_variance((30, 50))
    model = SmoothNMF(3, tol=1e-9)
    W = model.fit_transform(X[:, ::-1].copy(), inverse_variance=v)
    for of_X, of_v in ((X, v), (np.asfortranarray(X), v), (X, np.asfortranarray(v))):
        values = of_X[:, ::-1], of_v[:, ::-1][:, ::-1]
        for each in values:
            each.flags.writeable = False
        np.testing.assert_allclose(model.fit_transform(values[0], inverse_variance=values[1]), W)
    frames = pd.DataFrame(X[:, ::-1]), pd.DataFrame(v)
    np.testing.assert_allclose(model.fit_transform(frames[0], inverse_variance=frames[1]), W)
    np.testing.assert_allclose(model.transform(X[:, ::-1], inverse_variance=v[:, ::-1][:, ::-1]), W)


def test_what_are_not_weights_is_named():
    model = SmoothNMF(3).fit(mixtures())
    with pytest.raises(ValueError, match=r"X is \(30, 50\), not weights of 3 components"):
        model.inverse_transform(mixtures())
    with pytest.raises(ValueError, match="smoothness: at least one value"):
        scan_smoothness(model, mixtures(), [])
