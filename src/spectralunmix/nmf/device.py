"""Whether values may be looked at as a fit goes on."""

from torch import Tensor


def on_cpu(Z: Tensor) -> bool:
    """Whether Z lies where a look at its values costs nothing: a device has to be waited for."""
    return Z.device.type == "cpu"
