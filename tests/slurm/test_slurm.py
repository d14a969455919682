"""The scan on a Slurm of one node that is installed, configured and started for it.

`make slurm`, as root on Debian; skipped where that cannot be done.
"""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SCAN = "results/tiny/scan.ecsv"


def on_slurm(tiny, *arguments):
    return tiny.run(*(arguments or ["figure"]), "--profile", "profiles/slurm")


def results(tiny):
    found = [*tiny.results.glob("*.*"), *tiny.results.glob("scan/*")]
    return {path.relative_to(tiny.results): path.read_bytes() for path in found}


def test_a_scan_on_slurm_equals_a_local_one(cluster, tiny):
    code, printed = on_slurm(tiny, SCAN)
    assert code == 0, printed
    log = max((tiny.folder / ".snakemake/log").glob("*.snakemake.log")).read_text()
    assert log.count("has been submitted with SLURM jobid") >= 6
    there = results(tiny)
    (tiny.folder / "results").rename(tiny.folder / "on_slurm")
    code, printed = tiny.run(SCAN)
    assert code == 0, printed
    log = max((tiny.folder / ".snakemake/log").glob("*.snakemake.log")).read_text()
    assert "SLURM" not in log
    assert results(tiny) == there
    assert {Path("scan.ecsv"), Path("scan.png"), Path("scan/rank_2_from_0.fits")} <= set(there)


def test_a_job_that_fails_says_why(cluster, tiny):
    tiny.write("t4000.txt", [float("nan")] * 60)
    code, printed = on_slurm(tiny)
    assert code != 0
    assert "t4000.txt" in printed
    assert not (tiny.results / "spectra.fits").exists()
    tiny.write("t4000.txt", range(60))
    code, printed = on_slurm(tiny)
    assert code == 0, printed
    assert tiny.verify()[0] == 0
