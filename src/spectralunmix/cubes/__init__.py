"""Cubes and images: a spectrum in every spaxel, unmixed into component spectra and maps."""
