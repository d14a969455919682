"""Unmix spectra into a few smooth, non-negative components."""

from .estimator import SmoothNMF

__all__ = ["SmoothNMF"]
