"""The FITS file with the maps and components of a cube, and their world coordinates."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from spectralunmix.cubes.cube import Cube
from spectralunmix.cubes.spectral_axis import read_wcs, spectral_header
from spectralunmix.files import replacing
from spectralunmix.version import __version__

if TYPE_CHECKING:
    from spectralunmix.cubes.maps import ComponentMaps


def write(
    path: str | Path,
    maps: "ComponentMaps",
    *,
    residual: bool = False,
    abundances: bool = False,
    standard_errors: np.ndarray | None = None,
) -> None:
    """Write maps and components, as `ComponentMaps.write` describes.

    abundances : add ABUNDANCES (k, y, x), weights over their sum
    standard_errors : of the components, (k, n_wave), an extension COMPONENT_ERRORS; None for none
    """
    cube = maps.cube
    sky, unit = _of_sky(cube), cube.unit or ""
    spectral = spectral_header(cube.rest_wavelength, cube.medium, 1)
    of_components = _counting_components(spectral.copy(), 2)
    shown = np.where(cube.channels, maps.components, np.nan)
    hdus = [
        fits.PrimaryHDU(header=_about(maps)),
        fits.ImageHDU(maps.maps, _counting_components(sky.copy(), 3), "WEIGHTS"),
        fits.ImageHDU(shown, of_components, "COMPONENTS"),
        fits.ImageHDU(maps.chi2, sky, _misfit_name(cube)),
        _channels(maps),
    ]
    hdus[1].header["BUNIT"] = (unit, "at the maximum of the component")
    hdus[2].header["BUNIT"] = ("", "maximum 1")
    if not cube.has_uncertainties and unit:
        hdus[3].header["BUNIT"] = f"({unit})**2"
    if standard_errors is not None:
        errors = np.where(cube.channels, standard_errors, np.nan)
        hdus.append(fits.ImageHDU(errors, of_components, "COMPONENT_ERRORS"))
    if abundances:
        header = _counting_components(sky.copy(), 3)
        hdus.append(fits.ImageHDU(maps.abundances, header, "ABUNDANCES"))
    if residual:
        header = sky.copy()
        header.update(spectral_header(cube.wavelength, cube.medium, 3))
        if "WCSAXES" in header:
            header["WCSAXES"] = 3
        header["BUNIT"] = unit
        hdus.append(fits.ImageHDU(maps.residual(), header, "RESIDUAL"))
    with replacing(path) as part:
        fits.HDUList(hdus).writeto(part, overwrite=True, output_verify="silentfix")


def _about(maps: "ComponentMaps") -> fits.Header:
    cube, header = maps.cube, fits.Header()
    for key, value in cube.about.items():
        header[key] = value
    header["CREATOR"] = f"spectralunmix {__version__}"
    name = cube.name.encode("ascii", "replace").decode()  # FITS allows ASCII alone
    header["CUBE"] = (name[:60], "what was unmixed")
    header["NCOMP"] = (len(maps.components), "number of components")
    header["LAMBDA"] = (maps.smoothness, "smoothness of the fit")
    header["CONVERGD"] = (maps.converged, "whether the fit reached its tolerance")
    header["OPTIMAL"] = (maps.optimality, "relative gradient left")
    if cube.redshift is not None:
        header["REDSHIFT"] = (cube.redshift, "wavelength of COMPONENTS is observed / (1+z)")
    header["MEDIUM"] = (cube.medium, "of the wavelengths")
    if cube.has_uncertainties:
        header["CHI2VOX"] = (maps.chi2_per_voxel, "chi^2 per voxel")
    return header


def _misfit_name(cube: Cube) -> str:
    return "CHI2" if cube.has_uncertainties else "MEAN_SQUARE"


def _of_sky(cube: Cube) -> fits.Header:
    return fits.Header() if cube.celestial is None else cube.celestial.copy()


def _counting_components(header: fits.Header, axis: int) -> fits.Header:
    """Add an axis that counts components from 1, where there are world coordinates."""
    if header:
        header.set("WCSAXES", axis, "number of coordinate axes", before=0)
        header[f"CTYPE{axis}"] = ("COMPONENT", "number of the component")
        for key, value in ("CRPIX", 1.0), ("CRVAL", 1.0), ("CDELT", 1.0):
            header[f"{key}{axis}"] = value
    return header


def _channels(maps: "ComponentMaps") -> fits.BinTableHDU:
    cube = maps.cube
    columns = [
        fits.Column("WAVELENGTH", "D", unit="Angstrom", array=cube.wavelength),
        fits.Column("REST_WAVELENGTH", "D", unit="Angstrom", array=cube.rest_wavelength),
        fits.Column("COUNTED", "L", array=cube.channels),
        fits.Column(_misfit_name(cube), "D", array=maps.chi2_of_channels),
    ]
    return fits.BinTableHDU.from_columns(columns, name="CHANNELS")


class Written(NamedTuple):
    """The content of such a file.

    maps : (k, y, x), abundances (k, y, x) or None
    components : (k, n_wave), errors (k, n_wave) or None
    misfit : (y, x), chi^2 per voxel, or the mean square without uncertainties
    wavelength, rest_wavelength : (n_wave,), in Angstrom
    misfit_of_channels : (n_wave,)
    celestial : the coordinates of the sky, or None
    """

    maps: np.ndarray
    abundances: np.ndarray | None
    components: np.ndarray
    errors: np.ndarray | None
    misfit: np.ndarray
    wavelength: np.ndarray
    rest_wavelength: np.ndarray
    misfit_of_channels: np.ndarray
    celestial: WCS | None


def read(path: str | Path) -> Written:
    """Read a file that `write` has written."""
    with fits.open(path, memmap=False) as hdus:
        misfit = "CHI2" if "CHI2" in hdus else "MEAN_SQUARE"
        abundances, errors = (
            hdus[name].data if name in hdus else None for name in ("ABUNDANCES", "COMPONENT_ERRORS")
        )
        channels = hdus["CHANNELS"].data
        sky = read_wcs(hdus[misfit].header) if "CTYPE1" in hdus[misfit].header else None
        return Written(
            hdus["WEIGHTS"].data,
            abundances,
            hdus["COMPONENTS"].data,
            errors,
            hdus[misfit].data,
            channels["WAVELENGTH"],
            channels["REST_WAVELENGTH"],
            channels[misfit],
            sky,
        )
