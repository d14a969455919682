"""ComponentMaps: a cube as a few component spectra, and a map of each."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spectralunmix.cubes import maps_file
from spectralunmix.cubes.cube import Cube
from spectralunmix.files import row_blocks


class _Misfit(NamedTuple):
    """Sums of v (x - model)^2, and the number of values that count, by spaxel and by channel."""

    squares: np.ndarray
    counts: np.ndarray
    squares_of_channels: np.ndarray
    counts_of_channels: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ComponentMaps:
    """What `unmix_cube` found: a few component spectra of a cube, and a map of each.

    Attributes
    ----------
    cube : Cube
        The cube that was unmixed.
    weights : ndarray of shape (n_spaxels, k)
        Weights of the spaxels that have a spectrum, in the unit of the cube.
    components : ndarray of shape (k, n_wave)
        Each with maximum 1, in the order of falling share of the flux. In a channel where no value
        counts they are no measurement; `cube.channels` tells which channels count.
    smoothness : float
        lambda of the fit.
    optimality : float
        The certificate of the fit: the relative size of the gradient that is left.
    converged : bool
        Whether the optimality is at most the fit's `tol`.
    n_iter : int
        Number of iterations made.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from astropy.wcs import WCS
    >>> from spectralunmix import read_cube, unmix_cube
    >>> wcs = WCS(naxis=3)
    >>> wcs.wcs.ctype = "RA---TAN", "DEC--TAN", "WAVE"
    >>> wcs.wcs.cunit, wcs.wcs.crval = ("deg", "deg", "nm"), (10, 20, 500)
    >>> flux = np.random.default_rng(0).random((4, 2, 3))
    >>> cube = read_cube(NDData(flux, wcs=wcs), name="mine")
    >>> maps = unmix_cube(cube, 2, smoothness=0)
    >>> maps.components.shape, maps.maps.shape, maps.chi2.shape
    ((2, 4), (2, 2, 3), (2, 3))
    >>> float(maps.shares.sum().round(6))
    1.0
    """

    cube: Cube
    weights: np.ndarray
    components: np.ndarray
    smoothness: float
    optimality: float
    converged: bool
    n_iter: int

    def __repr__(self) -> str:
        said = f", chi^2 per voxel {self.chi2_per_voxel:.3f}" if self.cube.has_uncertainties else ""
        return f"ComponentMaps({len(self.components)} components of {self.cube!r}{said})"

    @property
    def maps(self) -> np.ndarray:
        """A map of each component, ndarray of shape (k, y, x), in the unit of the cube.

        The maps are the weights: the flux of the component at its maximum. They are NaN where a
        spaxel has no spectrum.
        """
        return self.cube.image(self.weights)

    @property
    def shares(self) -> np.ndarray:
        """The share of each component in the flux of the model, ndarray of shape (k,).

        The flux is the sum over all spaxels and over the channels that count.
        """
        total = self.weights.sum(axis=0) * self.components[:, self.cube.channels].sum(axis=1)
        return total / total.sum()

    @property
    def abundances(self) -> np.ndarray:
        """The weights divided by their sum in each spaxel, ndarray of shape (k, y, x).

        They suit images in reflectance, where weights are areas. NaN where all weights are 0.
        """
        total = self.weights.sum(axis=1, keepdims=True)
        return self.cube.image(self.weights / np.where(total > 0, total, np.nan))

    @property
    def chi2(self) -> np.ndarray:
        """chi^2 of each spaxel, divided by its number of channels that count, shape (y, x).

        Without uncertainties it is the mean square of the residual, in the unit of the cube
        squared.
        """
        return self.cube.image(self._misfit.squares / self._misfit.counts)

    @property
    def chi2_of_channels(self) -> np.ndarray:
        """chi^2 of each channel, divided by its number of spaxels that count, shape (n_wave,).

        NaN where no value counts.
        """
        counts = self._misfit.counts_of_channels
        return self._misfit.squares_of_channels / np.where(counts > 0, counts, np.nan)

    @property
    def chi2_per_voxel(self) -> float:
        """chi^2 of the whole cube, divided by the number of its values that count."""
        return float(self._misfit.squares.sum() / self._misfit.counts.sum())

    @functools.cached_property
    def _misfit(self) -> "_Misfit":
        n_wave = self.components.shape[1]
        of_channels = np.zeros(n_wave), np.zeros(n_wave)
        parts = []
        for _, residual, v in self._residuals():
            weighted = v * residual**2
            counts = v > 0 if self.cube.has_uncertainties else v
            of_channels[0][:] += weighted.sum(axis=0)
            of_channels[1][:] += counts.sum(axis=0)
            parts.append((weighted.sum(axis=1), counts.sum(axis=1)))
        squares, counts = (np.concatenate(part) for part in zip(*parts, strict=True))
        return _Misfit(squares, counts, *of_channels)

    def _residuals(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Block by block: rows, their residuals and their inverse variance, (n, n_wave)."""
        cube = self.cube
        for rows in row_blocks(*cube.spectra.shape):
            residual = cube.spectra[rows] - self.weights[rows] @ self.components
            given = cube.inverse_variance
            v = np.ones_like(residual) if given is None else np.asarray(given[rows], float)
            yield rows, residual, v

    def residual(self) -> np.ndarray:
        """The cube minus its model.

        Returns
        -------
        ndarray of float32, shape (n_wave, y, x)
            In the unit of the cube; NaN where a value does not count.
        """
        n_wave = self.components.shape[1]
        y, x = self.cube.spaxels.shape
        images = np.full((y * x, n_wave), np.nan, np.float32)
        at = np.flatnonzero(self.cube.spaxels)
        for rows, residual, v in self._residuals():
            images[at[rows]] = np.where(v > 0, residual, np.nan)
        return images.reshape(y, x, n_wave).transpose(2, 0, 1)

    def write(self, path: str | Path, *, residual: bool = False) -> None:
        """Write the maps and the components to a FITS file, with their world coordinates.

        The extensions WEIGHTS (k, y, x) and CHI2 (y, x) have the coordinates of the sky, and
        COMPONENTS (k, n_wave) has those of rest wavelength. The table CHANNELS has the wavelengths
        as observed and at rest, and tells which channels count.

        Parameters
        ----------
        path : str or Path
            The file to write. A file of that name is replaced.
        residual : bool, default False
            Add the extension RESIDUAL (n_wave, y, x): the cube minus its model.
        """
        maps_file.write(path, self, residual=residual)
