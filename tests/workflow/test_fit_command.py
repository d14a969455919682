"""`spectralunmix fit`: the results, the options, the folder and the picture."""

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from environment import environment
from matrices import (
    ASKED,
    FILES,
    WAVE,
    V,
    X,
    as_csv,
    as_image,
    as_workflow,
    check_results,
    expected,
    fit,
)
from spectralunmix import SmoothNMF
from spectralunmix.command import fit as fit_command
from spectralunmix.command.parser import parsed
from spectralunmix.figures.components import draw
from spectralunmix.nmf import progress

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_the_summary_says(folder):
    as_image(folder / "x.fits")
    fit("x.fits", *ASKED, "--tol", "1e-7", "--hdu", "0")
    content = json.loads((folder / "x_fit/fit.json").read_text())
    assert content["made_by"] == "spectralunmix fit"
    assert content["file"]["path"] == "x.fits"
    assert len(content["file"]["sha256"]) == 64
    assert content["settings"] == {
        "hdu": "0",
        "inverse_variance": None,
        "error": None,
        "mask_nan": False,
        "n_components": 2,
        "smoothness": 5.0,
        "init": "nndsvd",
        "max_iter": 2000,
        "tol": 1e-7,
        "dtype": "float64",
        "device": "cpu",
        "random_state": 0,
    }
    assert {"spectralunmix", "python", "numpy", "torch"} <= set(content["versions"])
    assert sorted(content["outputs"]) == [name for name in FILES if name != "fit.json"]


def test_the_defaults_are_the_estimators():
    options = vars(parsed(["fit", "x.fits"]))
    defaults = {name: p.default for name, p in inspect.signature(SmoothNMF).parameters.items()}
    for name in fit_command.SETTINGS:
        if name != "random_state":  # a command gives the same every time
            assert options[name] == defaults[name], name


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["--init", "random", "--random-state", 3], {"init": "random", "random_state": 3}),
        (["--init", "spa", "--tol", 1e-3], {"init": "spa", "tol": 1e-3}),
        (["--dtype", "float32", "--device", "auto"], {"dtype": "float32", "device": "auto"}),
        (["--n-components", 3, "--smoothness", 0], {"n_components": 3, "smoothness": 0.0}),
    ],
)
def test_options_of_the_estimator(folder, words, settings):
    as_image(folder / "x.fits")
    fit("x.fits", *ASKED, *words)
    check_results(folder / "x_fit", *expected(**settings))


@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_does_not_converge_is_written_and_says_so(folder):
    as_image(folder / "x.fits")
    printed = fit("x.fits", *ASKED, "--max-iter", 1, "--tol", 1e-12)
    assert "(NOT converged) after 1 iterations" in printed
    assert "WARNING: NOT converged" in printed
    assert "raise --max-iter" in printed
    check_results(folder / "x_fit", *expected(max_iter=1, tol=1e-12))


def test_errors_are_in_the_summary(folder):
    as_image(folder / "x.fits")
    as_image(folder / "e.fits", V**-0.5)
    as_image(folder / "v.fits", V)
    printed = fit("x.fits", *ASKED, "--error", "e.fits")
    content = json.loads((folder / "x_fit/fit.json").read_text())
    assert content["settings"]["error"] == "e.fits"
    model, weights = expected(v=V)
    chi2 = (V * np.square(X - weights @ model.components_)).mean()
    assert content["chi2_per_value"] == pytest.approx(chi2, rel=1e-6)
    assert f"iterations, chi^2 per value {chi2:.3g}" in printed
    both = fit("x.fits", *ASKED, "--error", "e.fits", "--inverse-variance", "v.fits")
    assert both == "ERROR: --error e.fits and --inverse-variance v.fits: leave one of them out"


def test_what_needs_no_file_is_checked_before_torch_is_loaded():
    code = "import sys; from spectralunmix.cli import main; sys.argv[1:] = ['fit', 'none.fits']\n"
    code += "try: main()\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "ERROR: none.fits: there is no such file False\n", done.stderr


def test_a_long_fit_shows_how_far_it_is(folder, monkeypatch, capsys):
    monkeypatch.setattr(progress.log, "handlers", [])  # those of other tests
    as_image(folder / "x.fits")
    fit("x.fits", *ASKED)
    assert capsys.readouterr().err == ""  # a short one has nothing to say
    monkeypatch.setattr(fit_command, "QUIET_SECONDS", 0.0)
    fit("x.fits", *ASKED)
    assert "iteration 1: objective " in capsys.readouterr().err


# The folder


def test_an_earlier_fit_is_replaced(folder):
    as_image(folder / "x.fits")
    fit("x.fits", *ASKED)
    (folder / "x_fit/notes.txt").write_text("mine")
    fit("x.fits", *ASKED, "--smoothness", 50)
    check_results(folder / "x_fit", *expected(smoothness=50.0))
    assert (folder / "x_fit/notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["components.ecsv", "weights.ecsv", "components.png"])
def test_a_result_that_was_altered_is_not_replaced(folder, name):
    as_image(folder / "x.fits")
    fit("x.fits", *ASKED)
    (folder / "x_fit" / name).write_text("mine")
    said = fit("x.fits", *ASKED)
    assert said == (
        f"ERROR: x_fit holds a {name} that was altered since it was made: move it away, or name "
        "another folder with --output"
    )
    assert (folder / "x_fit" / name).read_text() == "mine"


@pytest.mark.parametrize("text", ["{}", "[", '{"made_by": "me", "outputs": {}}', "[1]"])
def test_a_folder_of_the_users_is_left_alone(folder, text):
    as_image(folder / "x.fits")
    (folder / "mine").mkdir()
    for name in ("fit.json", "components.ecsv"):
        (folder / "mine" / name).write_text(text)
    said = fit("x.fits", *ASKED, "--output", "mine")
    assert said.startswith("ERROR: mine holds components.ecsv, which `spectralunmix fit` did not")
    assert (folder / "mine/components.ecsv").read_text() == text
    said = fit("x.fits", *ASKED, "--output", ".")  # where the file itself lies
    assert said.startswith("ERROR: . holds mine, which `spectralunmix fit` did not make")
    (folder / "file").write_text("mine")
    assert "file is there, and is no folder" in fit("x.fits", *ASKED, "--output", "file")
    fit("x.fits", *ASKED, "-o", "a/b")
    check_results(folder / "a/b", *expected())


def test_what_a_killed_fit_left_is_no_obstacle(folder):
    as_image(folder / "x.fits")
    (folder / "x_fit/.part-abc").mkdir(parents=True)
    fit("x.fits", *ASKED)
    check_results(folder / "x_fit", *expected())


def test_a_fit_that_is_stopped_leaves_the_earlier_one(folder, monkeypatch):
    as_image(folder / "x.fits")
    fit("x.fits", *ASKED)
    before = {path.name: path.read_bytes() for path in (folder / "x_fit").iterdir()}

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fit_command, "write_picture", stop)
    assert fit("x.fits", *ASKED, "--smoothness", 50) == "stopped"
    assert {path.name: path.read_bytes() for path in (folder / "x_fit").iterdir()} == before
    assert fit("x.fits", *ASKED, "--output", "new") == "stopped"
    assert not (folder / "new").exists()


# The picture


def test_the_picture_has_a_labelled_panel_for_each_component(folder):
    as_workflow(folder / "x.fits")
    fit("x.fits", *ASKED)
    assert imread(folder / "x_fit/components.png").shape[:2] > (300, 1000)
    model, _ = expected()
    captions = ["first", "second"]
    for unit, label in (
        ("Angstrom", "Wavelength (Å)"),
        ("nm", "Wavelength (nm)"),
        (None, "Wavelength"),
    ):
        fig = draw(WAVE, unit, model.components_, captions, "title")
        assert [ax.get_title(loc="left") for ax in fig.axes] == captions
        assert fig.axes[-1].get_xlabel() == label
        assert fig.get_supylabel() == "Component / maximum"
    fig = draw(None, None, model.components_, captions, "title")
    assert fig.axes[-1].get_xlabel() == "Channel"
    assert fig.axes[0].lines[0].get_color() != fig.axes[1].lines[0].get_color()


def test_it_works_in_any_folder_without_the_project(folder):
    """With nothing of a clone, nothing of the workflow, and a caller's settings that would harm."""
    python = environment(folder / "elsewhere", ROOT / "src")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_workflow = [
        re.match(r"[\w.-]+", name)[0] for name in project["optional-dependencies"]["workflow"]
    ]
    assert "snakemake" in of_workflow
    without = [name for name in of_workflow if name != "packaging"]  # matplotlib needs it
    program = (
        f"import sys\nfor name in {without}: sys.modules[name] = None\n"
        "import spectralunmix.cli\nspectralunmix.cli.main()"
    )
    work = folder / "work"
    work.mkdir()
    as_csv(work / "x.csv")
    command = [python, "-I", "-c", program, "fit", "x.csv", "-k", "2"]
    done = subprocess.run(
        command,
        cwd=work,
        env=os.environ | {"MPLBACKEND": "nonsense", "MPLCONFIGDIR": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert sorted(path.name for path in work.iterdir()) == ["x.csv", "x_fit"]


def test_errors_in_place_of_an_inverse_variance(folder):
    """One that is infinite is a value that does not count."""
    errors = V**-0.5
    errors[1, 3] = np.inf
    as_image(folder / "x.fits")
    as_image(folder / "e.fits", errors)
    fit("x.fits", *ASKED, "--error", "e.fits")
    check_results(folder / "x_fit", *expected(v=1 / errors**2))


def test_errors_that_are_none(folder):
    as_image(folder / "x.fits")
    as_image(folder / "e.fits", V - V[0, 0])
    said = fit("x.fits", *ASKED, "--error", "e.fits")
    assert "of --error are not above 0: put inf where a value should not count" in said


def test_a_matrix_that_seems_to_be_something_else_is_said(folder):
    as_image(folder / "x.fits", X.T, axis=False)
    assert "40 spectra of 7 channels, more spectra than channels" in fit("x.fits", *ASKED)
    as_csv(folder / "y.csv", X=np.vstack([WAVE, X[1:]]))
    assert "star 0 rises in every channel: is it a column of wavelengths?" in fit("y.csv", *ASKED)
