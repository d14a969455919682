"""The same data in any unit give the same fit, or one error that says why not."""

import numpy as np
import pytest
import scipy.optimize
import torch

from mixtures import inverse_variance, mixtures
from spectralunmix import SmoothNMF, scan_smoothness
from spectralunmix.nmf.scale import divided, scale_of

X = mixtures(noise=0.1)
V = inverse_variance(X.shape)
FLOAT64 = [1e-140, 1e-80, 1e7, 1e77, 1e140]
FLOAT32 = [1e-30, 1e-10, 1e10, 1e30]


def recomputed(X, v, W, H, smoothness):
    """Objective and optimality of W (n_spectra, k) and H (k, n_wave) of data at ordinary scale."""
    v = np.ones_like(X) if v is None else v
    mean = np.array([row[row > 0].mean() for row in v])
    length = np.sqrt(mean @ W**2)
    W, H = W / length, H * length[:, None]
    residual, D = v * (W @ H - X), np.diff(np.eye(X.shape[1]), axis=0)
    rough = np.square(H @ D.T).sum(axis=1)
    F = (v * (X - W @ H) ** 2).sum() + smoothness * (mean @ W**2 @ rough)
    by_W = residual @ H.T + smoothness * mean[:, None] * W * rough
    by_H = W.T @ residual + smoothness * H @ D.T @ D
    data = (v * X) @ H.T, W.T @ (v * X)
    found = [
        np.linalg.norm(np.where(Z > 0, g, np.minimum(g, 0))) / np.linalg.norm(of)
        for g, Z, of in zip((by_W, by_H), (W, H), data, strict=True)
    ]
    return F, max(found)


def fitted(constant=1.0, of_v=None, dtype="float64", X=X, **parameters):
    """A model of the data times a constant, with its weights divided by that."""
    settings = {"random_state": 0, "dtype": dtype, "max_iter": 5000, **parameters}
    settings.setdefault("tol", 1e-10 if dtype == "float64" else 1e-4)
    model, v = SmoothNMF(3, **settings), None if of_v is None else of_v * V
    W = model.fit_transform((constant * X).astype(dtype), inverse_variance=v)
    return model, W.astype(float) / constant


@pytest.mark.parametrize("init", ["nndsvd", "spa", "random"])
@pytest.mark.parametrize("smoothness", [0, 10])
@pytest.mark.parametrize("of_v", [None, 1.0, 1e-100, 1e100])
def test_spectra_times_a_constant_have_the_same_components(of_v, smoothness, init):
    of = {"smoothness": smoothness, "init": init}
    model, weights = fitted(of_v=None if of_v is None else 1.0, **of)
    v = None if of_v is None else V
    for constant in FLOAT64 if of_v is None else [1e-100, 1e100]:
        scaled, W = fitted(constant, of_v, **of)
        assert scaled.converged_
        np.testing.assert_allclose(scaled.components_, model.components_, atol=1e-5)
        np.testing.assert_allclose(W, weights, atol=1e-5 * weights.max())
        F, optimality = recomputed(X, v, W, scaled.components_, smoothness)
        assert optimality <= 1e-10 + 1e-13
        assert optimality == pytest.approx(scaled.optimality_[-1], abs=1e-12)
        unit = constant * (of_v or 1.0) ** 0.5
        assert (scaled.objective_[-1] / unit) / unit == pytest.approx(F, rel=1e-9)
        assert scaled.objective_[-1] == min(scaled.restart_objectives_)
        error = model.reconstruction_err_
        assert scaled.reconstruction_err_ / unit == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("of_v", [None, 1.0, 1e-100, 1e100])
@pytest.mark.parametrize("smoothness", [0, 10])
def test_in_single_precision_too(smoothness, of_v):
    v = None if of_v is None else V
    for constant in FLOAT32:
        model, W = fitted(constant, of_v, "float32", smoothness=smoothness)
        F, optimality = recomputed(X, v, W, model.components_.astype(float), smoothness)
        assert model.converged_
        assert optimality <= 3e-4
        best, _ = fitted(1.0, of_v and 1.0, smoothness=smoothness)
        assert best.objective_[-1] * (1 + 1e-4) >= F


@pytest.mark.parametrize("of_v", [None, 2.0**60])
def test_powers_of_two_change_no_digit(of_v):
    (model, W), (same, same_W) = (fitted(2.0**power, of_v) for power in (-300, 300))
    assert np.array_equal(model.components_, same.components_)
    assert np.array_equal(model.optimality_, same.optimality_)
    assert np.array_equal(W, same_W)
    ordinary = torch.from_numpy(X)
    assert divided(ordinary, scale_of(ordinary, None, torch.float64).x) is ordinary  # no copy


def as_memmap(values, path):
    np.save(path, values)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("of", ["disk", "tensor"])
@pytest.mark.parametrize("weighted", [False, True])
def test_spectra_on_disk_and_tensors_in_any_unit(of, weighted, tmp_path):
    expected, weights = fitted(of_v=1.0 if weighted else None)
    v, data = 1e80 * V if weighted else None, 1e-100 * X
    if of == "tensor":
        data, v = torch.from_numpy(data), torch.from_numpy(v) if weighted else None
    else:
        data = as_memmap(data, tmp_path / "X.npy")
        v = as_memmap(v, tmp_path / "v.npy") if weighted else None
    model = SmoothNMF(3, tol=1e-10, max_iter=5000)
    W = np.asarray(model.fit_transform(data, inverse_variance=v))
    np.testing.assert_allclose(np.asarray(model.components_), expected.components_, atol=1e-5)
    np.testing.assert_allclose(W / 1e-100, weights, atol=1e-5 * weights.max())


def test_compressed_spectra_in_any_unit(monkeypatch):
    many = mixtures(700, 300, noise=0.1)
    monkeypatch.setattr("spectralunmix.nmf.solver.WORTHWHILE", 1)
    expected, _ = fitted(X=many, tol=1e-8)
    for constant in (1e-100, 1e100):
        model, _ = fitted(constant, X=many, tol=1e-8)
        assert model.converged_
        np.testing.assert_allclose(model.components_, expected.components_, atol=1e-5)


def test_new_spectra_of_another_unit_than_the_fits():
    for fit_unit, unit in ((1e-90, 1.0), (1.0, 1e100), (1e120, 1e-120)):
        model, _ = fitted(fit_unit)
        expected = np.array([scipy.optimize.nnls(model.components_.T, x)[0] for x in X])
        model.smoothness = 0
        W = model.transform(unit * X)
        np.testing.assert_allclose(W / unit, expected, atol=1e-8)
        misfit = np.square(X - expected @ model.components_).mean()
        assert model.score(unit * X) / unit / unit == pytest.approx(-misfit, rel=1e-8)
        again = model.inverse_transform(W) / unit
        np.testing.assert_allclose(again, expected @ model.components_, atol=1e-7)


def test_given_starts_and_scans_of_any_unit():
    start = np.random.default_rng(0).random((3, X.shape[1])) * [[1e-200], [1.0], [1e200]]
    expected, _ = fitted(init=start > 0)
    model, _ = fitted(1e90, init=start)
    np.testing.assert_allclose(model.components_, expected.components_, atol=1e-5)
    plain, scaled = (
        scan_smoothness(SmoothNMF(3, tol=1e-10), unit * X, [0, 10]) for unit in (1.0, 1e-100)
    )
    for one, other in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(one.components_, other.components_, atol=1e-5)
        assert other.objective_[-1] == pytest.approx(1e-200 * one.objective_[-1], rel=1e-9)


@pytest.mark.parametrize("init", ["nndsvd", "spa", "random"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("faint", [1e-14, 1e-60, 1e-250])
def test_a_spectrum_far_fainter_than_the_others(faint, weighted, init):
    """Its own weights are the best for it, and the others' fit is that without it."""
    data, shape = X.copy(), np.random.default_rng(1).standard_normal(X.shape[1])
    data[5] = faint * shape
    model = SmoothNMF(3, smoothness=0, init=init, random_state=0, tol=1e-9, max_iter=5000)
    v = V if weighted else None
    W = model.fit_transform(data, inverse_variance=v)
    H, root = model.components_, np.sqrt(V[5]) if weighted else np.ones(X.shape[1])
    expected = scipy.optimize.nnls((H * root).T, shape * root)[0]
    assert (expected == 0).any()  # by sign, so that clipping the least squares is not enough
    # the fit's are those for the components of one iteration before
    np.testing.assert_allclose(W[5] / faint, expected, atol=1e-6)
    np.testing.assert_allclose(
        model.transform(data, inverse_variance=v)[5] / faint, expected, atol=1e-7
    )
    rest = np.arange(len(X)) != 5
    _, optimality = recomputed(data[rest], v if v is None else v[rest], W[rest], H, 0)
    assert optimality <= 2e-9


@pytest.mark.parametrize(
    ("data", "v", "dtype", "message"),
    [
        (1e-160 * X, None, "float64", r"the sum of X\^2, .* about 1e-31\d, .*another unit"),
        (1e160 * X, None, "float64", r"the sum of X\^2, .* about 1e32\d, .*another unit"),
        (1e140 * X, 1e100 * V, "float64", "about 1e38.*X or inverse_variance in another unit"),
        (X, np.full(X.shape, 1e-320), "float64", r"about 1e-31\d"),
        (1e-310 * X, None, "float64", "values up to .*e-310, too near the limits of float64"),
        (1e300 * X, None, "float64", "values up to .*e[+]300, too near the limits of float64"),
        (1e-40 * X, None, "float32", "e-40, too near .* float32: .*another unit, or dtype='float"),
        (1e36 * X, None, "float32", "e[+]36, too near .* float32: .*another unit, or dtype='float"),
        (1e200 * X, None, "float32", "e[+]200, too near .* float32"),
        (X, np.where(X > 1, 1e-40, 1), "float32", "goes from 1e-40 to 1, .*, or dtype='float64'"),
        (X, np.where(X > 1, 1e-300, 1), "float64", "goes from 1e-300 to 1, .* need to be 0$"),
    ],
)
def test_beyond_the_range_of_numbers_is_one_error(data, v, dtype, message):
    with pytest.raises(ValueError, match=message):
        SmoothNMF(3, dtype=dtype).fit(data, inverse_variance=v)


RANGE_OF_V = {"float64": 1e115, "float32": 1e14}  # its root, which a fit takes


@pytest.mark.parametrize("init", ["nndsvd", "spa"])
@pytest.mark.parametrize(
    ("along", "smoothness"), [("spectra", 0), ("spectra", 10), ("channels", 0)]
)
@pytest.mark.parametrize(
    ("dtype", "s"),
    [("float64", s) for s in (1e6, 1e60, 1e70, 1e80, 1e114, 1e116, 1e-80, 1e-114)]
    + [("float32", s) for s in (1e3, 1e7, 1e10, 1e12, 1e13, 1e15, 1e-13)],
)
def test_a_unit_of_every_other_spectrum_or_channel(dtype, s, along, smoothness, init):
    """v in that unit too, so that the minimum stays as it is."""
    units, v = np.ones((len(X), 1) if along == "spectra" else X.shape[1]), np.ones_like(X)
    units[::2] = s
    tol = 1e-10 if dtype == "float64" else 1e-4
    of = {"smoothness": smoothness, "init": init, "random_state": 0, "dtype": dtype, "tol": tol}
    model, ordinary = SmoothNMF(3, **of), SmoothNMF(3, **of)
    if max(s, 1 / s) > RANGE_OF_V[dtype]:
        with pytest.raises(ValueError, match="further than float"):
            model.fit(units * X, inverse_variance=v / units / units)
        return
    W = model.fit_transform(units * X, inverse_variance=v / units / units).astype(float)
    H = model.components_.astype(float)
    W, H = (W / units, H) if along == "spectra" else (W, H / units)
    F, optimality = recomputed(X, v, W, H, smoothness)
    assert model.converged_
    assert optimality <= 2 * tol
    assert model.objective_[-1] == pytest.approx(F, rel=1e-9 if dtype == "float64" else 1e-4)
    best = ordinary.fit(X, inverse_variance=v).objective_[-1]
    assert pytest.approx(best, rel=1e-9 if dtype == "float64" else 1e-3) == F


def test_weights_whose_products_leave_single_precision():
    data = np.full((6, 9), 4e12) + 1e12 * np.random.default_rng(0).random((6, 9))
    v = np.full(data.shape, 1e10)
    single, double = (
        SmoothNMF(2, dtype=dtype, tol=1e-4).fit(data, inverse_variance=v)
        for dtype in ("float32", "float64")
    )
    assert single.objective_[-1] == pytest.approx(double.objective_[-1], rel=1e-2)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values_name_the_way_out(value, kind):
    data = X.copy()
    data[3, 4] = value
    model = SmoothNMF(3).fit(X)
    for call in (
        SmoothNMF(3).fit,
        model.transform,
        model.score,
        lambda data: scan_smoothness(SmoothNMF(3), data, [1]),
    ):
        with pytest.raises(ValueError, match=r"NaN or infinite values: .* inverse_variance of 0"):
            call(kind(data))
