"""The files of a cube in the workflow: its spectra, and an image of their places."""

import json

import numpy as np
from astropy.io import fits
from astropy.table import Table

from spectralunmix.cubes.cube import Cube
from spectralunmix.cubes.spectral_axis import read_wcs
from spectralunmix.files import (
    read_has_uncertainties,
    read_inverse_variance,
    read_medium,
    read_spectra,
    replacing,
    row_blocks,
    write_spectra,
)

SPAXELS = "SPAXELS"


def write_cube(spectra_path: str, spaxels_path: str, cube: Cube) -> None:
    """Write the spectra with `files.write_spectra`, and their places to a second file.

    The wavelengths are as observed. The second file has the image SPAXELS, which is 1 where there
    is a spectrum, with the coordinates of the sky. A card of its first header has the unit of the
    cube and the cards that results repeat.
    """
    arrays = cube.spectra, cube.inverse_variance
    unit = (cube.unit or "", "of the cube")
    write_spectra(spectra_path, cube.wavelength, *arrays, cube.medium, unit, cube.has_uncertainties)
    primary = fits.PrimaryHDU()
    about = {"unit": cube.unit, "cards": cube.about}
    primary.header["ABOUT"] = json.dumps(about, ensure_ascii=True)
    image = fits.ImageHDU(cube.spaxels.astype(np.uint8), cube.celestial, SPAXELS)
    channels = fits.ImageHDU(cube.channels.astype(np.uint8), name="CHANNELS")
    with replacing(spaxels_path) as part:
        fits.HDUList([primary, image, channels]).writeto(part, overwrite=True)


def read_cube_files(
    spectra_path: str, spaxels_path: str, name: str, redshift: float | None
) -> Cube:
    """Read a cube from its two files; its name and its redshift are those of the entry."""
    wavelength, spectra = read_spectra(spectra_path)
    with fits.open(spaxels_path, memmap=False) as hdus:
        about = json.loads(hdus[0].header["ABOUT"])
        image, channels = hdus[SPAXELS], hdus["CHANNELS"].data.astype(bool)
        spaxels, header = image.data.astype(bool), image.header
        celestial = _of_sky(header) if "CTYPE1" in header else None
    return Cube(
        spectra,
        read_inverse_variance(spectra_path),
        wavelength,
        spaxels,
        channels,
        read_has_uncertainties(spectra_path),
        read_medium(spectra_path),
        redshift,
        about["unit"],
        celestial,
        name,
        about["cards"],
    )


def _of_sky(header: fits.Header) -> fits.Header:
    return read_wcs(header).celestial.to_header()


def spaxel_table(cube: Cube) -> Table:
    """A row for each spectrum: its name in the workflow, its class, and its place in the cube."""
    y, x = np.nonzero(cube.spaxels)
    table = Table({"file": [f"y{i}_x{j}" for i, j in zip(y, x, strict=True)]})
    table["class"] = "spaxel"
    table["y"], table["x"] = y, x
    table["y"].description = table["x"].description = "pixel of the cube, from 0"
    return table


def what_is_read(cube: Cube) -> str:
    """Describe the cube in a line of the log."""
    (y, x), V = cube.spaxels.shape, cube.inverse_variance
    weights = "with uncertainties" if cube.has_uncertainties else "without uncertainties"
    blocks = () if V is None else row_blocks(*V.shape)
    without = 0 if V is None else sum(int((V[rows] == 0).sum()) for rows in blocks)
    return (
        f"{len(cube.spectra)} of {y} x {x} spaxels, {len(cube.wavelength)} channels from "
        f"{cube.wavelength[0]:.6g} to {cube.wavelength[-1]:.6g} Angstrom ({cube.medium}), "
        f"{weights}; {without} of {cube.spectra.size} values do not count"
    )
