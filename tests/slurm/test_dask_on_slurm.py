"""A fit on Dask workers that Slurm starts, by dask-jobqueue: on a Slurm of one node.

`make slurm`, as root on Debian; skipped where that cannot be done. What submits jobs is
tried without Slurm too, with a stand-in for `sbatch` that starts them.
"""

import os
import stat
import time

import dask.array as da
import numpy as np
import pytest
from distributed import Client

from mixtures import spectra
from spectralunmix import smooth_nmf

jobqueue = pytest.importorskip("dask_jobqueue")

pytestmark = pytest.mark.slow
# Like Slurm's, it keeps a copy of the script: its sender deletes it as soon as this ends.
SBATCH = """#!/bin/sh
job=$(mktemp "$(dirname "$0")/job.XXXXXX")
cp "$1" "$job"
nohup sh "$job" > "$job.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill "$@"
"""


def on_jobs(folder):
    """A fit on two workers, in a job each; how many there are."""
    X, V = spectra(2000, 120)
    expected = smooth_nmf(X, 3, inverse_variance=V)
    settings = {"cores": 1, "memory": "1GB", "walltime": "00:10:00", "log_directory": str(folder)}
    with (
        jobqueue.SLURMCluster(**settings, scheduler_options={"dashboard_address": ":0"}) as cluster,
        Client(cluster) as client,
    ):
        cluster.scale(jobs=2)
        client.wait_for_workers(2, timeout=120)
        lazy = [da.from_array(Z, chunks=(300, 120)) for Z in (X, V)]
        found = smooth_nmf(lazy[0], 3, inverse_variance=lazy[1])
        hosts = client.run(os.getpid)
        np.testing.assert_allclose(found.components, expected.components, atol=1e-10)
        np.testing.assert_allclose(found.weights.compute(), expected.weights, atol=1e-9)
        return len(hosts)


def test_a_fit_on_slurm(cluster, tmp_path):
    assert on_jobs(tmp_path) == 2


def test_a_fit_on_jobs_that_a_stand_in_starts(tmp_path, monkeypatch):
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    begun = time.monotonic()
    assert on_jobs(tmp_path) == 2
    assert time.monotonic() - begun < 300
