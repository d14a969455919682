"""Dask is no dependency: without it all else works, and what needs it says so."""

import subprocess
import sys

import pytest

ABSENT = "import sys\nfor name in ('dask', 'distributed', 'zarr'): sys.modules[name] = None\n"


def run(text, folder):
    return subprocess.run(
        [sys.executable, "-c", ABSENT + text], cwd=folder, capture_output=True, text=True
    )


def test_fits_need_no_dask(tmp_path):
    done = run(
        "import numpy as np\n"
        "from spectralunmix import ClusterLostError, SmoothNMF, checkpoint, smooth_nmf\n"
        "X = np.random.default_rng(0).random((20, 30))\n"
        "assert smooth_nmf(X, 2).converged\n"
        "SmoothNMF(2).fit(X).score(X)\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["a.zarr"], ["a.fits", "--scheduler", "tcp://1.2.3.4:1"]])
def test_the_command_says_what_is_missing(tmp_path, arguments):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.fits").touch()
    text = f"sys.argv[1:] = {['fit', *arguments]}\nfrom spectralunmix import cli\ncli.main()\n"
    done = run(text, tmp_path)
    assert done.returncode == 1
    assert "pip install '.[dask]'" in done.stderr
    assert "Traceback" not in done.stderr
