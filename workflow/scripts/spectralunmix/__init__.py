"""Unmix spectra into a few smooth, non-negative components."""

from .estimator import NotConvergedError, SmoothNMF

__all__ = ["NotConvergedError", "SmoothNMF"]
