"""What depends on an edit is made again, and nothing else; equal inputs give equal bytes."""

import hashlib
import os
import platform
import re
import shutil

import pytest

LAST = ["assign", "plot", "manifest"]
STEPS = ["select", "prototypes", "pca", "smooth_nmf", "resample", "bootstrap", *LAST]
DEPENDENT = {
    "download": set(STEPS),
    "select": set(STEPS),
    "prototypes": {"bootstrap", *LAST},
    "pca": {"bootstrap", *LAST},
    "smooth_nmf": {"resample", "bootstrap", *LAST},
    "resample": {"bootstrap", *LAST},
    "bootstrap": set(LAST),
    "assign": {"plot", "manifest"},
    "plot": {"manifest"},
    "manifest": set(),
}
# A file, an edit of it, and the steps that have to run again.  What a step's result does not
# change by reruns nothing after it: inputs are told by their content.
EDITS = [
    ("src/spectralunmix/libraries/sources.py", "\n# edited", {"download"}),
    ("src/spectralunmix/libraries/grids.py", "\n# edited", {"select"}),
    ("src/spectralunmix/libraries/readers/text.py", "\n# edited", {"select"}),
    ("src/spectralunmix/nmf/updates.py", "\n# edited", {"smooth_nmf", "resample"}),
    ("src/spectralunmix/comparison.py", "\n# edited", {"resample", "bootstrap", "assign"}),
    ("src/spectralunmix/uncertainty.py", "\n# edited", {"resample"}),
    ("src/spectralunmix/assignment_errors.py", "\n# edited", {"bootstrap"}),
    ("src/spectralunmix/model_selection.py", "\n# edited", set()),
    ("workflow/scripts/prototypes.py", "\n# edited", {"prototypes"}),
    ("workflow/scripts/pca.py", "\n# edited", {"pca"}),
    ("workflow/scripts/smooth_nmf.py", "\n# edited", {"smooth_nmf"}),
    ("workflow/scripts/resample.py", "\n# edited", {"resample"}),
    ("workflow/scripts/bootstrap.py", "\n# edited", {"bootstrap"}),
    ("workflow/scripts/assign.py", "\n# edited", {"assign"}),
    ("workflow/scripts/plot.py", "\n# edited", {"plot"}),
    ("src/spectralunmix/figures/style.py", "\n# edited", {"plot"}),
    ("src/spectralunmix/figures/__init__.py", "\n# edited", {"plot"}),
    ("src/spectralunmix/nmf/__init__.py", "\n# edited", {"smooth_nmf", "resample"}),
    ("src/spectralunmix/version.py", "\n# edited", {"download", *STEPS}),
    ("src/spectralunmix/command/verify.py", "\n# edited", set()),
    ("workflow/scripts/validate.py", "\n# edited", set()),
    ("src/spectralunmix/figures/templates/base.html", "\n", set()),
    ("config/config.yaml", ("n_starts: 8", "n_starts: 9"), set()),
    ("config/config.yaml", ("smoothness: 10", "smoothness: 20"), {"smooth_nmf", "resample"}),
    ("config/config.yaml", ("n_resamples: 4", "n_resamples: 5"), {"resample"}),
    ("config/config.yaml", ("n_repeats: 3", "n_repeats: 2"), set()),
    ("config/config.yaml", ("metric: rms", "metric: angle"), {"bootstrap", "assign"}),
    ("config/config.yaml", ("width: 7.1", "width: 7.2"), {"plot"}),
    ("config/config.yaml", ("# The paper", "# A paper"), set()),
    ("config/libraries/tiny.yaml", ("label: Hot", "label: Warm"), {"select", "plot"}),
    ("config/libraries/tiny.yaml", ("per_class: 5", "per_class: 4"), {"select"}),
    ("config/libraries/tiny.yaml", ("licence: none", "licence: any"), set()),
    ("config/libraries/miles.yaml", ("air", "vacuum"), set()),
    ("envs/requirements.txt", "\n# edited", {"download", *STEPS}),
    ("spectra/t4000.txt", ("4", "5"), {"download"}),
    ("README.md", "edited", set()),
]


# The same for the report, whose steps are made after these.
REPORTED = {"convergence", "reconstructions", "smoothness", "weights", "methods", "interactive"}
REPORTED |= {"uniqueness", "diagnostics"}
EDITS_OF_REPORT = [
    ("src/spectralunmix/figures/templates/base.html", "\n", {"methods", "interactive"}),
    ("src/spectralunmix/figures/templates/methods.html", "\n", {"methods"}),
    ("src/spectralunmix/published.py", "\n# edited", {"convergence"}),
    ("config/config.yaml", ("n_iter: 20", "n_iter: 30"), {"convergence"}),
    ("config/config.yaml", ("100, 1000]", "100, 500]"), {"smoothness"}),
    ("config/config.yaml", ("n_starts: 16", "n_starts: 4"), {"uniqueness", "methods"}),
    ("config/config.yaml", ("left_out: 200", "left_out: 4"), {"diagnostics", "methods"}),
    ("src/spectralunmix/uniqueness.py", "\n# edited", {"uniqueness", "methods"}),
    ("src/spectralunmix/diagnostics.py", "\n# edited", {"diagnostics", "methods"}),
    ("workflow/scripts/weights.py", "\n# edited", {"weights"}),
    ("workflow/report/weights.rst", "\nedited", set()),
]


def ran(printed):
    """The steps of a run, or of a dry one."""
    done = re.findall(r"^\[\d+/\d+\] ([a-z_]+?)(?:_from_\d+)? ", printed, flags=re.M)
    would = re.findall(r"^(?:local)?rule (\w+):", printed, flags=re.M)
    return {*done, *would} - {"all", "report"}


def edited(path, edit):
    text = path.read_text() if path.exists() else ""
    if isinstance(edit, str):
        path.write_text(text + edit)
    else:
        assert edit[0] in text
        path.write_text(text.replace(*edit, 1))


@pytest.mark.slow
def test_each_edit_of_the_report_reruns_what_depends_on_it(made):
    tiny = made
    text = (tiny.folder / "config/config.yaml").read_text()
    (tiny.folder / "config/config.yaml").write_text(text.replace("n_iter: 2000", "n_iter: 20"))
    code, printed = tiny.run("report")
    assert code == 0, printed
    assert ran(printed) == REPORTED
    assert tiny.verify()[0] == 0
    for file, edit, again in EDITS_OF_REPORT:
        path = tiny.folder / file
        before = path.read_bytes()
        edited(path, edit)
        code, printed = tiny.run_dry("report")
        assert code == 0, printed
        assert ran(printed) == again, (file, edit)
        path.write_bytes(before)


def test_each_edit_reruns_what_depends_on_it(made):
    tiny = made
    for file, edit, first in EDITS:
        path = tiny.folder / file
        before = path.read_bytes() if path.exists() else None
        edited(path, edit)
        code, printed = tiny.run_dry()
        assert code == 0, printed
        found = ran(printed)
        assert first <= found, (file, edit, found)
        untouched = set(STEPS) - set().union(*(DEPENDENT[step] for step in first), first)
        assert not found & untouched, (file, edit, found)
        assert bool(found) == bool(first), (file, edit, found)
        path.unlink() if before is None else path.write_bytes(before)
    assert ran(tiny.run_dry()[1]) == set()


def test_a_touch_or_another_folder_reruns_nothing(made):
    tiny = made
    for path in [*tiny.folder.rglob("*")]:
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    code, printed = tiny.run()
    assert "nothing to be done" in printed
    elsewhere = tiny.folder.parent / "elsewhere"
    shutil.copytree(tiny.folder, elsewhere)
    tiny.folder = elsewhere
    code, printed = tiny.run()
    assert code == 0
    assert "nothing to be done" in printed


def digests(folder):
    names = [p for p in folder.rglob("*") if p.suffix in {".ecsv", ".json", ".fits"}]
    names += list(folder.glob("figure.*"))
    return {p.relative_to(folder): hashlib.sha256(p.read_bytes()).hexdigest() for p in names}


def test_equal_bytes_whatever_the_users_settings(made):
    tiny = made
    first = digests(tiny.results)
    assert {".pdf", ".png", ".svg"} <= {path.suffix for path in first}
    shutil.move(tiny.results, tiny.folder / "first")
    settings = tiny.folder / "matplotlib"
    settings.mkdir()
    (settings / "matplotlibrc").write_text("font.family: serif\nlines.linewidth: 5\n")
    code, printed = tiny.run(
        MPLCONFIGDIR=str(settings),
        MATPLOTLIBRC=str(settings / "matplotlibrc"),
        LC_ALL="tr_TR.UTF-8",
        LANG="tr_TR.UTF-8",
        TZ="Pacific/Auckland",
        OMP_NUM_THREADS="2",
        MKL_NUM_THREADS="2",
        OPENBLAS_NUM_THREADS="2",
        PYTHONHASHSEED="123",
    )
    assert code == 0, printed
    assert digests(tiny.results) == first
    code, printed = tiny.verify("--reference", str(tiny.folder / "first"))
    assert code == 0, printed
    assert "compared bit by bit" in printed


def test_another_run_that_deviates_is_told(made):
    tiny = made
    reference = tiny.folder / "reference"
    shutil.copytree(tiny.results, reference)
    manifest = reference / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"torch": "', '"torch": "0.'))
    code, printed = tiny.verify("--reference", "reference")
    assert code == 0, printed
    assert "objective: 0.0e+00 (at most 1e-09)" in printed
    fit = reference / "nmf_fit.json"
    value = re.search(r'"objective": ([\d.]+)', fit.read_text())[1]
    fit.write_text(fit.read_text().replace(value, str(float(value) * (1 + 1e-8))))
    components = reference / "nmf_components.ecsv"
    text = components.read_text()
    number = re.findall(r"^4\d+\S* (0\.\d+)", text, flags=re.M)[3]
    components.write_text(text.replace(number, str(float(number) + 1e-5)))
    code, printed = tiny.verify("--reference", "reference")
    assert code != 0
    assert "objective deviates by 1.0e-08, more than 1e-09" in printed
    assert "components deviates by 1.0e-05" in printed


@pytest.mark.slow
def test_other_kernels_of_linear_algebra_are_within_the_tolerances(made):
    """As on an older processor: the last digits differ."""
    tiny = made
    reference = tiny.folder / "reference"
    shutil.move(tiny.results, reference)
    manifest = reference / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"cpu": "', '"cpu": "other '))
    code, printed = tiny.run(OPENBLAS_CORETYPE="Prescott", ATEN_CPU_CAPABILITY="default")
    assert code == 0, printed
    code, printed = tiny.verify("--reference", "reference")
    assert code == 0, printed
    assert "compared within tolerances" in printed
    if platform.machine() == "x86_64":
        fits = [folder / "nmf_fit.json" for folder in (tiny.results, reference)]
        assert fits[0].read_bytes() != fits[1].read_bytes()
