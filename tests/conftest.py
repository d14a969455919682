"""Fixtures: the paper's own spectra where a copy is at hand, a copy of the project to run in."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from entry_page import page_entry
from environment import environment
from project import Project
from spectralunmix.libraries import readers
from tiny import Tiny

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def coelho2014():
    """Folder with the paper's own subset, from the environment variable COELHO2014."""
    if "COELHO2014" not in os.environ:
        pytest.skip("COELHO2014 does not name a folder with the paper's subset")
    return Path(os.environ["COELHO2014"])


@pytest.fixture(scope="session")
def of_the_paper(coelho2014):
    source = {"reader": "r_subset", "members": ["*.rds"], "options": {}, "largest_member": 2**24}
    spectra = list(readers.read(coelho2014, source))
    return [s for s in spectra if s.header["type"] != "cool_giant"]


@pytest.fixture(scope="session")
def paper_spectra(of_the_paper):
    return np.array([s.flux for s in of_the_paper])


@pytest.fixture(scope="session")
def paper_classes(of_the_paper):
    return [s.header["type"] for s in of_the_paper]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def tiny(project):
    """The library `tiny`, of which nothing was made yet."""
    return Tiny(project.folder).create()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """A folder in which the figure of `tiny` was made."""
    tiny = Tiny(Project(tmp_path_factory.mktemp("made")).folder).create(n_resamples=4)
    code, printed = tiny.run()
    assert code == 0, printed
    return tiny.folder


@pytest.fixture
def made(made_once, tmp_path):
    """The library `tiny` with its figure, in a folder of the test's own."""
    folder = shutil.copytree(
        made_once, tmp_path / "project", ignore=shutil.ignore_patterns(".venv", "__pycache__")
    )
    environment(folder)  # with the code of this folder
    return Tiny(folder)


@pytest.fixture
def own(project):
    """The page's example, its folder of spectra where the test can write, as library `mystars`."""
    folder = project.folder / "spectra"
    folder.mkdir()
    entry = page_entry()
    (project.folder / "config/libraries/mystars.yaml").write_text(entry)
    rng = np.random.default_rng(0)
    rows = ["name,logg"]
    wave = np.linspace(380, 900, 400)  # nm
    for i in range(40):
        teff, log_g = rng.integers(3500, 9000), 4.4 if i % 2 else 2.0
        lines = 1 - 0.3 * np.exp(-(((wave - (500 if i % 2 else 650)) / 20) ** 2))
        flux = lines * 1e9 / wave**5 / np.expm1(1.43877e7 / (wave * teff))
        np.savetxt(folder / f"HD{i + 1}_{teff}K.txt", np.transpose([wave, flux]))
        rows.append(f"HD{i + 1},{log_g}")
    (folder / "stars.csv").write_text("\n".join(rows))
    return project
