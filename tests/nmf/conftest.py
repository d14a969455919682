"""Where the solver's tests run, as on a device of this machine or on one; the paper's spectra."""

import numpy as np
import pytest
import torch

from spectralunmix.libraries import readers
from spectralunmix.nmf import device


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")


@pytest.fixture
def as_on_device(monkeypatch):
    """What a device would run, run here."""
    monkeypatch.setattr(device, "on_cpu", lambda Z: False)


@pytest.fixture(params=["cpu", "device"])
def implementation(request):
    """Each of a kernel's two implementations in turn."""
    if request.param == "device":
        request.getfixturevalue("as_on_device")
    return request.param


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
