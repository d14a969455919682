"""Spectral libraries: fetching, reading, labelling and gridding them."""


class LibraryError(ValueError):
    """Something about a library or its entry that its user can put right."""
