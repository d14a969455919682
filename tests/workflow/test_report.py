"""The report of the demo: its numbers, and what a reader sees of it in a real browser."""

import json
import re
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from browser import Page, chromium, curves

pytestmark = pytest.mark.slow
PICTURES = ("convergence", "reconstructions", "smoothness", "weights", "uniqueness", "diagnostics")
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from project import Project

    project = Project(tmp_path_factory.mktemp("report"))
    run = project.run("library=pickles1998", target="report")
    assert run.returncode == 0, run.stderr
    folder = project.results("pickles1998")
    command = [sys.executable, "-m", "snakemake", "report", "--cores", "1"]
    command += ["--report", str(folder / "report.html"), "--config", "library=pickles1998"]
    command += ["--report-stylesheet", "workflow/report/report.css"]
    made = subprocess.run(command, cwd=project.folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert project.verify("pickles1998").returncode == 0
    return folder


def test_pictures_and_their_numbers(results):
    for name in PICTURES:
        assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (results / f"{name}.svg").read_bytes()
    table = Table.read(results / "smoothness.ecsv", format="ascii.ecsv")
    assert list(table["smoothness"]) == [0, 10, 100, 1000]
    assert all(table["converged"])
    assert (np.diff(table["sum_of_squared_residuals"]) > 0).all()
    assert (np.diff(table["roughness"]) < 0).all()
    # the run's own fit, at smoothness 10
    summary = json.loads((results / "summary.json").read_text())
    assert np.isclose(table["objective"][1], summary["nmf"]["objective"], rtol=1e-7)
    log = (results / "logs/convergence.log").read_text()
    of_each = dict(re.findall(r"(proximal|Adam)[^:]*iterations: objective ([\d.]+)", log))
    ours = summary["nmf"]["objective"]
    assert ours < float(of_each["Adam"]) < 1.1 * ours
    assert 0.999999 * ours < float(of_each["proximal"]) < 1.1 * ours


def test_the_page_of_methods_has_the_run_s_numbers(results):
    page = (results / "methods.html").read_text()
    summary = json.loads((results / "summary.json").read_text())
    manifest = json.loads((results / "manifest.json").read_text())
    for number in (
        "{:.8g}".format(summary["nmf"]["objective"]),
        "{:.4f}".format(summary["pca"]["total_distance"]),
    ):
        assert number in page
    for words in ("Pickles 1998, PASP 110, 863", "arXiv:2603.11111", "20 Cool dwarfs"):
        assert words in page
    for row in summary["nmf"]["assignment"]:
        assert re.search(r'framed">{:.4f}'.format(row["distance"]), page)
    for step in manifest["steps"]:
        for digest in step["outputs"].values():
            assert digest in page


def test_other_starts_find_no_other_solution(results):
    said = json.loads((results / "uniqueness.json").read_text())
    fit = json.loads((results / "nmf_fit.json").read_text())
    table = Table.read(results / "uniqueness.ecsv", format="ascii.ecsv")
    assert len(table) == said["n_starts"] == said["n_near"] == 18
    assert list(table["start"][:3]) == ["nndsvd", "spa", "random 0"]
    np.testing.assert_allclose(table["objective"], fit["objective"], rtol=1e-7)
    assert max(table["largest_distance"]) < 1e-5
    assert abs(said["configured"]["above_lowest"]) < 1e-9
    page = (results / "methods.html").read_text()
    assert said["statement"] in page
    assert "All 18 starts end within" in said["statement"]


def test_residuals_and_influence_are_those_of_the_files(results):
    with fits.open(results / "spectra.fits") as hdus:
        X = hdus[0].data.astype(float)
    components = Table.read(results / "nmf_components.ecsv", format="ascii.ecsv")
    weights = Table.read(results / "nmf_weights.ecsv", format="ascii.ecsv")
    H = np.array([components[name] for name in components.colnames[1:]])
    W = np.transpose([weights[name] for name in components.colnames[1:]])
    table = Table.read(results / "diagnostics.ecsv", format="ascii.ecsv")
    assert list(table["file"]) == list(weights["file"])
    relative = np.linalg.norm(X - W @ H, axis=1) / np.linalg.norm(X, axis=1)
    np.testing.assert_allclose(table["relative_residual"], relative, rtol=1e-6)
    hat = np.diag(W @ np.linalg.inv(W.T @ W) @ W.T)
    np.testing.assert_allclose(table["leverage"], hat, rtol=1e-6)
    channels = Table.read(results / "residuals.ecsv", format="ascii.ecsv")
    of = table["class"] == "hot_star"
    rms = np.sqrt(np.mean((X - W @ H)[of] ** 2, axis=0))
    np.testing.assert_allclose(channels["rms_hot_star"], rms, rtol=1e-5)
    said = json.loads((results / "diagnostics.json").read_text())
    worst, most = said["worst_explained"][0], said["most_influential"][0]
    assert worst["file"] == table["file"][np.argmax(relative)]
    names = [name for name in table.colnames if name.startswith("change_of_")]
    changes = np.transpose([table[name] for name in names])
    row, component = np.unravel_index(changes.argmax(), changes.shape)
    assert (most["file"], most["component"]) == (table["file"][row], component + 1)
    page = (results / "methods.html").read_text()
    for words in (said["statement"], "Residuals and influence", most["file"], worst["file"]):
        assert words in page


def test_the_report_opens_on_the_figure(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    start = page.index("var workflow_desc = ") + len("var workflow_desc = ")
    opening, _ = json.JSONDecoder().raw_decode(page[start:])
    address = re.search(r'<img id="figure".*? src="data:image/svg\+xml,(.*?)">', opening, re.S)[1]
    picture = urllib.parse.unquote(address.replace("\n", ""))
    assert picture == (results / "figure.svg").read_text(encoding="utf-8")


def test_doubtful_assignments_are_said_in_every_place(results):
    """Two eigenspectra of the demo lie nearer to another class than to their own."""
    summary = json.loads((results / "summary.json").read_text())
    table = Table.read(results / "assignments.ecsv", format="ascii.ecsv")
    doubtful = table[table["doubtful"]]
    assert [tuple(row) for row in doubtful["method", "class", "nearest_class"]] == [
        ("pca", "a_f_star", "hot_star"),
        ("pca", "solar_like", "a_f_star"),
    ]
    assert len(summary["warnings"]) == 2
    assert [row["doubtful"] for row in summary["pca"]["assignment"]] == [False, True, True, False]
    for words in summary["warnings"]:
        assert words in (results / "logs/assign.log").read_text()
        assert f"{words}." in (results / "methods.html").read_text()
        assert f"{words}." in (results / "interactive.html").read_text()
    assert (results / "methods.html").read_text().count('framed doubtful">') == 2


@pytest.fixture(scope="module")
def browser(results):
    with chromium() as browser:
        yield browser


def test_the_interactive_view(browser, results):
    with fits.open(results / "spectra.fits") as hdus:
        flux, wavelength = hdus[0].data.astype(float), hdus[1].data["WAVELENGTH"].astype(float)
    components = Table.read(results / "nmf_components.ecsv", format="ascii.ecsv")
    weights = Table.read(results / "nmf_weights.ecsv", format="ascii.ecsv")
    H = np.array([components[name] for name in components.colnames[1:]])
    W = np.transpose([weights[name] for name in components.colnames[1:]])
    with Page(
        browser, results / "interactive.html", viewport={"width": 1200, "height": 900}
    ) as page:
        page.wait_for_selector("#weights .point")
        # curves are those of the files
        for name, curve in curves(page, "curves"):
            row = H[int(name.split(":")[0]) - 1]
            np.testing.assert_allclose(curve, row / row.max(), atol=1e-5)
        page.get_by_label("Next spectrum").click()
        drawn = dict(curves(page, "one"))
        np.testing.assert_allclose(drawn["spectrum"], flux[1], atol=1e-6)
        np.testing.assert_allclose(drawn["reconstruction"], (W @ H)[1], atol=1e-5)
        np.testing.assert_allclose(drawn["residual"], (flux - W @ H)[1], atol=1e-5)
        # hovering shows wavelength and flux
        box = page.locator("#one .nsewdrag").first.bounding_box()
        page.locator("#one").scroll_into_view_if_needed()
        box = page.locator("#one .nsewdrag").first.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_selector("#one .hoverlayer text")
        shown = " ".join(page.locator("#one .hoverlayer text").all_text_contents())
        values = re.search(r"([\d.]+) .*spectrum : ([\d.]+) .*reconstruction : ([\d.]+)", shown)
        at = np.abs(wavelength - float(values[1])).argmin()
        assert np.isclose(wavelength[at], float(values[1]), atol=0.1)
        assert np.isclose(flux[1, at], float(values[2]), rtol=2e-3)
        assert np.isclose((W @ H)[1, at], float(values[3]), rtol=2e-3)
        # dragging zooms, in both pictures
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2, steps=5)
        page.mouse.up()
        page.wait_for_function("+document.getElementById('from').value > 2000")
        first, last = (float(page.locator(id).input_value()) for id in ("#from", "#to"))
        assert wavelength[0] < first < last < wavelength[-1]
        shown = page.evaluate("document.getElementById('curves').layout.xaxis.range")
        np.testing.assert_allclose(np.power(10, shown), [first, last], rtol=1e-3)
        page.locator("#whole").click()
        assert float(page.locator("#from").input_value()) == wavelength[0]
        # a click on a weight chooses its spectrum
        page.locator("#weights").scroll_into_view_if_needed()
        page.locator("#weights .point").nth(40).click(force=True)
        assert page.locator("#spectrum").input_value() == "40"
        np.testing.assert_allclose(dict(curves(page, "one"))["spectrum"], flux[40], atol=1e-6)
        page.locator("#parameter").select_option("spectral_class")
        selection = Table.read(results / "selection.ecsv", format="ascii.ecsv")
        x = page.evaluate("document.getElementById('weights').data[0].x")
        np.testing.assert_allclose(x, selection["spectral_class"])


def test_markup_in_names_is_shown_as_text(browser, results, tmp_path):
    hostile = "<b>a</b><a href='https://example.org'>b</a> & &lt;"
    page = (results / "interactive.html").read_text(encoding="utf-8")
    start, end = '<script type="application/json" id="data">', "</script>"
    before, rest = page.split(start)
    content, after = rest.split(end, 1)
    data = json.loads(content)
    data["curves"]["Components"][0]["label"] = hostile
    data["spectra"]["label"][0] = hostile
    data["spectra"]["parameters"] = {
        hostile: [hostile, *"xyz"] * (len(data["spectra"]["label"]) // 4)
    }
    (tmp_path / "page.html").write_text(
        before + start + json.dumps(data).replace("<", "\\u003c") + end + after, encoding="utf-8"
    )
    with Page(browser, tmp_path / "page.html", viewport={"width": 1200, "height": 900}) as page:
        page.wait_for_selector("#weights .point")
        for place in ("#curves .legendtext", "#weights .legendtext", "#weights .xtitle"):
            assert page.locator(place).first.text_content() == hostile
        assert hostile in page.locator("#weights .xtick text").all_text_contents()
        page.locator("#weights").scroll_into_view_if_needed()
        page.locator("#weights .point").first.hover(force=True)
        page.wait_for_selector("#weights .hoverlayer text")
        said = " ".join(page.locator("#weights .hoverlayer text").all_text_contents())
        assert hostile in said
        assert page.locator("#curves a, #weights a").count() == 0


def test_the_interactive_view_by_keyboard_on_a_phone(browser, results):
    with Page(browser, results / "interactive.html", viewport=PHONE, has_touch=True) as page:
        page.wait_for_selector("#weights .point")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
        controls = {
            "from",
            "to",
            "whole",
            "cursor",
            "kind",
            "spectrum",
            "previous",
            "next",
            "parts",
        }
        assert controls | {"parameter"} <= reached
        page.locator("#cursor").focus()
        before = page.locator("#one-values").inner_text()
        for _ in range(300):
            page.keyboard.press("ArrowLeft")
        assert page.locator("#one-values").inner_text() != before
        page.locator("#from").fill("3000")
        page.keyboard.press("Enter")
        shown = page.evaluate("document.getElementById('one').layout.xaxis.range[0]")
        assert np.isclose(10**shown, 3000)
        page.locator("#next").focus()
        page.keyboard.press("Enter")
        assert page.locator("#spectrum").input_value() == "1"


@pytest.mark.parametrize("viewport", [{"width": 1200, "height": 900}, PHONE])
def test_the_report(browser, results, viewport):
    with Page(browser, results / "report.html", viewport=viewport) as page:
        box = "(i) => i.decode().then(() => [i.naturalWidth, i.width, i.getBoundingClientRect().y])"
        size, width, top = page.locator("#figure").evaluate(box)
        assert size > 300
        assert width > 0.8 * min(viewport["width"], 700)
        assert 0 <= top < viewport["height"] / 2
        for category, entries in (("1 Figure", 1), ("2 Pictures", len(PICTURES))):
            page.get_by_text(category).click()
            eyes = page.locator("nav table tbody tr")
            assert eyes.count() == entries
            for i in range(entries):
                eyes.nth(i).locator("a").first.click()
                picture = page.locator("nav + div img")
                picture.wait_for()
                size = picture.evaluate("(i) => i.decode().then(() => [i.naturalWidth, i.width])")
                assert size[0] > 300
                assert size[1] > 0.8 * min(viewport["width"], 400)
            eyes.nth(0).locator("a").nth(1).click()
            page.get_by_text("Description").wait_for()
            page.get_by_text("Results", exact=True).click()
        page.get_by_text("3 Methods").click()
        page.locator("nav table a").first.click()
        frame = page.frame_locator("iframe")
        frame.get_by_text("Provenance", exact=True).wait_for()
        said = " ".join(frame.locator("body").inner_text().split())
        assert re.search(r"It converged after \d+ iterations at an objective of 487.7", said)
