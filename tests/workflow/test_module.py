"""Another workflow loads this one from a served address, with nothing installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from served import served

ROOT = Path(__file__).parents[2]
CONSUMER = """
configfile: "config.yaml"


module unmix:
    snakefile:
        "{address}/workflow/Snakefile"
    config:
        config


use rule * from unmix as unmix_*


rule all:
    default_target: True
    input:
        "results/pickles1998/figure.png",
"""


@pytest.fixture
def consumer(tmp_path):
    (tmp_path / "config.yaml").write_text("library: pickles1998\nsmooth_nmf: {smoothness: 100}\n")

    def run(address):
        (tmp_path / "Snakefile").write_text(CONSUMER.format(address=address))
        command = [sys.executable, "-m", "snakemake", "--cores", "1"]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    run.folder = tmp_path
    return run


@pytest.mark.slow
def test_a_workflow_that_loads_this_one(consumer):
    with served(ROOT) as address:
        run = consumer(address)
        assert run.returncode == 0, run.stderr
        assert (consumer.folder / "results/pickles1998/figure.png").exists()
        assert (
            '"smoothness": 100'
            in (consumer.folder / "results/pickles1998/summary.json").read_text()
        )
        again = consumer(address)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert not (consumer.folder / "workflow").exists()


def test_the_catalogs_requirements():
    for file in (".snakemake-workflow-catalog.yml", "config/README.md", "workflow/Snakefile"):
        assert (ROOT / file).is_file()
