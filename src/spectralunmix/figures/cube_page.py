"""A page of a cube, on which a click on the map shows the spectrum of the spaxel."""

import json
from typing import Any

import numpy as np
from astropy.table import Table

from spectralunmix.cubes.cube import Cube
from spectralunmix.cubes.maps import ComponentMaps
from spectralunmix.figures.interactive import encoded, rounded
from spectralunmix.figures.style import COLOURS
from spectralunmix.files import row_blocks

MOST_SPAXELS = 2500  # on a page, so that the browser stays quick
MOST_VALUES = 3_000_000  # in all spectra of a page, 12 MB


def bins_of(cube: Cube) -> tuple[int, int]:
    """The numbers of spaxels, along both axes, and of channels that a page averages."""
    y, x = cube.spaxels.shape
    spaxels = int(np.ceil(np.sqrt(y * x / MOST_SPAXELS)))
    shown = int(np.ceil(y / spaxels) * np.ceil(x / spaxels))
    return spaxels, int(np.ceil(shown * len(cube.wavelength) / MOST_VALUES))


def page_data(maps: ComponentMaps, said: dict[str, Any], lines: Table, shown: str) -> str:
    """The page's data as JSON that can stand in a page.

    Parameters
    ----------
    maps : ComponentMaps
        The unmixed cube.
    said : dict
        Its summary.
    lines : Table
        Emission lines of its components.
    shown : {"flux", "abundance"}
        The quantity that the maps show.

    Returns
    -------
    str
    """
    cube, (b, c) = maps.cube, bins_of(maps.cube)
    n_wave = len(cube.wavelength) // c
    at, of_bin = _places(cube, b)
    sums, counts = _binned(cube, at, len(of_bin), c, n_wave)
    weights = np.zeros((len(of_bin), len(maps.components)))
    np.add.at(weights, at, maps.weights)
    weights /= np.bincount(at, minlength=len(of_bin))[:, None]
    components = maps.components[:, : n_wave * c].reshape(-1, n_wave, c).mean(axis=2)
    wavelength = cube.rest_wavelength[: n_wave * c].reshape(n_wave, c).mean(axis=1)
    per_map = maps.abundances if shown == "abundance" else maps.maps
    images = [_image(image, b) for image in (*per_map, maps.chi2)]
    significant = lines[lines["significant"]] if len(lines) else lines
    named = {row["line"]: float(row["rest_wavelength"]) for row in significant}
    data = {
        "wavelength": rounded(wavelength, 8),
        "components": encoded(components),
        "colours": [COLOURS[i % len(COLOURS)] for i in range(len(components))],
        "captions": [
            f"component {i}: {one['share']:.1%}" for i, one in enumerate(said["components"], 1)
        ],
        "spectra": encoded(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)),
        "places": of_bin.tolist(),
        "weights": [rounded(row) for row in weights],
        "images": images,
        "misfit": "χ² per voxel" if said["has_uncertainties"] else "mean square",
        "unit": said["unit"] or "flux",
        "rest": said["redshift"] is not None,
        "lines": named,
    }
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")


def _places(cube: Cube, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each spectrum, and the places of bins in the page's image, (n_bins, 2)."""
    y, x = np.nonzero(cube.spaxels)
    pairs = np.stack([y // width, x // width], axis=1)
    of_bin, at = np.unique(pairs, axis=0, return_inverse=True)
    return at.ravel(), of_bin


def _binned(
    cube: Cube, at: np.ndarray, n_bins: int, width: int, n_wave: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums and numbers of the values that count in each bin, (n_bins, n_wave)."""
    sums, counts = np.zeros((n_bins, n_wave)), np.zeros((n_bins, n_wave))
    for rows in row_blocks(*cube.spectra.shape):
        flux = np.asarray(cube.spectra[rows, : n_wave * width], float)
        V = cube.inverse_variance
        good = np.ones(flux.shape, bool) if V is None else V[rows, : n_wave * width] > 0
        shape = len(flux), n_wave, width
        np.add.at(sums, at[rows], np.where(good, flux, 0).reshape(shape).sum(axis=2))
        np.add.at(counts, at[rows], good.reshape(shape).sum(axis=2))
    return sums, counts


def _image(image: np.ndarray, width: int) -> list[list[float | None]]:
    """Means over bins, rows from the bottom; None where there is no spectrum."""
    y, x = (-(-side // width) for side in image.shape)
    padded = np.full((y * width, x * width), np.nan)
    padded[: image.shape[0], : image.shape[1]] = image
    parts = padded.reshape(y, width, x, width)
    good = np.isfinite(parts)
    n_good = good.sum(axis=(1, 3))
    mean = np.where(good, parts, 0).sum(axis=(1, 3)) / np.maximum(n_good, 1)
    return [
        [float(f"{value:.4g}") if n else None for value, n in zip(*row, strict=True)]
        for row in zip(mean, n_good, strict=True)
    ]


def what_is_shown(cube: Cube) -> str:
    """A description of the spaxels and channels of the page."""
    spaxels, channels = bins_of(cube)
    if spaxels > 1:
        return f"Means over {spaxels} x {spaxels} spaxels and {channels} channels."
    if channels > 1:
        return f"Every spaxel; means over {channels} channels."
    return "Every spaxel and channel."
