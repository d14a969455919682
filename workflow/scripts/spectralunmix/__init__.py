"""Unmix spectra into a few smooth, non-negative components."""

from .estimator import NotConvergedError, SmoothNMF, scan_smoothness

__all__ = ["NotConvergedError", "SmoothNMF", "scan_smoothness"]
