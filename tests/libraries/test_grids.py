"""One grid for all spectra: flux and its variance conserved, nothing extrapolated."""

import itertools

import numpy as np
import pytest
from scipy import integrate

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import grids
from spectralunmix.libraries.readers import Spectrum

NONE = {"start": None, "stop": None, "step": None, "spacing": "linear"}


def spectrum(wavelength, flux, inverse_variance=None):
    return Spectrum("s", wavelength, flux, {}, inverse_variance)


def test_rebinning_to_whole_channels_is_their_mean():
    rng = np.random.default_rng(0)
    fine = np.arange(1000.0, 2000.0)
    s = spectrum(fine, rng.random(1000), rng.uniform(1, 2, 1000))
    wavelength = np.arange(1102.0, 1900.0, 5.0)  # edges at 1099.5, 1104.5, ...
    found = grids.on_grid(s, wavelength)
    expected = s.flux[100:900].reshape(-1, 5)
    np.testing.assert_allclose(found.flux, expected.mean(axis=1), rtol=1e-10)
    variance = (1 / s.inverse_variance[100:900]).reshape(-1, 5).sum(axis=1) / 25
    np.testing.assert_allclose(1 / found.inverse_variance, variance, rtol=1e-10)


def test_any_channels_keep_the_integral():
    rng = np.random.default_rng(1)
    old = np.sort(rng.uniform(1000, 2000, 300))
    s = spectrum(old, rng.random(300))
    new = np.sort(rng.uniform(1100, 1900, 40))
    found, edges = grids.on_grid(s, new), grids.edges(new)

    def flux(x):
        channel = np.searchsorted(grids.edges(old), x, side="right") - 1
        return s.flux[channel]

    steps = grids.edges(old)
    for i in (0, 7, 39):
        inside = steps[(steps > edges[i]) & (steps < edges[i + 1])]
        cuts = [edges[i], *inside, edges[i + 1]]
        parts = [integrate.quad(flux, a, b)[0] for a, b in itertools.pairwise(cuts)]
        assert found.flux[i] * (edges[i + 1] - edges[i]) == pytest.approx(sum(parts), rel=1e-9)


def test_masked_channels_do_not_count():
    s = spectrum(np.arange(1000.0, 1012.0), np.arange(12.0), np.ones(12))
    s.inverse_variance[[3, 4, 5, 7]] = 0
    s.flux[3:6] = np.nan
    found = grids.on_grid(s, np.array([1001.0, 1004.0, 1007.0, 1010.0]))
    np.testing.assert_allclose(found.flux, [1, np.nan, 7, 10])
    np.testing.assert_allclose(found.inverse_variance, [3, 0, 2, 3])


def test_a_channel_of_flux_without_weight_keeps_the_flux_and_has_no_weight():
    s = spectrum(np.arange(1000.0, 1012.0), np.arange(12.0), np.ones(12))
    s.inverse_variance[[3, 4, 5, 7]] = 0
    s.flux[4] = np.nan
    s.flux[7] = 1e9  # a cosmic ray, masked beside channels that count
    found = grids.on_grid(s, np.array([1001.0, 1004.0, 1007.0, 1010.0]))
    np.testing.assert_allclose(found.flux, [1, (3 + 5) / 2, 7, 10])
    np.testing.assert_allclose(found.inverse_variance, [3, 0, 2, 3])


def test_a_range_of_the_own_channels_is_not_rebinned():
    s = spectrum(np.arange(1000.0, 1100.0), np.random.default_rng(0).random(100))
    found = grids.on_grid(s, s.wavelength[10:20])
    assert np.array_equal(found.flux, s.flux[10:20])


def test_stated_grids():
    linear = grids.stated({"start": 1000, "stop": 1010, "step": 2.5, "spacing": "linear"})
    assert linear.tolist() == [1000, 1002.5, 1005, 1007.5, 1010]
    log = grids.stated({"start": 1000, "stop": 100000, "step": 0.5, "spacing": "log10"})
    np.testing.assert_allclose(log, 10 ** np.array([3, 3.5, 4, 4.5, 5]))
    assert grids.stated(NONE) is None


def test_the_data_decide_what_is_not_stated():
    fine, coarse = np.arange(1000.0, 2000.0), np.arange(1100.0, 2500.0, 10)
    found, how = grids.decided([fine, coarse], NONE)
    np.testing.assert_array_equal(found, np.arange(1100.0, 2000.0, 10))
    assert "coarsest" in how
    for w in (fine, coarse):
        assert grids.covers(w, found)
    found, _ = grids.decided([fine, coarse], NONE | {"step": 100})
    np.testing.assert_array_equal(found, np.arange(1200, 1901, 100))  # whole channels
    found, how = grids.decided([fine, fine], NONE | {"stop": 1499})
    np.testing.assert_array_equal(found, fine[:500])
    assert "own" in how


def test_no_range_in_common():
    apart = [np.arange(1000.0, 2000.0), np.arange(3000.0, 4000.0)]
    with pytest.raises(LibraryError, match="one spectrum begins at 3000 and one ends at 1999"):
        grids.decided(apart, NONE)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(1000, 1100, True), (1000, 1101, False), (999, 1100, False)],
)
def test_coverage(first, last, expected):
    own = np.arange(1000.0, 1101.0)
    assert grids.covers(own, np.arange(first, last + 1.0)) == expected


@pytest.mark.parametrize(
    ("air", "vacuum"),
    # lines of hydrogen, sodium and calcium as the NIST Atomic Spectra Database lists them
    [(6562.79, 6564.60), (5889.951, 5891.583), (8542.09, 8544.44), (3933.66, 3934.77)],
)
def test_air_to_vacuum(air, vacuum):
    assert grids.in_vacuum(np.array([air]))[0] == pytest.approx(vacuum, abs=0.012)


def test_ultraviolet_wavelengths_are_in_vacuum_already():
    assert grids.in_vacuum(np.array([1500.0]))[0] == 1500
