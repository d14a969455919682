"""Cube: the spectra of all spaxels that have a spectrum, for the factorisation."""

import dataclasses
from typing import Any

import numpy as np
from astropy.io import fits


@dataclasses.dataclass(frozen=True, eq=False)
class Cube:
    """The spectra of a cube's spaxels, their inverse variance, and where they lie on the sky.

    `read_cube` makes it.

    Attributes
    ----------
    spectra : ndarray of shape (n_spaxels, n_wave)
        A spectrum for each spaxel that has one, row by row of the image, in `unit`; 0 where a
        value does not count. Large arrays are on disk, and `smooth_nmf` reads them in blocks.
    inverse_variance : ndarray of shape (n_spaxels, n_wave) or None
        The inverse variance of each value of `spectra`, 0 where it does not count. None where the
        cube has no uncertainties and every value counts.
    wavelength : ndarray of shape (n_wave,)
        In Angstrom, as observed, rising.
    spaxels : ndarray of bool, shape (y, x)
        Which spaxels have a spectrum.
    channels : ndarray of bool, shape (n_wave,)
        Which channels have a value that counts.
    has_uncertainties : bool
        Whether `inverse_variance` is that of the noise. If not, it is 1, or 0 where masked.
    medium : {"air", "vacuum", "unknown"}
        The medium in which the wavelengths are given.
    redshift : float or None
        z of the object; None where it is not known.
    unit : str or None
        Unit of the spectra, as the file spells it.
    celestial : fits.Header or None
        World coordinates of the image; None where the file has none.
    name : str
        Name of the cube in results.
    about : dict
        Header cards that results repeat: object, instrument and date.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from astropy.wcs import WCS
    >>> from spectralunmix import read_cube
    >>> wcs = WCS(naxis=3)
    >>> wcs.wcs.ctype = "RA---TAN", "DEC--TAN", "WAVE"
    >>> wcs.wcs.cunit, wcs.wcs.crval = ("deg", "deg", "nm"), (10, 20, 500)
    >>> flux = np.random.default_rng(0).random((4, 2, 3))
    >>> cube = read_cube(NDData(flux, wcs=wcs), name="mine")
    >>> cube
    Cube(mine: 6 of 2 x 3 spaxels, 4 channels from 5010 to 5040 Angstrom)
    >>> cube.image(cube.spectra).shape
    (4, 2, 3)
    >>> cube.row(1, 0)
    3
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
        """The wavelengths at rest, ndarray of shape (n_wave,), in Angstrom.

        They are `wavelength` divided by 1 + z, and as observed where there is no redshift.
        """
        return self.wavelength / (1 + (self.redshift or 0))

    def image(self, values: np.ndarray) -> np.ndarray:
        """Put values of spaxels in their place in images.

        Parameters
        ----------
        values : ndarray of shape (n_spaxels, ...)
            Values of floats, in the order of `spectra`.

        Returns
        -------
        ndarray of shape (..., y, x)
            The images; NaN where a spaxel has no spectrum.
        """
        images = np.full((*values.shape[1:], *self.spaxels.shape), np.nan, values.dtype)
        images[..., self.spaxels] = np.moveaxis(values, 0, -1)
        return images

    def row(self, y: int, x: int) -> int | None:
        """The row of a spaxel in `spectra`.

        Parameters
        ----------
        y, x : int
            The place of the spaxel in the image, from 0.

        Returns
        -------
        int or None
            None where the spaxel has no spectrum.
        """
        if not self.spaxels[y, x]:
            return None
        return int(self.spaxels.ravel()[: y * self.spaxels.shape[1] + x].sum())
