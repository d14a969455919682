"""A cube as the factorisation takes it: a spectrum for every spaxel that has one."""

import dataclasses
from typing import Any

import numpy as np
from astropy.io import fits


@dataclasses.dataclass(frozen=True, eq=False)
class Cube:
    """Spectra of spaxels, their weights, and where they lie on the sky.

    Attributes
    ----------
    spectra : ndarray of shape (n_spaxels, n_wave)
        Of the spaxels that have one, row by row of the image; 0 where a value does not count. In
        memory, or where they are large on disk, which `smooth_nmf` reads in blocks.
    inverse_variance : ndarray of shape (n_spaxels, n_wave) or None
        0 where a value does not count; None where all count alike.
    wavelength : ndarray of shape (n_wave,)
        In Angstrom, as observed, rising.
    spaxels : ndarray of bool of shape (y, x)
        Which spaxels have a spectrum.
    channels : ndarray of bool of shape (n_wave,)
        Which channels have a value that counts.
    has_uncertainties : bool
        Whether `inverse_variance` is that of the noise; if not it is 1, or 0 where masked.
    medium : {"air", "vacuum", "unknown"}
        What the wavelengths are in.
    redshift : float or None
        z, by which `rest_wavelength` is (1 + z) shorter; None where it is not known.
    unit : str or None
        Of the spectra, as the file says it.
    celestial : fits.Header or None
        World coordinates of the image; None where the file has none.
    name : str
        What results call the cube.
    about : dict
        Cards of the file that results repeat: object, instrument, date.
    """

    spectra: np.ndarray
    inverse_variance: np.ndarray | None
    wavelength: np.ndarray
    spaxels: np.ndarray
    channels: np.ndarray
    has_uncertainties: bool
    medium: str = "unknown"
    redshift: float | None = None
    unit: str | None = None
    celestial: fits.Header | None = None
    name: str = "cube"
    about: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        (y, x), n = self.spaxels.shape, int(self.spaxels.sum())
        return (
            f"Cube({self.name}: {n} of {y} x {x} spaxels, {len(self.wavelength)} channels from "
            f"{self.wavelength[0]:.6g} to {self.wavelength[-1]:.6g} Angstrom)"
        )

    @property
    def rest_wavelength(self) -> np.ndarray:
        """(n_wave,), in Angstrom, at the given redshift; as observed where there is none."""
        return self.wavelength / (1 + (self.redshift or 0))

    def image(self, values: np.ndarray) -> np.ndarray:
        """Values (n_spaxels, ...) as images, (..., y, x); NaN where there is no spectrum."""
        images = np.full((*values.shape[1:], *self.spaxels.shape), np.nan, values.dtype)
        images[..., self.spaxels] = np.moveaxis(values, 0, -1)
        return images

    def row(self, y: int, x: int) -> int | None:
        """The row of a spaxel in `spectra`; None where it has no spectrum."""
        if not self.spaxels[y, x]:
            return None
        return int(self.spaxels.ravel()[: y * self.spaxels.shape[1] + x].sum())
