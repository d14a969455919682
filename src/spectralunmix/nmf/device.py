"""Whether values may be looked at as a fit goes on."""

from torch import Tensor


def on_cpu(Z: Tensor) -> bool:
    """Whether Z lies where a look at its values costs nothing; on a device that waits for all of it."""
    return Z.device.type == "cpu"
