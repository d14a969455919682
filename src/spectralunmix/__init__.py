"""Unmix spectra into a few smooth, non-negative components."""

from importlib import import_module
from typing import TYPE_CHECKING

from spectralunmix.version import __version__

if TYPE_CHECKING:
    from spectralunmix.estimator import NotConvergedError, SmoothNMF, scan_smoothness
    from spectralunmix.factorisation import Result, smooth_nmf, unmix
else:  # a type checker would take any name for a public one
    OF_FACTORISATION = "Result", "smooth_nmf", "unmix"

    def __getattr__(name: str) -> object:
        """A public name, imported with its first use: torch takes a second."""
        if name in __all__:
            module = "factorisation" if name in OF_FACTORISATION else "estimator"
            return getattr(import_module(f"spectralunmix.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "NotConvergedError",
    "Result",
    "SmoothNMF",
    "__version__",
    "scan_smoothness",
    "smooth_nmf",
    "unmix",
]


def __dir__() -> list[str]:
    return __all__
