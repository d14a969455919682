"""unmix_cube and its file, on cubes made of known components."""

import dataclasses

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from scipy.optimize import nnls
from specutils import Spectrum

import cube_layouts as written
from spectralunmix import bootstrap, cross_validate, files, read_cube, smooth_nmf, unmix_cube
from spectralunmix.cubes import cube_files, maps_file, summary
from spectralunmix.cubes import maps as of_maps
from spectralunmix.figures.cube import draw

N_WAVE, Y, X = 120, 9, 8
LAMBDA = 0.001


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cube of two components with noise, its maps, and what it was made of."""
    random = np.random.default_rng(3)
    steps = np.arange(N_WAVE)
    H = np.array([0.4 + 0.6 * steps / N_WAVE, np.exp(-0.5 * ((steps - 60) / 3) ** 2)])
    H /= H.max(axis=1, keepdims=True)
    yy, xx = np.mgrid[:Y, :X]
    W = np.array([50 * np.exp(-((yy - 4) ** 2 + (xx - 4) ** 2) / 9) + 5, 20.0 * (xx > 4) + 1])
    sigma = random.uniform(0.05, 0.2, (N_WAVE, Y, X))
    flux = np.einsum("kyx,kw->wyx", W, H) + sigma * random.normal(size=sigma.shape)
    bad = random.random(flux.shape) < 0.02
    bad[:, 0, 0] = bad[17] = True  # a spaxel without a spectrum, a channel without a value
    path = written.muse(tmp_path_factory.mktemp("cube") / "c.fits", flux, sigma, bad)
    cube = read_cube(path, redshift=0.02)
    return cube, unmix_cube(cube, 2, LAMBDA), W, H, flux, sigma, bad


def test_components_and_maps_are_those_that_the_cube_was_made_of(made):
    cube, maps, W, H, *_ = made
    assert maps.converged
    assert maps.components.max(axis=1) == pytest.approx(1)
    # up to how much of one is counted to the other, which non-negativity leaves open
    good, (mixed, *_) = cube.channels, np.linalg.lstsq(H.T, maps.components.T, rcond=None)
    np.testing.assert_allclose(mixed.T @ H[:, good], maps.components[:, good], atol=0.02)
    assert mixed[1, 1] > 0.5  # the line
    weights = W[:, cube.spaxels].T @ np.linalg.inv(mixed.T)
    np.testing.assert_allclose(maps.weights, weights, atol=0.3)
    assert maps.maps.shape == (2, Y, X)
    assert np.isnan(maps.maps[:, 0, 0]).all()
    assert np.isfinite(maps.maps).sum() == 2 * (Y * X - 1)


def test_it_is_the_fit_of_the_spaxels(made):
    cube, maps, *_ = made
    result = smooth_nmf(cube.spectra, 2, smoothness=LAMBDA, inverse_variance=cube.inverse_variance)
    np.testing.assert_array_equal(result.weights, maps.weights)
    np.testing.assert_array_equal(result.components, maps.components)
    for row in (0, 31, 70):  # the weights are the best for the components
        root = np.sqrt(cube.inverse_variance[row].astype(float))
        rough = np.square(np.diff(maps.components)).sum(axis=1)
        v = cube.inverse_variance[row]
        mean = v[v > 0].mean(dtype=float)
        design = np.vstack(
            [root[:, None] * maps.components.T, np.diag(np.sqrt(LAMBDA * mean * rough))]
        )
        best, _ = nnls(design, np.concatenate([root * cube.spectra[row], np.zeros(2)]))
        np.testing.assert_allclose(maps.weights[row], best, atol=1e-3)


def test_chi2_of_spaxels_channels_and_all(made):
    _, maps, _, _, flux, sigma, bad = made
    model = np.einsum("kyx,kw->wyx", np.nan_to_num(maps.maps), maps.components)
    squares = np.where(bad, 0, ((flux - model) / sigma) ** 2)
    counts = (~bad).sum(axis=0)
    expected = squares.sum(axis=0) / np.where(counts > 0, counts, np.nan)
    np.testing.assert_allclose(maps.chi2, expected, rtol=1e-4)
    assert maps.chi2_per_voxel == pytest.approx(squares.sum() / counts.sum(), rel=1e-4)
    assert maps.chi2_per_voxel == pytest.approx(1, abs=0.1)
    assert np.isnan(maps.chi2_of_channels[17])
    others = np.arange(N_WAVE) != 17
    of_channels = squares.sum(axis=(1, 2)) / np.maximum((~bad).sum(axis=(1, 2)), 1)
    np.testing.assert_allclose(maps.chi2_of_channels[others], of_channels[others], rtol=1e-4)
    residual = maps.residual()
    assert residual.shape == flux.shape
    assert (np.isnan(residual) == bad).all()
    np.testing.assert_allclose(residual[~bad], (flux - model)[~bad], atol=1e-4)


def test_in_blocks_it_is_the_same(made, monkeypatch):
    cube, maps, *_ = made
    one = of_maps.ComponentMaps(cube, maps.weights, maps.components, 0.1, 0.0, True, 1)
    monkeypatch.setattr(files, "BLOCK", 3 * N_WAVE)
    other = of_maps.ComponentMaps(cube, maps.weights, maps.components, 0.1, 0.0, True, 1)
    np.testing.assert_allclose(other.chi2, one.chi2, rtol=1e-12)
    np.testing.assert_array_equal(other.residual(), maps.residual())
    assert "chi^2 per voxel" in repr(one)


def test_shares_and_abundances(made):
    cube, maps, *_ = made
    model = maps.weights @ maps.components
    for i in range(2):
        part = np.outer(maps.weights[:, i], maps.components[i])[:, cube.channels].sum()
        assert maps.shares[i] == pytest.approx(part / model[:, cube.channels].sum())
    abundances = maps.abundances
    np.testing.assert_allclose(abundances[:, cube.spaxels].sum(axis=0), 1)
    assert np.isnan(abundances[:, 0, 0]).all()


@pytest.mark.parametrize("residual", [False, True])
def test_what_astropy_reads_back(made, tmp_path, residual):
    cube, maps, *_ = made
    maps.write(tmp_path / "maps.fits", residual=residual)
    with fits.open(tmp_path / "maps.fits") as hdus:
        hdus.verify("exception")
        names = ["PRIMARY", "WEIGHTS", "COMPONENTS", "CHI2", "CHANNELS"]
        assert [hdu.name for hdu in hdus] == names + ["RESIDUAL"] * residual
        place = SkyCoord(150, 2, unit="deg")
        for name in ("WEIGHTS", "CHI2", *["RESIDUAL"] * residual):
            sky = WCS(hdus[name].header).celestial
            assert sky.pixel_to_world(2, 1).separation(place).arcsec < 1e-6
        np.testing.assert_array_equal(hdus["WEIGHTS"].data, maps.maps)
        assert hdus["WEIGHTS"].header["BUNIT"] == written.FLUX_UNIT
        shown = hdus["COMPONENTS"].data
        assert np.isnan(shown[:, 17]).all()  # no measurement
        np.testing.assert_array_equal(shown[:, cube.channels], maps.components[:, cube.channels])
        axis = WCS(hdus["COMPONENTS"].header).spectral
        np.testing.assert_allclose(
            axis.pixel_to_world(np.arange(N_WAVE)).to_value("Angstrom"), cube.rest_wavelength
        )
        assert hdus["COMPONENTS"].header["CTYPE1"] == "AWAV"
        channels = hdus["CHANNELS"].data
        np.testing.assert_allclose(channels["WAVELENGTH"], cube.wavelength)
        np.testing.assert_array_equal(channels["COUNTED"], cube.channels)
        primary = hdus[0].header
        assert primary["OBJECT"] == "a galaxy"
        assert primary["CHI2VOX"] == pytest.approx(maps.chi2_per_voxel)
        assert (primary["NCOMP"], primary["REDSHIFT"], primary["LAMBDA"]) == (2, 0.02, LAMBDA)
        if residual:
            np.testing.assert_array_equal(hdus["RESIDUAL"].data, maps.residual())
            observed = WCS(hdus["RESIDUAL"].header).spectral.pixel_to_world([0, 10])
            np.testing.assert_allclose(observed.to_value("Angstrom"), cube.wavelength[[0, 10]])


def test_what_specutils_reads_back(made, tmp_path):
    cube, maps, *_ = made
    maps.write(tmp_path / "maps.fits")
    spectrum = Spectrum.read(tmp_path / "maps.fits", format="wcs1d-fits", hdu=2)
    np.testing.assert_allclose(
        spectrum.spectral_axis.to_value("Angstrom"), cube.rest_wavelength, rtol=1e-9
    )
    good = cube.channels
    np.testing.assert_allclose(spectrum.flux.value[:, good], maps.components[:, good])


@pytest.mark.parametrize("layout", ["manga", "jwst", "kcwi"])
def test_maps_of_every_layout_are_written(layout, tmp_path):
    """Equal steps of the logarithm have a header of their own."""
    cube = read_cube(written.WRITERS[layout](tmp_path / "c.fits", *written.values()))
    with pytest.warns(match="optimality|no step"):
        maps = unmix_cube(cube, 2, 1, max_iter=2)
    maps.write(tmp_path / "maps.fits", residual=True)
    axis = WCS(fits.getheader(tmp_path / "maps.fits", "COMPONENTS")).spectral
    found = axis.pixel_to_world(np.arange(30)).to_value("Angstrom")
    np.testing.assert_allclose(found, cube.wavelength, rtol=1e-8)


def test_uneven_wavelengths_and_no_sky_are_in_the_table_alone(tmp_path):
    cube = read_cube(written.muse(tmp_path / "c.fits", *written.values()))
    uneven = np.sort(np.random.default_rng(0).uniform(5000, 6000, 30))
    cube = dataclasses.replace(cube, wavelength=uneven, celestial=None)
    maps = of_maps.ComponentMaps(
        cube, np.ones((len(cube.spectra), 1)), np.ones((1, 30)), 1, 0, True, 1
    )
    maps.write(tmp_path / "maps.fits")
    with fits.open(tmp_path / "maps.fits") as hdus:
        assert "CTYPE1" not in hdus["COMPONENTS"].header
        assert "CTYPE1" not in hdus["CHI2"].header
        np.testing.assert_allclose(hdus["CHANNELS"].data["WAVELENGTH"], uneven)
    assert maps_file.read(tmp_path / "maps.fits").celestial is None


def test_what_the_workflow_keeps_of_a_cube_is_the_cube(made, tmp_path):
    cube, *_ = made
    paths = str(tmp_path / "spectra.fits"), str(tmp_path / "spaxels.fits")
    cube_files.write_cube(*paths, cube)
    again = cube_files.read_cube_files(*paths, cube.name, cube.redshift)
    for name in ("spectra", "inverse_variance", "wavelength", "spaxels", "channels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(cube, name))
    for name in ("has_uncertainties", "medium", "redshift", "unit", "name", "about"):
        assert getattr(again, name) == getattr(cube, name)
    place = WCS(again.celestial).pixel_to_world(2, 1)
    assert place.separation(SkyCoord(150, 2, unit="deg")).arcsec < 1e-6
    table = cube_files.spaxel_table(cube)
    assert len(table) == len(cube.spectra)
    y, x = table["y"][30], table["x"][30]
    assert cube.row(int(y), int(x)) == 30


def test_held_out_rank_and_resamples_work_on_a_cube(made):
    cube, maps, *_ = made
    found = cross_validate(
        cube.spectra, [1, 2, 3], smoothness=[LAMBDA, 1], inverse_variance=cube.inverse_variance,
        n_repeats=1, n_starts=0,
    )  # fmt: skip
    assert found.n_components[found.chosen()[0]] == 2
    resamples = bootstrap(
        cube.spectra, maps.components, smoothness=LAMBDA, n_resamples=4,
        inverse_variance=cube.inverse_variance, random_state=0,
    )  # fmt: skip
    assert resamples.components.shape == (4, 2, N_WAVE)
    assert np.abs(resamples.components - maps.components).max() < 0.2


def test_a_name_of_any_letters_is_written(made, tmp_path):
    cube, maps, *_ = made
    named = dataclasses.replace(cube, name="Größe – α")
    of_maps.ComponentMaps(named, maps.weights, maps.components, 1, 0, True, 1).write(
        tmp_path / "maps.fits"
    )
    assert fits.getval(tmp_path / "maps.fits", "CUBE") == "Gr??e ? ?"


def test_the_picture_of_abundances_shows_those_of_the_file(made, tmp_path):
    _, maps, *_ = made
    maps_file.write(tmp_path / "maps.fits", maps, abundances=True)
    found = maps_file.read(tmp_path / "maps.fits")
    np.testing.assert_array_equal(found.abundances, maps.abundances)
    lines = summary.lines_of(maps)
    said = summary.summary(maps, lines, 0)
    figure = draw(found, said, summary.table_of_lines(lines), 7.1)
    drawn = [ax.images[0] for ax in figure.axes if ax.images]
    for image, abundance in zip(drawn, maps.abundances, strict=False):
        np.testing.assert_array_equal(image.get_array().filled(np.nan), abundance)
        assert image.get_clim() == (0, 1)
    maps.write(tmp_path / "plain.fits")
    assert maps_file.read(tmp_path / "plain.fits").abundances is None


@pytest.mark.parametrize(
    ("ratio", "smoothness", "words"),
    [
        (3.41, 1.0, {"NOT within 10 %", "a smaller smoothness"}),
        (3.41, 0.0, {"NOT within 10 %"}),
        (3.0, 1.0, {"is 3.00, within 10 %"}),
    ],
)
def test_a_ratio_that_is_off_says_what_may_mend_it(ratio, smoothness, words, made):
    _, maps, *_ = made
    said = summary.summary(maps, summary.lines_of(maps), 0)
    doublets = {"[OIII] 5007/4959": {"ratio": ratio, "expected": 2.98}}
    first = {"component": "component_1", "share": 1.0, "lines": [], "doublets": doublets}
    numbers = said | {"smoothness": smoothness, "components": [first]}
    text = " ".join(summary._in_words(numbers))
    every = {"NOT within 10 %", "a smaller smoothness", "is 3.00, within 10 %"}
    assert {part for part in every if part in text} == words
