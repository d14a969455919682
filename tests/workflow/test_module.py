"""Another workflow loads this one from a served address, with the package installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from environment import environment
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


class Consumer:
    """A workflow of somebody else's, in an environment with or without the package."""

    def __init__(self, folder: Path, *packages: Path):
        self.folder = folder
        self.python = environment(folder, folder / "none", *packages)
        (folder / "config.yaml").write_text("library: pickles1998\nsmooth_nmf: {smoothness: 100}\n")

    def run(self, address):
        (self.folder / "Snakefile").write_text(CONSUMER.format(address=address))
        command = [self.python, "-m", "snakemake", "--cores", "1"]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True)


def test_without_the_package_one_line_says_what_to_install(tmp_path):
    with served(ROOT) as address:
        run = Consumer(tmp_path).run(address)
    assert run.returncode != 0
    assert "the package spectralunmix is not installed: pip install" in run.stderr


@pytest.mark.slow
def test_a_workflow_that_loads_this_one_with_the_package_from_a_server(tmp_path):
    pip = [sys.executable, "-m", "pip", "--quiet"]
    built, installed = tmp_path / "built", tmp_path / "installed"
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", built, ROOT]
    subprocess.run([*pip, *wheel], check=True)
    (name,) = (path.name for path in built.iterdir())
    with served(built) as address:
        install = ["install", "--no-deps", "--no-index", "--target", installed]
        subprocess.run([*pip, *install, f"{address}/{name}"], check=True)
    consumer = Consumer(tmp_path, installed)
    with served(ROOT) as address:
        run = consumer.run(address)
        assert run.returncode == 0, run.stderr
        results = tmp_path / "results/pickles1998"
        assert (results / "figure.png").exists()
        assert '"smoothness": 100' in (results / "summary.json").read_text()
        again = consumer.run(address)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert not (tmp_path / "workflow").exists()


def test_the_catalogs_requirements():
    for file in (".snakemake-workflow-catalog.yml", "config/README.md", "workflow/Snakefile"):
        assert (ROOT / file).is_file()
