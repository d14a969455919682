"""A Slurm of one node."""

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def cluster():
    started = subprocess.run(
        [Path(__file__).with_name("one_node.sh")], capture_output=True, text=True, timeout=300
    )
    if started.returncode == 77:
        pytest.skip(f"no Slurm: {started.stdout.strip()}")
    assert started.returncode == 0, started.stdout + started.stderr
