"""A cube as a few component spectra, and a map of each."""

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
    """Sums of weighted squared residuals, and how many values count: by spaxel and by channel."""

    squares: np.ndarray
    counts: np.ndarray
    squares_of_channels: np.ndarray
    counts_of_channels: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ComponentMaps:
    """A cube as maps of a few component spectra.

    Attributes
    ----------
    cube : Cube
        What was unmixed.
    weights : ndarray of shape (n_spaxels, k)
        Of the spaxels that have a spectrum, in the unit of the cube.
    components : ndarray of shape (k, n_wave)
        Each with maximum 1, by falling share of the flux. In a channel in which no value counts
        they run across and are no measurement: `cube.channels` tells.
    smoothness : float
        lambda of the fit.
    optimality : float
        The relative size of the gradient that is left, as `smooth_nmf` has it.
    converged : bool
        Whether that is at most the fit's tolerance.
    n_iter : int
        Iterations made.
    """

    cube: Cube
    weights: np.ndarray
    components: np.ndarray
    smoothness: float
    optimality: float
    converged: bool
    n_iter: int

    def __repr__(self) -> str:
        said = f", chi^2 a voxel {self.chi2_per_voxel:.3f}" if self.cube.has_uncertainties else ""
        return f"ComponentMaps({len(self.components)} components of {self.cube!r}{said})"

    @property
    def maps(self) -> np.ndarray:
        """The weights as images, (k, y, x): flux at the component's maximum; NaN without one."""
        return self.cube.image(self.weights)

    @property
    def shares(self) -> np.ndarray:
        """(k,), the share of each component in the flux of the model, over all channels."""
        total = self.weights.sum(axis=0) * self.components[:, self.cube.channels].sum(axis=1)
        return total / total.sum()

    @property
    def abundances(self) -> np.ndarray:
        """(k, y, x): weights over their sum in each spaxel, as for images in reflectance."""
        total = self.weights.sum(axis=1, keepdims=True)
        return self.cube.image(self.weights / np.where(total > 0, total, np.nan))

    @property
    def chi2(self) -> np.ndarray:
        """(y, x), chi^2 over the number of channels that count; without uncertainties squares."""
        return self.cube.image(self._misfit.squares / self._misfit.counts)

    @property
    def chi2_of_channels(self) -> np.ndarray:
        """(n_wave,), the same over the spaxels; NaN where no value counts."""
        counts = self._misfit.counts_of_channels
        return self._misfit.squares_of_channels / np.where(counts > 0, counts, np.nan)

    @property
    def chi2_per_voxel(self) -> float:
        """chi^2 of the whole cube over the number of its voxels that count."""
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
        """Rows of some spaxels, their residual, and their weights, (n, n_wave)."""
        cube = self.cube
        for rows in row_blocks(*cube.spectra.shape):
            residual = cube.spectra[rows] - self.weights[rows] @ self.components
            given = cube.inverse_variance
            v = np.ones_like(residual) if given is None else np.asarray(given[rows], float)
            yield rows, residual, v

    def residual(self) -> np.ndarray:
        """The cube less its model, (n_wave, y, x) in float32; NaN where no value counts."""
        n_wave = self.components.shape[1]
        y, x = self.cube.spaxels.shape
        images = np.full((y * x, n_wave), np.nan, np.float32)
        at = np.flatnonzero(self.cube.spaxels)
        for rows, residual, v in self._residuals():
            images[at[rows]] = np.where(v > 0, residual, np.nan)
        return images.reshape(y, x, n_wave).transpose(2, 0, 1)

    def write(self, path: str | Path, *, residual: bool = False) -> None:
        """Write maps and components to a FITS file, with their world coordinates.

        WEIGHTS (k, y, x) and CHI2 (y, x) have the coordinates of the sky, COMPONENTS (k, n_wave)
        those of rest wavelength; the table CHANNELS has the wavelengths as observed and at rest,
        and which channels count.

        Parameters
        ----------
        path : str or Path
            A file of that name is replaced.
        residual : bool, default False
            Add RESIDUAL, (n_wave, y, x): the cube less its model.
        """
        maps_file.write(path, self, residual=residual)
