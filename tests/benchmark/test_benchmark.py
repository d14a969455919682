"""What `make benchmark` and `make gpu` make of small numbers: whole, they take long or a GPU."""

import itertools
import subprocess
import sys
from pathlib import Path

import gaps
import numpy as np
import pandas as pd
import pictures
import pytest
import torch
import versions
import worker
from astropy.table import Table
from peers import ADAM, OURS, RATES
from problems import problems
from weighted_peers import nearly_nmf

HERE = Path(__file__).parent
WAVE = np.linspace(0, 1, 60)


@pytest.fixture
def spectra():
    rng = np.random.default_rng(0)
    lines = np.exp(-(((WAVE - rng.random((4, 1))) / 0.2) ** 2))
    return rng.random((12, 4)) @ lines + 0.01 * rng.random((12, 60))


def script(*words):
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def test_what_needs_a_gpu_runs_on_a_small_size(tmp_path):
    done = script(HERE / "gpu.py", "--device", "cpu", "--small", "--folder", tmp_path)
    assert done.returncode == 0, done.stderr
    table = Table.read(tmp_path / "gpu.ecsv")
    assert set(table["unit"]) >= {"GB/s", "fits/s", "s"}
    assert all(table["device"] > 0)
    assert all(table["one_cpu_thread"] > 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_that_is_said_in_a_line():
    done = script(HERE / "gpu.py")
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")
    assert "no CUDA device" in done.stdout
    assert script(HERE / "gpu.py", "--is-there").returncode == 1


@pytest.mark.parametrize(("name", "share"), [("w1", 0.15), ("w2", 0.2)])
def test_weighted_problems_have_gaps(spectra, name, share):
    X, V = problems(np.repeat(spectra, 30, axis=1))[name].make()
    assert share - 0.01 < (V == 0).mean() < share + 0.06
    assert not X[V == 0].any()
    assert (X < 0).any()


def test_noise_has_the_inverse_variance_that_is_given(spectra):
    spectra = np.repeat(spectra, 30, axis=1)
    X, V = problems(spectra)["w1"].make()
    assert (V * (X - spectra) ** 2)[V > 0].mean() == pytest.approx(1, abs=0.03)
    clipped, same = problems(spectra)["w1+"].make()
    assert np.array_equal(clipped, np.maximum(X, 0))
    assert np.array_equal(same, V)


def test_the_update_of_nearly_nmf_lowers_the_objective(spectra):
    X, V = problems(spectra)["w1"].make()
    ((W, H),) = gaps.common_starts(X, 4, 1, V)
    values = [gaps.objective(X, *nearly_nmf(X, W, H, n, V), V) for n in (0, 1, 5, 50, 500)]
    assert all(after < before for before, after in itertools.pairwise(values))


def runs(**of_methods):
    rows = [
        (name, 0, i, seconds, value, value - 1)
        for name, points in of_methods.items()
        for i, (seconds, value) in enumerate(points)
    ]
    columns = ["method", "start", "point", "seconds", "objective", "gap"]
    return pd.DataFrame(rows, columns=columns)


def test_times_to_gap():
    table = runs(**{OURS: [(1, 2), (2, 1.001), (3, 1)], "peer": [(1, 1.5), (8, 1.002)]})
    found = gaps.times_to_gap(table, {"other": "failed: X < 0"})
    assert "other" in gaps.as_text(found, 9)
    found = found.set_index("method")
    assert found.loc[OURS, ["1e-02", "1e-04", "1e-06"]].tolist() == [2, 3, 3]
    assert found.loc["peer", "1e-02"] == 8
    assert found.loc["peer", ["1e-04", "1e-06"]].isna().all()
    assert found["ends lowest"].tolist() == [1, 0, 0]
    assert found.loc["other", "note"] == "failed: X < 0"
    last = gaps.as_text(gaps.times_to_gap(table, {}), 9).splitlines()[-1]
    assert last.split() == ["fastest", "peer", "/", "ours", "4", ">3", ">3"]


def test_adam_is_at_its_best_rate_at_each_time():
    fast, slow, _ = (f"{ADAM} {rate}" for rate in RATES)
    table = runs(**{fast: [(1, 3), (3, 2.5)], slow: [(2, 4), (4, 1)], OURS: [(1, 1)]})
    best = gaps.best_rate(table)
    adam = best[best["method"] == ADAM]
    assert adam["seconds"].tolist() == [1, 2, 3, 4]
    assert adam["objective"].tolist() == [3, 3, 2.5, 1]
    assert set(best["method"]) == {OURS, ADAM}


def test_the_picture(tmp_path):
    table = runs(**{name: [(1, 2), (3, 1 + 1e-5)] for name in pictures.styles()})
    pictures.draw({"(a)": table, "(w1)": table}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    looks = [tuple(map(str, style.values())) for style in pictures.styles().values()]
    assert len(set(looks)) == len(looks)


def test_versions_are_compared_with_their_gates():
    task, other, at_most = versions.OVER[0]
    wanted = [each for each in versions.tasks() if each.name in (task, other, "(b) k = 4")]
    seconds = {other: (1, 0.1), task: (20, 6.0), "(b) k = 4": (1, 1.2)}
    rows = [
        {"task": name, "version": version, "round": i, "seconds": s, "n_iter": 9, "objective": 5.0}
        for name, pair in seconds.items()
        for version, s in zip(("before", "new"), pair, strict=True)
        for i in range(3)
    ]
    found = versions.compared(pd.DataFrame(rows), wanted)
    assert found["ratio"].tolist() == pytest.approx([0.1, 0.3, 1.2, 60])
    assert found["within"].tolist() == ["", "yes", "no", "no"]
    assert at_most == 8
    assert len(versions.as_text(found).splitlines()) == 5


def test_a_commit_that_is_not_there():
    with pytest.raises(versions.NoSuchVersion):
        versions.installed("0" * 40)


def test_bootstrap_fits_at_once_are_those_of_resampled_spectra(spectra, tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", spectra)
    parameters = {"n_components": 3, "smoothness": 10, "tol": 1e-8}
    task = {"spectra": str(tmp_path / "X.npy"), "problem": "a", "parameters": parameters}
    task["bootstrap"] = 5
    at_once = worker.done(task)
    monkeypatch.setattr(worker, "solve", None)
    separately = worker.done(task)
    assert at_once["objective"] == pytest.approx(separately["objective"], rel=1e-7)


def test_a_version_answers_in_a_process_of_its_own(spectra, tmp_path):
    np.save(tmp_path / "X.npy", spectra)
    asked = {"spectra": str(tmp_path / "X.npy"), "problem": "a"}
    with versions.Worker(versions.ROOT / "src") as process:
        answer = process.do(asked | {"parameters": {"n_components": 3}})
        wrong = process.do(asked | {"parameters": {"n_components": 0}})
    assert answer["seconds"] > 0
    assert answer["objective"] > 0
    assert "n_components" in wrong["error"]
