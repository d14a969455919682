"""Unmix spectra into a few smooth, non-negative components."""

from .estimator import NotConvergedError, SmoothNMF, scan_smoothness

__version__ = "0.2.0"
__all__ = ["NotConvergedError", "SmoothNMF", "scan_smoothness"]
