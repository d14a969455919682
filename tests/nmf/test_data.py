"""X in memory, on disk and compressed: the same products, the same fits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits

from spectralunmix import SmoothNMF
from spectralunmix.nmf import compression, spectra
from spectralunmix.nmf.spectra import Spectra

RNG = np.random.default_rng(3)
X = RNG.random((60, 40)) - 0.1
V = RNG.random(X.shape) * (RNG.random(X.shape) > 0.2)
MASKED = np.where(V > 0, X, np.nan)


def as_memmap(array, folder, dtype=float):
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, array.astype(dtype))
    return np.load(path, mmap_mode="r")


def as_fits(array, folder, dtype=float):
    path = folder / f"{len(list(folder.iterdir()))}.fits"
    fits.writeto(path, array.astype(dtype))
    with fits.open(path, memmap=True) as file:
        return file[0].data


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(spectra, "BLOCK", 7 * X.shape[1] * 8)  # seven rows


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("on_disk", [as_memmap, as_fits])
def test_blocks_have_the_products_of_the_whole(on_disk, weighted, small_blocks, tmp_path):
    v = V if weighted else None
    blocks = Spectra(
        on_disk(MASKED if weighted else X, tmp_path), on_disk(V, tmp_path) if weighted else None
    )
    assert len(list(blocks.blocks())) == 9
    W, H = RNG.random((2, 3, 60)), RNG.random((2, 3, 40))
    vX = X * V if weighted else X
    ones = V if weighted else np.ones_like(X)
    np.testing.assert_allclose(blocks.with_weights(W), W @ vX)
    np.testing.assert_allclose(blocks.with_components(H), H @ vX.T)
    grams = blocks.gram_of_weights(W), blocks.gram_of_components(H)
    if not weighted:
        grams = [gram[..., None] * np.ones(n) for gram, n in zip(grams, (40, 60), strict=True)]
    np.testing.assert_allclose(grams[0], np.einsum("fki,fli,ij->fklj", W, W, ones))
    np.testing.assert_allclose(grams[1], np.einsum("fkj,flj,ij->fkli", H, H, ones))
    if weighted:
        dW, dH = RNG.random(W.shape), RNG.random(H.shape)
        models = (ones * (dW.swapaxes(1, 2) @ H)), (ones * (W.swapaxes(1, 2) @ dH))
        np.testing.assert_allclose(blocks.model_with_weights(W, dW, H), W @ models[0])
        expected = H @ models[1].swapaxes(1, 2)
        np.testing.assert_allclose(blocks.model_with_components(H, W, dH), expected)
    misfit = (ones * np.square(X - W[0].T @ H[0])).sum()
    assert blocks.misfit(W[0], H[0]) == pytest.approx(misfit, rel=1e-12)
    assert blocks.sum_of_squares == pytest.approx((ones * X**2).sum(), rel=1e-12)
    assert v is None or blocks.unweighted().sum_of_squares < (X**2).sum()


@pytest.mark.parametrize("init", ["nndsvd", "spa", "random"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("on_disk", [as_memmap, as_fits])
def test_a_fit_from_disk_is_the_fit_in_memory(on_disk, weighted, init, small_blocks, tmp_path):
    v = V if weighted else None
    model = SmoothNMF(3, init=init, random_state=0, tol=1e-8, max_iter=20_000)
    whole = model.fit(MASKED if weighted else X, inverse_variance=v)
    expected = whole.objective_[-1], whole.components_, whole.transform(X), whole.score(X)
    v = None if v is None else on_disk(v, tmp_path)
    data = on_disk(MASKED if weighted else X, tmp_path)
    blocks = model.fit(data, inverse_variance=v)
    assert blocks.objective_[-1] == pytest.approx(expected[0], rel=1e-10)
    np.testing.assert_allclose(blocks.components_, expected[1], atol=1e-5)
    full = on_disk(X, tmp_path)
    np.testing.assert_allclose(blocks.transform(full), expected[2], atol=1e-4)
    assert blocks.score(full) == pytest.approx(expected[3], rel=1e-5)


def test_single_precision_from_disk(small_blocks, tmp_path):
    model = SmoothNMF(3, dtype="float32", tol=1e-4)
    data = as_fits(X, tmp_path, ">f4")
    assert model.fit_transform(data).dtype == np.float32
    assert model.objective_[-1] == pytest.approx(model.fit(X).objective_[-1], rel=1e-3)


@pytest.mark.parametrize(
    ("data", "v", "message"),
    [
        (MASKED, None, "X has NaN"),
        (np.where(np.arange(40) == 3, np.inf, X), V, "X has NaN or infinite .* where"),
        (X, -V, "inverse_variance has negative"),
        (X, V[1:], r"inverse_variance is \(59, 40\)"),
        (-np.abs(X), None, "no value above zero"),
    ],
)
def test_bad_values_on_disk_are_named(data, v, message, small_blocks, tmp_path):
    v = None if v is None else as_memmap(v, tmp_path)
    with pytest.raises(ValueError, match=message):
        SmoothNMF(2).fit(as_fits(data, tmp_path), inverse_variance=v)


def mixtures(n_spectra, n_wave, k, noise=0.02):
    rng = np.random.default_rng(0)
    centres = np.linspace(0.1 * n_wave, 0.9 * n_wave, k)[:, None]
    H = np.exp(-0.5 * ((np.arange(n_wave) - centres) / (0.08 * n_wave)) ** 2)
    clean = rng.gamma(0.3, size=(n_spectra, k)) @ H
    return clean + noise * rng.standard_normal(clean.shape)


@pytest.mark.parametrize("smoothness", [0.0, 30.0])
def test_compressed_iterations_end_at_the_optimum_of_the_whole(smoothness, monkeypatch):
    data = mixtures(700, 900, 3)
    calls = []
    monkeypatch.setattr(spectra, "sketch", lambda *of: calls.append(of) or compression.sketch(*of))
    model = SmoothNMF(3, smoothness=smoothness, init="random", random_state=1, tol=1e-8)
    W, H = model.fit_transform(data), model.components_
    assert calls
    assert (np.diff(model.objective_) < 0).all()
    # the optimality conditions, from the gradient written out
    residual, steps = W @ H - data, np.diff(H, axis=1)
    coupling = smoothness * np.square(W).sum(axis=0)[:, None]
    by_W = residual @ H.T + smoothness * W * np.square(steps).sum(axis=1)
    by_H = W.T @ residual - coupling * np.diff(np.pad(steps, ((0, 0), (1, 1))), axis=1)
    for gradient, factor, product in ((by_W, W, data @ H.T), (by_H, H, W.T @ data)):
        assert gradient.min() > -1e-7 * np.abs(product).max()
        assert np.abs(gradient * factor).max() < 1e-7 * np.abs(product).max() * factor.max()
    # and the objective is the whole one's
    rough = (np.square(W).sum(axis=0) * np.square(steps).sum(axis=1)).sum()
    assert model.objective_[-1] == pytest.approx(
        np.square(residual).sum() + smoothness * rough, rel=1e-10
    )


def test_progress_is_told_of_compressed_iterations_too(caplog):
    with caplog.at_level("INFO", logger="spectralunmix"):
        model = SmoothNMF(3, smoothness=0, verbose=2, tol=1e-8).fit(mixtures(700, 900, 3))
    told = [record.getMessage() for record in caplog.records]
    iterations = [int(line.split(":")[0].split()[1]) for line in told]
    assert iterations == list(range(2, model.n_iter_ + 1, 2))
    last = float(told[-1].split("objective ")[1].split(",")[0])
    assert last == pytest.approx(model.objective_[-1], rel=1e-5)


def test_a_sketch_of_full_rank_is_the_spectra():
    whole = Spectra(torch.from_numpy(X))
    full = compression.sketch(whole, 40)
    W, H = RNG.random((1, 2, 60)), RNG.random((1, 2, 40))
    np.testing.assert_allclose(full.with_weights(W), W @ X, atol=1e-10)
    np.testing.assert_allclose(full.with_components(H), H @ X.T, atol=1e-10)


def test_an_extended_sketch_has_the_true_products():
    whole = Spectra(torch.from_numpy(X))
    W, H = RNG.random((3, 60)), RNG.random((3, 40))
    rough = compression.sketch(whole, 5)
    new = rough.outside(W, H @ X.T)
    view = rough.extended(new, new @ X)
    np.testing.assert_allclose(view.with_weights(W[None])[0], W @ X, atol=1e-10)
    np.testing.assert_allclose(view.with_components(H[None])[0], H @ X.T, atol=1e-10)


TOO_LARGE = """
import resource, numpy as np
from spectralunmix import SmoothNMF
X = np.ones((4000, 10_000), dtype="float32")
limit = int(open("/proc/self/statm").read().split()[0]) * 4096 + 150 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    SmoothNMF(2, dtype="float64").fit(X)
except MemoryError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by Linux's means")
def test_too_little_memory_is_said_with_the_size():
    package = Path(spectra.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert "4000 x 10000 values in float64 needs about 0.6 GiB on 'cpu'" in done.stdout, done.stderr


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(60, 40), (700, 900)])  # the larger one is compressed
def test_a_fit_on_a_gpu_is_the_fit_on_the_cpu(shape, weighted):
    data = mixtures(*shape, 3)
    v = np.random.default_rng(1).random(shape) if weighted else None
    cpu = SmoothNMF(3, tol=1e-8).fit(data, inverse_variance=v)
    gpu = SmoothNMF(3, tol=1e-8, device="cuda").fit(data, inverse_variance=v)
    assert gpu.objective_[-1] == pytest.approx(cpu.objective_[-1], rel=1e-9)
    np.testing.assert_allclose(gpu.components_, cpu.components_, atol=1e-5)
    tensor = torch.from_numpy(data).cuda()
    assert gpu.transform(tensor).device == tensor.device
