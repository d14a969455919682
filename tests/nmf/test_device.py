"""A fit stays on its device: a step reads and moves nothing, and fits end where others do."""

import numpy as np
import pytest
import torch
from resident import LeftTheDevice, Resident, imagined

from mixtures import inverse_variance, mixtures
from spectralunmix import SmoothNMF, smooth_nmf, unmix
from spectralunmix.nmf import solver
from spectralunmix.nmf.data import Spectra
from spectralunmix.nmf.device import on_cpu

X = mixtures(20, 30, noise=0.03)
V = inverse_variance(X.shape)
COUNTS = np.random.default_rng(4).integers(0, 4, (2, 20)) * 1.0
WEIGHTS = {
    "plain": (None, None),
    "v": (V, None),
    "v of each fit": (np.stack([V, V[::-1]]), None),
    "counts": (None, COUNTS),
    "v and counts": (V, COUNTS),
}
STARTS = np.random.default_rng(1).random((2, 3, 30))
EACH = [
    pytest.mark.parametrize("weights", WEIGHTS),
    pytest.mark.parametrize("smoothness", [0.0, 10.0]),
    pytest.mark.parametrize("scheme", solver.SCHEMES),
]


def each(test):
    for mark in EACH:
        test = mark(test)
    return test


def spectra_of(weights, X=X):
    of = (None if Z is None else torch.from_numpy(Z.copy()) for Z in WEIGHTS[weights])
    return Spectra(torch.from_numpy(X), *of)


def begun(weights, smoothness, scheme):
    """What a step is made of."""
    data, lam = spectra_of(weights), torch.full((2,), smoothness, dtype=torch.float64)
    state = solver.start(data, lam, torch.from_numpy(STARTS), smoothness > 0)
    return data, lam, state, solver.SCHEMES[scheme](smoothness > 0, smoothness)


READS = {
    "item": lambda Z: Z.sum().item(),
    "float": lambda Z: float(Z.sum()),
    "if": lambda Z: 1 if Z.any() else 0,
    "list": lambda Z: Z.tolist(),
    "numpy": lambda Z: Z.numpy(),
    "array": lambda Z: np.asarray(Z),
    "cpu": lambda Z: Z.cpu(),
    "to": lambda Z: Z.to("meta"),
    "nonzero": lambda Z: Z.nonzero(),
    "mask": lambda Z: Z[Z > 1],
    "masked put": lambda Z: Z.clone().__setitem__(Z > 1, torch.zeros(2)),
    "equal": lambda Z: torch.equal(Z, Z),
    "unique": lambda Z: Z.unique(),
    "checked": lambda Z: torch.linalg.inv(torch.eye(3)),
}


@pytest.mark.parametrize("read", READS)
def test_what_would_make_a_device_wait_is_noticed(read):
    Z = torch.arange(4.0)
    READS[read](Z)
    with pytest.raises(LeftTheDevice), Resident():
        READS[read](Z)


def test_what_stays_on_a_device_is_not():
    with Resident() as resident:
        Z = torch.arange(12.0).reshape(3, 4)
        Z = torch.where(Z > 3, Z.double() * Z.mean(), 0).clamp(min=1)
        Z[:, 1:] += Z[torch.tensor([1, 0, 2])][:, :3] @ Z[:, :3].mT
        torch.linalg.cholesky_ex(Z[:, :3])
    assert resident.found == []


def test_what_lies_elsewhere_is_noticed():
    here = torch.ones(3)
    with pytest.raises(RuntimeError, match="on the same device"):
        imagined(lambda Z: Z + torch.ones(3), here)
    with pytest.raises(AssertionError, match="FakeTensor"):
        imagined(lambda Z: Z[[0, 2]], here)  # the list would be copied to the device
    assert imagined(lambda Z: Z + 1, here).device.type == "meta"


@each
def test_a_step_reads_nothing(weights, smoothness, scheme, as_on_device):
    of = begun(weights, smoothness, scheme)
    with Resident():
        state = solver.step(*of)
        state = solver.step(of[0], of[1], state, of[3])
    assert (state.F < of[2].F).all()


@each
def test_all_of_a_step_lies_on_one_device(weights, smoothness, scheme):
    state = imagined(solver.step, *begun(weights, smoothness, scheme))
    assert {Z.device.type for Z in state} == {"meta"}
    assert [Z.shape for Z in state] == [Z.shape for Z in begun(weights, smoothness, scheme)[2]]


def test_on_a_cpu_values_are_looked_at():
    """Else the tests here would run what they do not say."""
    assert on_cpu(torch.ones(1))
    assert not on_cpu(torch.ones(1, device="meta"))
    with pytest.raises(LeftTheDevice), Resident():
        solver.step(*begun("plain", 10.0, "anticipation"))


def solved(weights, smoothness, scheme, X=X, **settings):
    tol = 1e-9 if scheme == "anticipation" else 1e-6
    of = {"max_iter": 500 if tol < 1e-6 else 5000, "tol": tol, "solver": scheme} | settings
    starts = np.random.default_rng(1).random((2, 3, X.shape[1]))
    lam = np.array([smoothness, smoothness / 2])
    return solver.solve(spectra_of(weights, X), torch.from_numpy(starts), lam, **of)


@each
def test_fits_as_on_a_device_end_at_the_same_optimum(weights, smoothness, scheme, request):
    expected = solved(weights, smoothness, scheme)
    request.getfixturevalue("as_on_device")
    found = solved(weights, smoothness, scheme)
    for fit, other in zip(found, expected, strict=True):
        assert fit.optimality[-1][1] <= (1e-9 if scheme == "anticipation" else 1e-6)
        close = 1e-8 if scheme == "anticipation" else 1e-5
        assert pytest.approx(other.F, rel=close) == fit.F


@pytest.mark.parametrize("smoothness", [0.1, 1.0, 100.0, 1e3, 1e6])
def test_at_every_smoothness_too(smoothness, request):
    noisy = mixtures(20, 30, noise=0.1)
    expected = solved("plain", smoothness, "anticipation", noisy)
    request.getfixturevalue("as_on_device")
    found = solved("plain", smoothness, "anticipation", noisy)
    for fit, other in zip(found, expected, strict=True):
        assert fit.optimality[-1][1] <= 1e-9
        assert pytest.approx(other.F, rel=1e-8) == fit.F


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("smoothness", [0.0, 10.0])
def test_the_state_is_read_every_five_steps(compressed, smoothness, as_on_device, monkeypatch):
    events, own = [], solver.step
    monkeypatch.setattr(solver, "WORTHWHILE", 0.01 if compressed else 1e9)
    with Resident(strict=False) as resident:
        monkeypatch.setattr(solver, "step", lambda *of: resident.found.append("step") or own(*of))
        fits = solved("plain", smoothness, "anticipation", mixtures(60, 50), max_iter=38)
        events = ["step" if name == "step" else "read" for name in resident.found]
    runs = [len(run.split()) for run in " ".join(events).split("read") if run.strip()]
    assert sum(runs) <= 38
    assert set(runs[:-1]) == {5}
    assert 0 < runs[-1] <= 5
    assert max(fit.n_iter for fit in fits) == sum(runs)


def test_a_limit_of_iterations_is_kept_as_on_a_device(as_on_device):
    for limit in (1, 5, 7):
        fits = solved("plain", 10.0, "anticipation", max_iter=limit, tol=0)
        assert [fit.n_iter for fit in fits] == [limit, limit]


def many(n_spectra, n_wave):
    return mixtures(n_spectra, n_wave, noise=0.02)


@pytest.mark.gpu
@pytest.mark.parametrize("scheme", solver.SCHEMES)
@pytest.mark.parametrize("smoothness", [0.0, 1e-3, 10.0, 1e4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(60, 40), (700, 900)])  # the larger one is compressed
def test_a_fit_on_a_gpu_is_the_fit_on_the_cpu(shape, weighted, smoothness, scheme):
    X, v = many(*shape), np.random.default_rng(1).random(shape) if weighted else None
    tol = 1e-8 if scheme == "anticipation" else 1e-6
    of = {"smoothness": smoothness, "inverse_variance": v, "tol": tol, "solver": scheme}
    cpu, gpu = (smooth_nmf(X, 3, device=name, **of) for name in ("cpu", "cuda"))
    assert gpu.converged
    close = 1e-9 if scheme == "anticipation" else 1e-5
    assert gpu.objective[-1] == pytest.approx(cpu.objective[-1], rel=close)
    if scheme == "anticipation":
        np.testing.assert_allclose(gpu.components, cpu.components, atol=1e-5)


@pytest.mark.gpu
@each
def test_a_step_on_a_gpu_is_the_step_on_the_cpu(weights, smoothness, scheme, as_on_device):
    """And waits for nothing, by CUDA's own account."""
    data, lam, state, how = begun(weights, smoothness, scheme)
    of = [None if Z is None else torch.from_numpy(Z.copy()).cuda() for Z in WEIGHTS[weights]]
    on_gpu = Spectra(torch.from_numpy(X).cuda(), *of, device="cuda")
    moved = solver.State(*(Z.cuda() for Z in state))
    lam_on_gpu = lam.cuda()
    solver.step(on_gpu, lam_on_gpu, moved, how)  # what is made once for a process
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = solver.step(on_gpu, lam_on_gpu, moved, how)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected = solver.step(data, lam, state, how)
    for name in ("Wt", "H", "F", "gram_W"):
        values = getattr(found, name).cpu(), getattr(expected, name)
        np.testing.assert_allclose(*values, rtol=1e-6, atol=1e-8)


@pytest.mark.gpu
def test_tensors_on_a_gpu_stay_there():
    tensor = torch.from_numpy(many(60, 40)).cuda()
    model = SmoothNMF(3, tol=1e-8).fit(tensor)
    assert model.components_.device == model.transform(tensor).device == tensor.device
    assert unmix(tensor, model.components_).device == tensor.device
    single = smooth_nmf(tensor.float(), 3, dtype="float32", tol=1e-4)
    assert single.objective[-1] == pytest.approx(model.objective_[-1], rel=1e-3)
