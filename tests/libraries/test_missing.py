"""Channels without a flux or a weight, from the library to prototypes and PCA."""

from types import SimpleNamespace

import numpy as np
import pytest
from test_survey import ENTRY, SOURCE, WAVE, flux, write

from spectralunmix import across_libraries, comparison, pca, prototypes
from spectralunmix.figures import library as validate
from spectralunmix.libraries import LibraryError, quality
from spectralunmix.libraries import selected as select_spectra
from spectralunmix.libraries.readers import Spectrum
from spectralunmix.libraries.survey import survey

LIMITS = ENTRY["quality"]


def spectrum(values, inverse_variance=None):
    return Spectrum("s", WAVE, values, {}, inverse_variance)


def test_runs_of_zeros():
    values = np.array([0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0.0])
    found = quality.zero_runs(values, 3)
    assert np.flatnonzero(found).tolist() == [0, 1, 2, 9, 10, 11, 12]
    assert not quality.zero_runs(values, 5).any()
    assert quality.zero_runs(np.zeros(4), 4).all()


@pytest.mark.parametrize(
    ("spoil_flux", "spoil_weight", "message"),
    [
        (5, 0, "10.0% of its channels are NaN, infinite or missing"),
        (0, 22, "44.0% of its channels have a flux, but a mask or no finite uncertainty"),
        (
            5,
            22,
            "10.0% of its channels are NaN, infinite or missing and "
            "34.0% of its channels have a flux, but a mask or no finite uncertainty",
        ),
    ],
)
def test_it_is_said_whether_the_flux_or_the_uncertainty_is_at_fault(
    spoil_flux, spoil_weight, message
):
    values, weight = flux(5000), np.ones(50)
    values[:spoil_flux], weight[:spoil_weight] = np.inf, 0
    found = quality.problems([spectrum(values, weight)], LIMITS)
    assert found == {"s": (message, "max_nan")}


def test_a_spectrum_without_a_single_channel_that_counts():
    found = quality.problems([spectrum(flux(5000), np.zeros(50))], LIMITS | {"max_nan": 1.0})
    assert found == {"s": ("no flux above zero", None)}


def test_a_flux_is_never_replaced_and_what_is_none_has_no_weight():
    values, weight = flux(5000), np.ones(50)
    values[[10, 11]], weight[[20, 21]] = np.nan, 0
    values[20] = 1e6
    arrays = quality.normalised([spectrum(values, weight)], "maximum")
    row = arrays["flux"][0] * arrays["divisor"][0]
    there = np.isfinite(values)
    np.testing.assert_allclose(row[there], values[there], rtol=1e-12)
    np.testing.assert_allclose(row[10:12], np.interp([10, 11], [9, 12], values[[9, 12]]))
    assert arrays["divisor"][0] == np.delete(values, [10, 11, 20]).max()
    assert arrays["n_filled"].tolist() == [2]
    assert np.flatnonzero(arrays["inverse_variance"][0] == 0).tolist() == [10, 11, 20, 21]


def test_missing_channels_have_no_weight_where_there_are_no_uncertainties():
    whole, holed = flux(5000), flux(6000)
    holed[30:40] = np.nan
    arrays = quality.normalised([spectrum(whole), spectrum(2 * holed)], "maximum")
    expected = np.ones((2, 50))
    expected[1, 30:40] = 0
    np.testing.assert_array_equal(arrays["inverse_variance"], expected)
    assert quality.normalised([spectrum(whole)], "maximum")["inverse_variance"] is None


def test_it_is_said_what_weighs_the_channels():
    flux, weight = np.ones((80, 50)), np.ones((80, 50))
    weight[:40, :6] = 0
    said = select_spectra.what_is_selected
    assert said(flux, None, SOURCE) == "80 spectra of 50 channels selected"
    assert said(flux, weight, SOURCE).endswith(" selected, 6 % of the values missing")
    for options in ({"uncertainty": 0}, {"uncertainty_extension": "IVAR"}):
        assert said(flux, weight, SOURCE | {"options": options}).endswith(
            "selected, with uncertainties, 6 % of the values missing or masked"
        )


def blocks_of_zeros(folder):
    """Four spectra of a class with a block of zeros, in which four channels of the other are."""
    for teff in range(4000, 8000, 500):
        zeros = slice(20, 35) if teff < 6000 else slice(20, 24)
        values = flux(teff)
        values[zeros] = 0
        write(folder, f"t{teff}.txt", WAVE, values)


def test_blocks_of_zeros_are_missing_where_the_entry_says_so(tmp_path):
    blocks_of_zeros(tmp_path)
    limits = LIMITS | {"max_nan": 0.3, "missing_zeros": 10}
    found = survey(tmp_path, SOURCE, ENTRY | {"quality": limits})
    assert (found.problems, found.remarks) == ([], [])
    weight = quality.normalised(found.spectra, "maximum")["inverse_variance"]
    missing = np.zeros((8, 50), bool)
    missing[:4, 20:35] = True
    np.testing.assert_array_equal(weight == 0, missing)
    limits["max_nan"] = 0.2
    found = survey(tmp_path, SOURCE, ENTRY | {"quality": limits})
    assert [p.split(":")[0] for p in found.problems] == [
        f"t{t}.txt" for t in (4000, 4500, 5000, 5500)
    ]
    assert "30.0% of its channels are NaN, infinite or missing" in found.problems[0]


def test_blocks_of_zeros_that_the_entry_does_not_speak_of_are_told_of(tmp_path):
    blocks_of_zeros(tmp_path)
    found = survey(tmp_path, SOURCE, ENTRY)
    (remark,) = found.remarks
    assert remark.startswith("4 of 8 spectra have a flux of exactly zero over 10 or more channels")
    assert "15.0% of all channels and up to 30.0% of a spectrum's" in remark
    assert remark.endswith("set quality.missing_zeros to 10")
    options = SimpleNamespace(name="mine", run_on=None, medium="air", **ENTRY)
    lines = validate.report(found, SOURCE, options).splitlines()
    assert remark in lines
    assert not any("was run on" in line for line in lines)
    options.run_on = "layout"
    assert "never the library's own" in validate.report(found, SOURCE, options)


@pytest.mark.parametrize("grid", [{}, {"start": 4200, "stop": 6800, "step": 100}])
def test_unit_and_uncertainties_are_told_of(tmp_path, grid):
    blocks_of_zeros(tmp_path)
    options = SimpleNamespace(name="mine", run_on=None, medium="air", **ENTRY)

    def lines(**of_source):
        source = SOURCE | {"options": of_source}
        found = survey(tmp_path, source, ENTRY | {"grid": ENTRY["grid"] | grid})
        return validate.report(found, source, options).splitlines()

    assumed = "wavelength unit: Angstrom assumed, as neither the entry nor the files say one"
    assert {assumed, "uncertainties: none"} < {*lines()}
    said = {*lines(wavelength_unit="Angstrom", uncertainty=1)}
    assert "uncertainties: of all spectra" in said
    assert assumed not in said


def lines_of(folder, quality=LIMITS, medium="air", grid=()):
    entry = ENTRY | {"quality": quality, "grid": ENTRY["grid"] | dict(grid)}
    options = SimpleNamespace(name="mine", run_on=None, medium=medium, **entry)
    found = survey(folder, SOURCE, entry)
    return validate.report(found, SOURCE, options).splitlines()


def sound(folder):
    for teff in range(4000, 8000, 500):
        write(folder, f"t{teff}.txt", WAVE, flux(teff))


def test_spectra_unlike_the_others_are_told_of_by_name(tmp_path):
    sound(tmp_path)
    lines = lines_of(tmp_path)
    assert "wavelengths in air" in lines
    assert "the fit has 50 channels: the spectra's own" in lines
    assert not any("missing" in line or " share: " in line or "its own" in line for line in lines)
    values = flux(5000)
    values[10:16] = np.nan
    write(tmp_path, "t5000.txt", WAVE, values)
    write(tmp_path, "t7000.txt", WAVE[1:], flux(7000)[1:])
    lines = lines_of(tmp_path, LIMITS | {"max_nan": 0.2}, "unknown")
    assert "wavelengths in air or vacuum: not known" in lines
    assert "missing values: 1 of 8 spectra, t5000.txt (12.00%)" in lines
    of_other = "t7000.txt (49 from 4061.22449 to 7000)"
    assert f"not on the wavelengths that 7 spectra share: {of_other}" in lines


def test_no_more_than_ten_files_are_named(tmp_path):
    sound(tmp_path)
    for i in range(12):
        write(tmp_path, f"t{4001 + i}.txt", WAVE * (1 + 1e-4 * (i % 2)), flux(4001 + i))
    (line,) = (line for line in lines_of(tmp_path) if " share: " in line)
    assert line.startswith(
        "not on the wavelengths that 14 spectra share: t4002.txt (50 from 4000.4"
    )
    assert line.count(".txt") == 6
    values = flux(5000)
    values[3] = np.nan
    for i in range(12):
        write(tmp_path, f"t{4001 + i}.txt", WAVE, values)
    (line,) = (line for line in lines_of(tmp_path, LIMITS | {"max_nan": 0.1}) if "missing" in line)
    assert line.startswith(
        "missing values: 12 of 20 spectra, t4001.txt (2.00%), t4002.txt (2.00%), "
    )
    assert line.count(".txt") == 10
    assert line.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("grid", "line"),
    [
        ({}, "28 channels: 4103.45 to 6896.55 Angstrom, the channels of the coarsest spectrum"),
        ({"step": 50}, "61 channels: 4000 to 7000 Angstrom, in steps of 50 (linear)"),
        (
            {"start": 4200, "stop": 6800, "step": 100},
            "27 channels: 4200 to 6800 Angstrom, as the entry says",
        ),
    ],
)
def test_the_channels_of_the_fit_are_told_of(tmp_path, grid, line):
    sound(tmp_path)
    coarse = np.linspace(4000, 7000, 30)
    write(tmp_path, "t4000.txt", coarse, 1 + np.sin(coarse / 4000) ** 2)
    assert f"the fit has {line}" in lines_of(tmp_path, grid=grid)


def test_selected_spectra_without_a_range_in_common(tmp_path):
    sound(tmp_path)
    write(tmp_path, "t4000.txt", WAVE[:20], flux(4000)[:20])
    write(tmp_path, "t4500.txt", WAVE[30:], flux(4500)[30:])
    assert any(said.startswith("WARNING: grid: no range in common") for said in lines_of(tmp_path))


def test_every_spectrum_with_wavelengths_of_its_own(tmp_path):
    for i, teff in enumerate(range(4000, 8000, 500)):
        write(tmp_path, f"t{teff}.txt", WAVE * (1 + 1e-4 * i), flux(teff))
    assert "each spectrum has wavelengths of its own" in lines_of(tmp_path)


def test_a_library_whose_spectra_are_all_left_out(tmp_path, caplog):
    caplog.set_level("INFO")
    for teff in range(4000, 8000, 500):
        write(tmp_path, f"t{teff}.txt", WAVE, np.where(WAVE < 5000, np.nan, flux(teff)))
    write(tmp_path, "t3000.txt", WAVE[20:], flux(3000)[20:])  # the grid's reason is not quality's
    entry = ENTRY | {
        "quality": LIMITS | {"otherwise": "leave_out"},
        "grid": ENTRY["grid"] | {"start": 4100, "stop": 6900},
    }
    message = (
        r"^quality: every spectrum is left out; t4000\.txt: 34\.0% .*: raise quality\.max_nan$"
    )
    with pytest.raises(LibraryError, match=message):
        survey(tmp_path, SOURCE, entry)
    assert caplog.text.count("left out: ") == 9


def test_types_of_no_class_are_told_of_once(tmp_path):
    for i, kind in enumerate(["WN", "WN", "G2V", "K0V"]):
        write(tmp_path, f"{kind}_{i}.txt", WAVE, flux(5000 + i))
    entry = ENTRY | {
        "parameters": {"file_name": r"(?P<spectral_type>\w+)_\d\.txt"},
        "classes": {"cool": {"label": "Cool", "where": {"spectral_type": {"min": "G0"}}}},
        "selection": ENTRY["selection"] | {"classes": ["cool"], "per_class": 2, "order": []},
    }
    found = survey(tmp_path, SOURCE, entry)
    assert found.problems == []
    assert found.remarks[0].endswith("no spectral_class: WN (2)")
    assert len(found.chosen) == 2
    entry["parameters"]["unknown_types"] = "error"
    found = survey(tmp_path, SOURCE, entry)
    assert (len(found.problems), found.remarks) == (1, [])


def test_a_prototype_is_the_median_of_what_counts():
    values = np.array([[1.0, 2, 4, 2], [3, 2, 2, 2], [9, 9, 1e9, 2]])
    counts = np.array([[1, 0, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1]], bool)
    # medians 2, none, 3, 2; none lies between its neighbours
    np.testing.assert_allclose(prototypes.prototype(values, counts), np.array([2, 2.5, 3, 2]) / 3)
    np.testing.assert_allclose(prototypes.prototype(values, counts | True), [3 / 4, 0.5, 1, 0.5])


def test_prototypes_say_where_no_spectrum_of_a_class_counts():
    flux = np.array([[1.0, 2, 4], [3, 2, 2], [5, 5, 5]])
    weight = np.array([[1.0, 0, 1], [1, 0, 1], [1, 1, 1]])
    curves, n_filled = prototypes.prototypes(flux, weight, ["b", "b", "a"])
    assert list(curves) == ["b", "a"]
    assert n_filled == {"b": 1, "a": 0}
    np.testing.assert_allclose(curves["b"], np.array([2, 2.5, 3]) / 3)
    assert prototypes.prototypes(flux, None, ["b", "b", "a"])[1] == {"b": 0, "a": 0}
    with (
        pytest.warns(RuntimeWarning, match="invalid value"),
        pytest.raises(LibraryError, match="the median spectrum of b is zero or NaN"),
    ):
        prototypes.prototypes(0 * flux, None, ["b", "b", "b"])


def test_the_share_that_components_explain_is_of_what_counts():
    rng = np.random.default_rng(0)
    components, wave = rng.random((2, 40)), np.arange(4000.0, 4040.0)
    flux, weight = rng.random((5, 2)) @ components, np.ones((5, 40))
    weight[1, 3], flux[1, 3] = 0, 1e6  # a cosmic ray, masked
    flux, weight = across_libraries.rebinned(wave, flux, wave[1:-1], weight)
    assert flux[1, 2] == 1e6
    assert across_libraries.explained(components[:, 1:-1], flux) < 0.9
    share = across_libraries.explained(components[:, 1:-1], flux, weight)
    assert share == pytest.approx(1, abs=1e-6)


def test_the_residual_of_a_reconstruction_is_of_what_counts():
    reconstruction = np.ones((3, 50)) * np.array([[1.0], [2], [3]])
    flux = 1.1 * reconstruction
    flux[1, 5:20] = np.nan
    rows, residual = comparison.typical(flux, reconstruction, ["a", "a", "b"])
    assert rows == {"a": 0, "b": 2}
    np.testing.assert_allclose(residual, 0.1 / 1.1)


def test_pca_does_not_see_what_stands_where_data_are_missing():
    rng = np.random.default_rng(0)
    whole = 5 + rng.normal(size=(30, 2)) @ rng.normal(size=(2, 80))
    missing = rng.random(whole.shape) < 0.1
    missing[:10, 30:50] = True  # a block
    spoilt = np.where(missing, 1e6, whole)
    found, n_iter = pca.without_missing(spoilt, missing, 2)
    np.testing.assert_allclose(found[missing], whole[missing], atol=1e-3)
    assert (found == whole)[~missing].all()
    assert 1 < n_iter < pca.MAX_ITER
    expected = pca.eigenspectra(whole, 2)[0]
    np.testing.assert_allclose(pca.eigenspectra(found, 2)[0], expected, atol=1e-4)
