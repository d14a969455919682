"""Emission lines of components, on spectra made of known lines."""

import numpy as np
import pytest

from spectralunmix import smooth_nmf
from spectralunmix.cubes.lines import DOUBLETS, LIGHT, emission_lines, within

WAVELENGTH = 4700 + 1.1 * np.arange(2000)


def spectrum(velocity, width, fluxes, noise=0.0, seed=0):
    """On a straight continuum of its own; fluxes by the name of a line."""
    flux = 0.1 + 1e-5 * WAVELENGTH
    for name, place in within(WAVELENGTH, "air"):
        centre = place * (1 + velocity / LIGHT)
        sigma = centre * width / LIGHT
        profile = np.exp(-0.5 * ((WAVELENGTH - centre) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)
        flux = flux + fluxes.get(name, 0) * profile
    return flux + noise * np.random.default_rng(seed).normal(size=len(flux))


FLUXES = {"[NII] 6548": 1.0, "[NII] 6583": 3.05, "Hα": 4.0, "Hβ": 1.2, "[OI] 6300": 0.62}


@pytest.mark.parametrize(("velocity", "width"), [(0, 60), (-130, 120), (250, 200)])
def test_fluxes_velocity_and_width_come_back(velocity, width):
    found = emission_lines(
        WAVELENGTH, spectrum(velocity, width, FLUXES), np.ones(2000, bool), "air"
    )
    assert found.velocity == pytest.approx(velocity, abs=1)
    assert found.width == pytest.approx(width, abs=1)
    for name, flux in zip(found.names, found.fluxes, strict=True):
        assert flux == pytest.approx(FLUXES.get(name, 0), abs=0.01)
    assert found.ratio("[NII] 6583/6548") == pytest.approx(3.05, abs=0.01)
    assert found.ratio("[OI] 6300/6364") is None
    assert found.ratio("[OIII] 5007/4959") is None


def test_errors_are_those_of_noise():
    fluxes = []
    for seed in range(30):
        noisy = spectrum(-80, 110, FLUXES, 0.01, seed)
        fluxes.append(emission_lines(WAVELENGTH, noisy, np.ones(2000, bool), "air"))
    at = fluxes[0].names.index("Hα")
    scatter = np.std([one.fluxes[at] for one in fluxes])
    assert np.mean([one.errors[at] for one in fluxes]) == pytest.approx(scatter, rel=0.4)
    found = {
        name for one in fluxes for name, s in zip(one.names, one.significant, strict=True) if s
    }
    assert found == set(FLUXES)


def test_a_spectrum_without_lines_has_none():
    noise = spectrum(0, 100, {}, 0.01)
    found = emission_lines(WAVELENGTH, noise, np.ones(2000, bool), "air")
    assert not found.significant.any()
    assert np.isnan(found.velocity)
    curved = np.exp(-0.5 * ((WAVELENGTH - 6000) / 900) ** 2)
    assert not emission_lines(WAVELENGTH, curved, np.ones(2000, bool), "air").significant.any()
    beyond = emission_lines(np.linspace(2000, 3000, 500), np.ones(500), np.ones(500, bool), "air")
    assert beyond.names == []
    assert np.isnan(beyond.velocity)


@pytest.mark.parametrize("smoothness", [0, 1, 10])
def test_components_of_a_cube_without_lines_have_none(smoothness):
    """Smoothing makes of noise what looks like lines: errors are of correlated values."""
    rows, ramp = np.mgrid[:16, :16], np.linspace(0, 1, 2000)
    for seed in range(3):
        X = np.outer(10 + rows[0], 0.5 + 0.5 * ramp) + np.outer(10 + rows[1], 1 - 0.4 * ramp)
        X += np.random.default_rng(seed).normal(size=X.shape)
        fit = smooth_nmf(X, 2, smoothness=smoothness)
        for h in fit.components:
            found = emission_lines(WAVELENGTH, h, np.ones(2000, bool), "air")
            assert not found.significant.any()


def test_one_line_alone_has_no_name():
    found = emission_lines(
        WAVELENGTH, spectrum(0, 100, {"Hα": 5.0}, 1e-3), np.ones(2000, bool), "air"
    )
    assert np.isnan(found.velocity)
    assert not found.significant.any()


@pytest.mark.parametrize(
    ("velocity", "width", "names"), [(0, 700, FLUXES), (1400, 100, ("Hβ", "[OI] 6300"))]
)
def test_lines_beyond_what_is_looked_for_are_no_measurement(velocity, width, names):
    flux = spectrum(velocity, width, {name: FLUXES[name] for name in names}, 1e-3)
    found = emission_lines(WAVELENGTH, flux, np.ones(2000, bool), "air")
    assert np.isnan(found.velocity)
    assert not found.significant.any()


def test_channels_that_do_not_count_take_their_own_lines_alone():
    counted = np.ones(2000, bool)
    counted[np.abs(WAVELENGTH - 6300) < 10] = False  # a sky line
    counted[np.abs(WAVELENGTH - 6510) < 1] = False  # a channel beside other lines
    flux = spectrum(0, 100, FLUXES, 1e-3)
    flux[~counted] = 99
    found = emission_lines(WAVELENGTH, flux, counted, "air")
    at = found.names.index
    assert np.isnan(found.fluxes[at("[OI] 6300")])
    assert np.isnan(found.errors[at("[OI] 6300")])
    assert found.significant[[at("Hα"), at("[NII] 6583"), at("Hβ")]].all()
    assert found.fluxes[at("Hα")] == pytest.approx(4, rel=0.01)


def test_a_gap_in_the_grid_is_no_line():
    """As between the two arms of a spectrograph."""
    there = np.abs(WAVELENGTH - 4861) > 24
    flux = spectrum(0, 100, FLUXES, 1e-3)[there]
    found = emission_lines(WAVELENGTH[there], flux, np.ones(there.sum(), bool), "air")
    assert np.isnan(found.fluxes[found.names.index("Hβ")])
    assert found.fluxes[found.names.index("Hα")] == pytest.approx(4, rel=0.01)


def test_wavelengths_in_vacuum():
    """As NIST has them: 6564.61, 5008.24 and 6585.27 Angstrom."""
    places = dict(within(np.linspace(4000, 8000, 9), "vacuum"))
    assert places["Hα"] == pytest.approx(6564.61, abs=0.02)
    assert places["[OIII] 5007"] == pytest.approx(5008.24, abs=0.02)
    assert places["[NII] 6583"] == pytest.approx(6585.27, abs=0.02)
    for first, second, _ in DOUBLETS.values():
        assert {first, second} <= set(places)
