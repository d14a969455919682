"""Spectral libraries: fetching, reading, labelling and gridding them."""

from spectralunmix.errors import LibraryError

__all__ = ["LibraryError"]
