"""Standard errors and the choice of k in the workflow: jobs, noise, none at all, the report."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectralunmix.command import closing
from tiny import WAVE, flux


def table(tiny, name):
    return Table.read(tiny.results / name, format="ascii.ecsv")


def summary(tiny):
    return json.loads((tiny.results / "summary.json").read_text())


def test_standard_errors_are_in_tables_and_summary(made):
    errors, distances = table(made, "bootstrap.ecsv"), table(made, "distances.ecsv")
    with fits.open(made.results / "bootstrap/from_0.fits") as hdus:
        components, counts = hdus[0].data, hdus["COUNTS"].data
    assert components.shape == (4, 2, 60)
    assert (counts.sum(axis=1) == 10).all()
    assert (counts[:, :5].sum(axis=1) == 5).all()  # of each class as many as there are
    curves = table(made, "nmf_standard_errors.ecsv")
    expected = components.std(axis=0, ddof=1)
    for i, name in enumerate(("component_1", "component_2")):
        np.testing.assert_allclose(curves[name], expected[i], rtol=1e-3, atol=1e-7)
    keys = "method", "component", "class"
    assert [tuple(row[key] for key in keys) for row in errors] == [
        tuple(row[key] for key in keys) for row in distances
    ]
    np.testing.assert_array_equal(errors["standard_error"], distances["standard_error"])
    assert (errors["standard_error"] > 0).all()
    assert np.isnan(errors["noise_error"]).all()
    said, totals = summary(made), json.loads((made.results / "bootstrap.json").read_text())
    assert said["bootstrap"] == totals
    assert totals["n_resamples"] == 4
    error = totals["nmf_total_distance"]["standard_error"]
    assert said["nmf"]["total_distance_standard_error"] == error
    total = f"total distance: {said['nmf']['total_distance']:.2f} +- {error:.2f} of NMF, "
    lines = closing.of_figure(made.results)
    assert any(line.startswith(total) for line in lines)
    assert not any("of no class" in line for line in lines)
    left = said["nmf"]["assignment"].pop(0)["component"]
    (made.results / "summary.json").write_text(json.dumps(said))
    of_no_class = f"{left} of NMF: of no class, as there are more components than classes"
    assert of_no_class in closing.of_figure(made.results)


@pytest.mark.slow
def test_jobs_do_not_change_standard_errors_and_none_are_possible(made):
    together = (made.results / "bootstrap.ecsv").read_bytes()
    code, printed = made.run("figure", "--set", "bootstrap.resamples_per_job=1")
    assert code == 0, printed
    assert "resample_from_3" in printed
    assert (made.results / "bootstrap.ecsv").read_bytes() == together
    assert made.verify()[0] == 0
    code, printed = made.run("figure", "--set", "bootstrap.n_resamples=0")
    assert code == 0, printed
    # parts of the run before are still there, and nobody's
    code, printed = made.verify()
    assert code == 0, printed
    assert summary(made)["nmf"]["total_distance_standard_error"] is None
    assert summary(made)["bootstrap"]["nmf_total_distance"] is None
    assert np.isnan(table(made, "distances.ecsv")["standard_error"]).all()
    assert "±" not in (made.results / "figure.svg").read_text()
    code, printed = made.run("figure", "--set", "bootstrap.n_resamples=1")
    assert code != 0
    assert "bootstrap.n_resamples: 1 has no standard error" in printed


@pytest.mark.slow
def test_noise_is_resampled_where_there_are_uncertainties(tiny):
    rng = np.random.default_rng(0)
    for teff in range(4000, 8000, 300):
        sigma = np.full(len(WAVE), 0.02)
        noisy = flux(teff) + sigma * rng.standard_normal(len(WAVE))
        np.savetxt(tiny.spectra / f"t{teff}.txt", np.transpose([WAVE, noisy, sigma]))
    tiny.entry["sources"][0]["options"] = {"uncertainty": 2}
    tiny.save()
    resamples = "--set", "bootstrap.n_resamples=4"
    code, printed = tiny.run("figure", *resamples)
    assert code == 0, printed
    distances = table(tiny, "distances.ecsv")
    of_nmf = distances["method"] == "nmf"
    assert (distances["noise_error"][of_nmf] > 0).all()
    assert np.isnan(distances["noise_error"][~of_nmf]).all()
    assert "component_2_noise" in table(tiny, "nmf_standard_errors.ecsv").colnames
    code, printed = tiny.run("figure", *resamples, "--set", "bootstrap.noise=false")
    assert code == 0, printed
    assert np.isnan(table(tiny, "distances.ecsv")["noise_error"]).all()
    grid = ("--set", "choose.n_components=[1, 3]", "--set", "choose.n_repeats=1")
    code, printed = tiny.run("results/tiny/choose.json", *grid)
    assert code == 0, printed
    said = json.loads((tiny.results / "choose.json").read_text())
    assert said["uncertainties"]
    assert "has a reduced chi^2 of" in " ".join(said["in_words"])


@pytest.mark.slow
def test_choose_compares_what_is_configured_and_is_in_the_report(made):
    grid = (
        *("--set", "choose.n_components=[1, 3]", "--set", "choose.smoothness=[0]"),
        *("--set", "choose.n_starts=2", "--set", "choose.n_repeats=1"),
    )
    code, printed = made.run("results/tiny/choose.json", *grid)
    assert code == 0, printed
    assert made.verify()[0] == 0
    errors = table(made, "choose.ecsv")
    assert list(dict.fromkeys(errors["n_components"])) == [1, 2, 3]  # 2 are configured
    assert list(dict.fromkeys(errors["smoothness"])) == [0, 10]
    np.testing.assert_allclose(errors["rms"] ** 2, errors["error"], rtol=1e-6)
    assert np.isnan(errors["reduced_chi2"]).all()
    assert (made.results / "choose.png").read_bytes().startswith(b"\x89PNG")
    said = json.loads((made.results / "choose.json").read_text())
    assert said["configured"]["n_components"] == 2
    log = (made.results / "logs/choose.log").read_text()
    code, printed = made.run("report", *grid)
    assert code == 0, printed
    page = (made.results / "methods.html").read_text()
    for sentence in said["in_words"]:
        assert sentence in log
        assert sentence in page
    assert "Standard errors are standard deviations over 4" in page


def test_too_many_components_to_compare_are_an_error_before_any_work(tiny):
    code, printed = tiny.run("results/tiny/choose.json", "--set", "choose.n_components=[11]")
    assert code != 0
    assert "choose.n_components: 11 is more than the 10 spectra of tiny" in printed
    assert not (tiny.results / "spectra.fits").exists()
