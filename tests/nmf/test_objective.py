"""The objective, its gradient and its optimality, against plain sums and finite differences."""

import numpy as np
import pytest
import scipy.optimize
import torch
from written_out import half_gradients, projected

from spectralunmix.nmf import objective, solver
from spectralunmix.nmf.data import Spectra

SMOOTHNESS = [0.0, 3.7]
STEP = 1e-6


@pytest.fixture(params=["plain", "v", "counts", "v and counts"])
def problem(request):
    """X (7, 11), v or None, how often each spectrum counts or None, W (7, 3), H (3, 11)."""
    rng = np.random.default_rng(1)
    X, v, W, H = (rng.random(shape) for shape in [(7, 11), (7, 11), (7, 3), (3, 11)])
    v[2], v[4, ::3], W[3, 1], H[2, 4:6] = 0, 0, 0, 0
    counts = np.array([1.0, 2, 1, 3, 0, 1, 1.5])
    return X, v if "v" in request.param else None, counts if "co" in request.param else None, W, H


def plain(X, v, counts, W, H, smoothness):
    """The objective as it is written."""
    v = np.ones_like(X) if v is None else v
    counts = np.ones(len(X)) if counts is None else counts
    mean = [
        count * np.mean(row[row > 0]) if row.any() else 0
        for row, count in zip(v, counts, strict=True)
    ]
    rough = sum(
        mean[i] * W[i, k] ** 2 * ((H[k, 1:] - H[k, :-1]) ** 2).sum() for i, k in np.ndindex(W.shape)
    )
    return (counts[:, None] * v * (X - W @ H) ** 2).sum() + smoothness * rough


def tensors(*arrays):
    """Each array with a batch of one before it; None as None."""
    return [None if Z is None else torch.from_numpy(np.ascontiguousarray(Z))[None] for Z in arrays]


def spectra_of(X, v, counts):
    (counts,) = tensors(counts)
    return Spectra(torch.from_numpy(X), None if v is None else torch.from_numpy(v), counts)


def certified(X, v, counts, W, H, smoothness):
    """The solver's own objective and optimality."""
    spectra, (Wt, of_H) = spectra_of(X, v, counts), tensors(W.T, H)
    products = spectra.times_weights(Wt), spectra.gram_weights(Wt)
    lam = torch.tensor([smoothness], dtype=torch.float64)
    *_, F, optimality = solver.certified(spectra, lam, Wt, of_H, *products, smoothness > 0)
    return float(F), float(optimality)


def differences(X, v, counts, W, H, smoothness):
    """Half the gradients in W and in H, from finite differences of `plain`."""
    found = []
    for moved in (W, H):
        gradient = np.empty_like(moved)
        for index in np.ndindex(moved.shape):
            either, before = [], moved[index]
            for sign in (1, -1):
                moved[index] = before + sign * STEP
                either.append(plain(X, v, counts, W, H, smoothness))
            moved[index] = before
            gradient[index] = (either[0] - either[1]) / (4 * STEP)
        found.append(gradient)
    return found


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
def test_objective_is_the_sum_as_written(problem, smoothness):
    X, v, _, W, H = problem
    F, _ = certified(*problem, smoothness)
    assert plain(*problem, smoothness) == pytest.approx(F, rel=1e-12)
    spectra = spectra_of(X, v, None)
    misfit = spectra.misfit(torch.from_numpy(W.T.copy()), torch.from_numpy(H))
    assert misfit == pytest.approx(plain(X, v, None, W, H, 0), rel=1e-12)


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
@pytest.mark.parametrize("factor", ["W", "H"])
def test_optimality_is_the_projected_gradient_of_finite_differences(problem, smoothness, factor):
    """Of either factor in turn: the other is near its best, and the larger one counts."""
    X, v, counts, W, H = problem
    other, which = (H, 1) if factor == "W" else (W, 0)

    def with_other(flat):
        other[...] = flat.reshape(other.shape)
        gradient = half_gradients(X, W, H, smoothness, v, counts)[which][0]
        return plain(*problem, smoothness), 2 * gradient.ravel()

    bounds = [(0, None)] * other.size
    with_other(scipy.optimize.minimize(with_other, other.ravel(), jac=True, bounds=bounds).x)
    products = [product for _, product in half_gradients(X, W, H, 0, v, counts)]
    count = np.ones(len(X)) if counts is None else np.where(counts > 0, counts, 1)
    roots = np.sqrt(count)[:, None], 1.0  # as of spectra that are there so often
    of_both = zip(differences(*problem, smoothness), (W, H), products, roots, strict=True)
    expected = [
        np.linalg.norm(projected(gradient, of) / root) / np.linalg.norm(product / root)
        for gradient, of, product, root in of_both
    ]
    assert (expected[0] > expected[1]) == (factor == "W")
    _, optimality = certified(*problem, smoothness)
    assert optimality == pytest.approx(max(expected), rel=1e-5)


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
def test_the_gradients_that_the_tests_compare_with_are_those_of_finite_differences(
    problem, smoothness
):
    X, v, counts, W, H = problem
    written = [gradient for gradient, _ in half_gradients(X, W, H, smoothness, v, counts)]
    for own, expected in zip(written, differences(*problem, smoothness), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-6)


def test_value_is_the_same_from_either_factor(problem):
    X, v, counts, W, H = problem
    spectra, (Wt, of_H) = spectra_of(X, v, counts), tensors(W.T, H)
    count = 1 if counts is None else torch.from_numpy(counts)
    of_W = spectra.times_components(of_H) * count
    in_W = objective.times_gram(spectra.gram_components(of_H), Wt) * count - of_W
    of_components = spectra.times_weights(Wt)
    in_H = objective.times_gram(spectra.gram_weights(Wt), of_H) - of_components
    for parts in ((in_W, Wt, of_W), (in_H, of_H, of_components)):
        F = spectra.sum_of_squares + objective.less_than_squares(*parts)
        assert float(F) == pytest.approx(plain(*problem, 0), rel=1e-12)


def test_rescaling_changes_nothing(problem):
    X, v, counts, W, H = problem
    scale = np.array([0.01, 1.0, 300.0])
    rescaled, _ = certified(X, v, counts, W * scale, H / scale[:, None], 5.0)
    assert rescaled == pytest.approx(plain(*problem, 5.0), rel=1e-12)


def test_only_feasible_descent_counts():
    gradient, factor, product = torch.tensor(
        [
            [[[2.0, -3.0, 2.0, -4.0]], [[1.0, 0.0, 0.0, 0.0]]],
            [[[0.0, 0.0, 1e-200, 0.0]], [[0.0, 1.0, 0.0, 1e200]]],
            [[[0.0, 10.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]],
        ],
        dtype=torch.float64,
    )
    measured = objective.relative_projected(gradient, factor, product)
    assert measured.tolist() == pytest.approx([(9 + 4 + 16) ** 0.5 / 10, 0.0])


def test_second_difference_is_that_of_the_matrix():
    for n_wave in (1, 2, 3, 8):
        H, D = np.random.default_rng(0).random((2, 3, n_wave)), np.diff(np.eye(n_wave), axis=0)
        found = objective.second_difference(torch.from_numpy(H)).numpy()
        np.testing.assert_allclose(found, H @ D.T @ D, atol=1e-14)
        rough = objective.roughness(torch.from_numpy(H)).numpy()
        np.testing.assert_allclose(rough, np.square(H @ D.T).sum(axis=2), atol=1e-14)
