"""A Slurm of one node."""

import importlib.util
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def cluster():
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("envs/slurm.txt is not installed: `make slurm` does, and installs Slurm")
    started = subprocess.run(
        [Path(__file__).with_name("one_node.sh")], capture_output=True, text=True, timeout=300
    )
    if started.returncode == 77:
        pytest.skip(f"no Slurm: {started.stdout.strip()}")
    assert started.returncode == 0, started.stdout + started.stderr
