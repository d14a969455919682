"""A fit that ends before its tolerance: an error that loses nothing."""

import re

import pytest


def edit(tiny, old, new):
    path = tiny.folder / "config/config.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.slow
def test_a_fit_that_does_not_converge(tiny):
    edit(tiny, "max_iter: 2000", "max_iter: 3")
    code, printed = tiny.run()
    assert code != 0
    message = r"ERROR: (.*smooth_nmf\.max_iter .*last 3 iterations .* smooth_nmf\.strict.*)"
    (said,) = set(re.findall(message, printed))
    assert said.count("smooth_nmf.max_iter") == 2  # where it stopped, and as a way out
    assert not (tiny.results / "figure.pdf").exists()
    kept = [tiny.results / f"nmf_{name}" for name in ("fit.json", "components.ecsv")]
    made = [path.stat().st_mtime_ns for path in kept]
    edit(tiny, "strict: true", "strict: false")
    code, printed = tiny.run_figure()
    assert code == 0
    assert "WARNING: results/tiny/nmf_fit.json: NOT converged" in printed
    assert [path.stat().st_mtime_ns for path in kept] == made  # without a new fit
    assert (tiny.results / "figure.pdf").exists()
    edit(tiny, "max_iter: 3", "max_iter: 2000")
    assert tiny.run()[0] == 0
    assert tiny.verify()[0] == 0
