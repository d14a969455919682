"""Reads cubes in FITS files: extensions by layout, wavelengths and coordinates by header."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from spectralunmix.cubes.contents import Contents, Said
from spectralunmix.cubes.layouts import KINDS, LAYOUTS, Key, Layout, recognised
from spectralunmix.cubes.spectral_axis import (
    Axes,
    axes_of,
    check_wavelength,
    in_angstrom,
    read_wcs,
)
from spectralunmix.cubes.values import Arrays
from spectralunmix.errors import LibraryError
from spectralunmix.libraries.archives import CHUNK, too_large, uncompressed
from spectralunmix.libraries.readers.files import taken_for
from spectralunmix.libraries.readers.spectrum import unit

LARGEST = 2**40  # bytes of an unpacked file: a user's own file is trusted
NEARLY = 1.001  # factor within which units count as equal
ABOUT = ("OBJECT", "TELESCOP", "INSTRUME", "DATE-OBS", "EXPTIME", "PROGRAM")


@contextlib.contextmanager
def opened(
    path: Path,
    layout: str | Layout | None,
    said: Said,
    scratch: str | None,
    largest: int = LARGEST,
) -> Iterator[Contents]:
    """The content of a file; its arrays are read only when they are needed.

    largest : largest size of an unpacked file, in bytes

    Raises
    ------
    LibraryError
        The file is not a cube that can be read; the message names it and the way out.
    ValueError
        There is no such layout.
    """
    name = said.file or str(path)
    if not path.is_file():
        what = "is not a file" if path.exists() else "there is no such file"
        raise LibraryError(f"{name}: {what}")
    with contextlib.ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)  # of cards that nobody asks for
        with taken_for(name, "a whole FITS file"):
            plain = stack.enter_context(_unpacked(path, name, scratch, largest))
            file = stack.enter_context(open(plain, "rb"))
            if file.read(6) != b"SIMPLE":
                raise LibraryError(f"{name}: not a FITS file: it does not begin as one does")
            file.seek(0)
            hdus = stack.enter_context(fits.open(file, memmap=False, lazy_load_hdus=False))
        _check_sizes(name, hdus, os.fstat(file.fileno()).st_size)
        found = _layout(name, hdus, layout)
        with taken_for(name, "a cube that can be read"):
            yield _contents(name, hdus, found, said)


def _check_sizes(name: str, hdus: fits.HDUList, size: int) -> None:
    """Raise a LibraryError for an image that is compressed, or longer than the file."""
    for hdu in hdus:
        if isinstance(hdu, fits.CompImageHDU):
            raise LibraryError(
                f"{name}: extension {hdu.name} is compressed in tiles, which is not read: "
                "unpack it with funpack"
            )
        if hdu.size > size:
            raise LibraryError(
                f"{name}: not a whole FITS file (extension {hdu.name} says that it has "
                f"{hdu.size} B)"
            )


@contextlib.contextmanager
def _unpacked(path: Path, name: str, scratch: str | None, largest: int) -> Iterator[Any]:
    """The file itself, or a temporary file with the unpacked content of a compressed file."""
    with open(path, "rb") as file:
        packed: Any = uncompressed(file)
        if packed is file:
            yield path
            return
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=".fits") as plain:
            left = largest
            while part := packed.read(CHUNK):
                left -= len(part)
                if left < 0:
                    raise too_large(name)
                plain.write(part)
            plain.flush()
            yield plain.name


def _layout(name: str, hdus: fits.HDUList, layout: str | Layout | None) -> Layout:
    if isinstance(layout, Layout):
        if layout.uncertainty_kind not in KINDS:
            raise ValueError(f"uncertainty_kind={layout.uncertainty_kind!r} is none of {KINDS}")
        return layout
    if layout is not None:
        if layout not in LAYOUTS:
            raise ValueError(f"layout={layout!r} is none of {', '.join(LAYOUTS)}")
        return LAYOUTS[layout]
    names = [hdu.name or str(i) for i, hdu in enumerate(hdus)]
    cubes = [n for n, hdu in zip(names, hdus, strict=True) if _is_cube(hdu)]
    return recognised(name, names, cubes)


def _is_cube(hdu: Any) -> bool:
    return bool(hdu.is_image) and len(hdu.shape) == 3


def _contents(name: str, hdus: fits.HDUList, layout: Layout, said: Said) -> Contents:
    hdu = _image(name, hdus, layout.flux, "flux")
    elsewhere = layout.wavelength is not None  # then the header's unit is not needed
    wcs = read_wcs(hdu.header, hdus, name, "Angstrom" if elsewhere else said.wavelength_unit)
    axes = axes_of(name, wcs, hdu.shape, said.wavelength_unit, not elsewhere)
    wavelength = _wavelength(name, hdus, layout, axes, said)
    unknown = axes.medium is None and axes.celestial is None  # the header says no axis
    if unknown and hdu.shape.count(len(wavelength)) == 1:
        axes = axes._replace(place=hdu.shape.index(len(wavelength)))
    check_wavelength(name, wavelength, hdu.shape[axes.place])
    uncertainty = _beside(name, hdus, layout.uncertainty, hdu, "uncertainty")
    of_instrument = layout in LAYOUTS.values()
    if of_instrument and uncertainty is not None:
        _check_unit(name, hdu, uncertainty, layout)
    # the pipelines of these instruments sometimes leave the mask out
    absent = of_instrument and layout.mask not in hdus
    mask = None if absent else _beside(name, hdus, layout.mask, hdu, "mask")
    arrays = Arrays(
        hdu.section,
        None if uncertainty is None else uncertainty.section,
        None if mask is None else mask.section,
        layout.uncertainty_kind,
        layout.mask_bits,
        axes.place,
        falling=bool(wavelength[0] > wavelength[-1]),
    )
    about = {k: h[k] for h in (hdus[0].header, hdu.header) for k in ABOUT if h.get(k) is not None}
    return Contents(
        name,
        arrays,
        wavelength,
        said.medium or axes.medium or layout.medium,
        axes.celestial,
        hdu.header.get("BUNIT"),
        about,
        str(about.get("OBJECT") or Path(name).name.split(".")[0]),
    )


def _wavelength(
    name: str, hdus: fits.HDUList, layout: Layout, axes: Axes, said: Said
) -> np.ndarray:
    """(n_wave,), in Angstrom: of the header, or of an image or the first column of a table."""
    if layout.wavelength is not None:
        hdu = _extension(name, hdus, layout.wavelength, "wavelength")
        if hdu.is_image:
            values, stated = hdu.data, hdu.header.get("BUNIT")
        else:
            values, stated = hdu.data[hdu.columns[0].name], hdu.columns[0].unit
        return in_angstrom(name, values, said.wavelength_unit or stated or "Angstrom")
    if axes.wavelength is None:
        raise LibraryError(
            f"{name}: its header has no wavelengths (CTYPE3, CRVAL3, CDELT3, CUNIT3): state "
            "wavelength_unit where the unit alone is missing, or name the extension that has them "
            "as `wavelength`"
        )
    return axes.wavelength


def _extension(name: str, hdus: fits.HDUList, key: Key, what: str) -> Any:
    if key < len(hdus) if isinstance(key, int) else key in hdus:
        return hdus[key]
    there = ", ".join(f"{i} {hdu.name}".rstrip() for i, hdu in enumerate(hdus))
    way_out = f"name another as `{what}`"
    if what == "uncertainty":
        way_out += (
            ", or name the flux alone, as in options: {flux: DATA}, or Layout('DATA') in Python, "
            "to read the cube without uncertainties"
        )
    raise LibraryError(f"{name}: no extension {key} with its {what}: {way_out}; there are {there}")


def _image(name: str, hdus: fits.HDUList, key: Key, what: str) -> Any:
    hdu = _extension(name, hdus, key, what)
    if not _is_cube(hdu):
        raise LibraryError(
            f"{name}: extension {key} is not a cube of three dimensions, but of shape "
            f"{getattr(hdu, 'shape', ())}: name another as `{what}`"
        )
    return hdu


def _beside(name: str, hdus: fits.HDUList, key: Key | None, flux: Any, what: str) -> Any:
    """The extension of that name, of the shape of the flux."""
    if key is None:
        return None
    hdu = _image(name, hdus, key, what)
    if hdu.shape != flux.shape:
        raise LibraryError(
            f"{name}: its {what} is of shape {hdu.shape}, its flux of {flux.shape}: the same shape "
            "is needed"
        )
    return hdu


def _check_unit(name: str, flux: Any, uncertainty: Any, layout: Layout) -> None:
    """Check that the unit of the uncertainty goes with its kind, where units are known."""
    try:
        of_flux, stated = unit(flux.header["BUNIT"]), unit(uncertainty.header["BUNIT"])
    except (KeyError, ValueError, TypeError):
        return
    powers = {"sigma": of_flux, "variance": of_flux**2, "inverse_variance": of_flux**-2}
    expected = powers[layout.uncertainty_kind]
    if stated.is_equivalent(expected):
        factor = stated.to(expected)
        if not 1 / NEARLY < factor < NEARLY:
            raise LibraryError(
                f"{name}: the unit of extension {layout.uncertainty}, "
                f"{uncertainty.header['BUNIT']}, is {factor:.3g} times that of the flux: bring "
                "them to the same unit, or name the extensions if the unit is wrong"
            )
        return
    for kind, expected in powers.items():
        if stated.is_equivalent(expected):
            raise LibraryError(
                f"{name}: extension {layout.uncertainty} should hold the {layout.uncertainty_kind}"
                f", but its unit, {uncertainty.header['BUNIT']}, is that of the {kind}: say which "
                "it is, by naming the extensions with uncertainty_kind"
            )
