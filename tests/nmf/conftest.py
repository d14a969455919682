"""Where the solver's tests run, as on a device of this machine or on one; the paper's spectra."""

import pytest
import torch

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
