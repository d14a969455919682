"""X in memory and on disk: the same products, the same fits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits

from spectralunmix import SmoothNMF
from spectralunmix.nmf import data
from spectralunmix.nmf.data import Spectra

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
    monkeypatch.setattr(data, "BLOCK", 7 * X.shape[1] * 8)  # seven rows


def check_products(spectra, V, counts):
    """All of them, for two fits: V and counts have one for each, or one for both."""
    Wt, H, dH = (RNG.random((2, 3, n)) for n in (60, 40, 40))
    made = [torch.from_numpy(Z) for Z in (Wt, H, dH)]
    x, counted = np.where(V > 0, X, 0), counts[:, :, None] * V
    np.testing.assert_allclose(spectra.times_weights(made[0]), Wt @ (counted * x))
    np.testing.assert_allclose(spectra.times_components(made[1]), H @ (V * x).swapaxes(1, 2))
    grams = spectra.gram_weights(made[0]), spectra.gram_components(made[1])
    assert [gram.shape[3] for gram in grams] == ([40, 60] if spectra.pixel_weights else [1, 1])
    expected = (
        np.einsum("fki,fli,fij->fklj", Wt, Wt, np.broadcast_to(counted, (2, *X.shape))),
        np.einsum("fkj,flj,fij->fkli", H, H, np.broadcast_to(V, (2, *X.shape))),
    )
    for gram, of in zip(grams, expected, strict=True):
        np.testing.assert_allclose(np.broadcast_to(gram, of.shape), of)
    if spectra.pixel_weights:
        model = V * (Wt.swapaxes(1, 2) @ dH)
        response = spectra.model_times_components(made[1], made[0], made[2])
        np.testing.assert_allclose(response, H @ model.swapaxes(1, 2))
    squares = (counted * x**2).sum(axis=(1, 2))
    np.testing.assert_allclose(spectra.sum_of_squares.expand(2), np.broadcast_to(squares, 2))
    mean = [[row[row > 0].mean() for row in each] for each in V]
    np.testing.assert_allclose(spectra.mean_weight.expand(2, -1), np.broadcast_to(mean, (2, 60)))


ONE, COUNTS = np.ones((1, 60)), RNG.integers(0, 4, (2, 60)) * 1.0


@pytest.mark.parametrize("counts", [ONE, COUNTS])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("on_disk", [as_memmap, as_fits])
def test_blocks_have_the_products_of_the_whole(on_disk, weighted, counts, small_blocks, tmp_path):
    v = on_disk(V, tmp_path) if weighted else None
    of_X = on_disk(MASKED if weighted else X, tmp_path)
    blocks = Spectra(of_X, v, None if counts is ONE else torch.from_numpy(counts))
    assert len(list(blocks.blocks())) == 9
    ones = V if weighted else np.ones_like(X)
    check_products(blocks, ones[None], counts)
    W, H = RNG.random((3, 60)), RNG.random((3, 40))
    misfit = (ones * np.square(X - W.T @ H)).sum()
    found = blocks.misfit(torch.from_numpy(W), torch.from_numpy(H))
    assert found == pytest.approx(misfit, rel=1e-12)
    plain = blocks.unweighted()
    assert not plain.pixel_weights
    expected = (np.where(ones > 0, X, 0) ** 2).sum()
    assert float(plain.sum_of_squares) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(blocks.squared_lengths(), (np.where(ones > 0, X, 0) ** 2).sum(1))
    np.testing.assert_allclose(blocks.row(33), np.where(ones > 0, X, 0)[33])


@pytest.mark.parametrize("counts", [ONE, COUNTS])
@pytest.mark.parametrize("of", ["nothing", "all fits", "each fit"])
def test_products_in_memory(of, counts, implementation):
    per_fit = np.stack([V, np.roll(V, 7, axis=1)])
    weights = {"nothing": np.ones((1, 60, 40)), "all fits": V[None], "each fit": per_fit}[of]
    given = {"nothing": None, "all fits": V, "each fit": per_fit}[of]
    spectra = Spectra(
        torch.from_numpy(X),
        None if given is None else torch.from_numpy(given),
        None if counts is ONE else torch.from_numpy(counts),
    )
    check_products(spectra, weights, counts)
    swapped = spectra.of_fits(torch.tensor([1, 0]))
    check_products(swapped, weights[::-1], counts[::-1])


def test_the_product_with_a_change_of_the_model(small_blocks, tmp_path):
    """From disk, in memory and with weights of each fit's own."""
    per_fit = np.stack([V, np.roll(V, 7, axis=1)])
    Wt, dWt, H = RNG.random((2, 3, 60)), RNG.random((2, 3, 60)), RNG.random((2, 3, 40))
    model = dWt.swapaxes(1, 2) @ H
    made = [torch.from_numpy(Z) for Z in (Wt, dWt, H)]
    for spectra, v in (
        (Spectra(as_memmap(X, tmp_path), as_memmap(V, tmp_path)), V),
        (Spectra(torch.from_numpy(X), torch.from_numpy(V)), V),
        (Spectra(torch.from_numpy(X), torch.from_numpy(per_fit)), per_fit),
    ):
        np.testing.assert_allclose(spectra.model_times_weights(*made), Wt @ (v * model))


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
    package = Path(data.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert "4000 x 10000 values in float64 needs about 0.6 GiB on 'cpu'" in done.stdout, done.stderr
