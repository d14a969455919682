"""The figure of a cube: component spectra with their maps, and the residuals."""

import warnings
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.units import Unit
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from spectralunmix.cubes.maps_file import Written
from spectralunmix.figures.style import COLOURS, heading, text_width

ROW = 1.5  # height of a component's row, in inches
SPECTRUM = 2.4  # width of a spectrum, relative to that of a map
MAPS = "viridis"  # perceived as even with any colour vision, and in grey
BRIGHT = 99.5  # percentile of a map that gets the brightest colour
LENGTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)  # of scale bars, in arcsec
MICRON = 20000  # Angstrom: from here on, axes are in micrometres
# With an outline, white words can be read on bright maps, too.
OUTLINED: list[Any] = [withStroke(linewidth=1.2, foreground="black")]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def draw(found: Written, said: dict[str, Any], lines: Table, width: float) -> Figure:
    """The figure of a cube.

    Parameters
    ----------
    found : Written
        Components and maps, as `maps_file.read` gives them; of abundances, where it has them.
    said : dict
        The summary of the cube.
    lines : Table
        Emission lines of the components.
    width : float
        Of the figure, in inches.

    Returns
    -------
    Figure
    """
    k = len(found.components)
    fig = Figure(figsize=(width, ROW * (k + 1) + 0.5), layout="constrained")
    fig.suptitle(said["cube"], fontsize=8)
    grid = fig.add_gridspec(k + 1, 2, width_ratios=[SPECTRUM, 1])
    maps, unit, brightest = found.maps, _for_people(said["unit"] or ""), None
    if found.abundances is not None:
        maps, unit, brightest = found.abundances, "share of the spaxel", 1.0
    for i in range(k):
        spectrum, image = (fig.add_subplot(grid[i, j]) for j in range(2))
        _spectrum(spectrum, found, said["components"][i], i)
        if len(lines):
            factor = _axis(found.rest_wavelength)[1]
            of_component = lines["component"] == said["components"][i]["component"]
            rows = lines[of_component & lines["significant"]]
            places = [(row["line"], row["rest_wavelength"] / factor) for row in rows]
            _name(spectrum, places, 72 * width * 0.8 * SPECTRUM / (SPECTRUM + 1))
        spectrum.tick_params(labelbottom=False)
        _map(image, maps[i], found.celestial, last=brightest)
        _colours(fig, image, unit)
    left, image = (fig.add_subplot(grid[k, j]) for j in range(2))
    _misfit(left, found, said, LETTERS[k % len(LETTERS)])
    _map(image, found.misfit, found.celestial, dark=np.nanpercentile(found.misfit, 100 - BRIGHT))
    _colours(fig, image, "χ² per voxel" if said["has_uncertainties"] else "mean square")
    return fig


def _spectrum(ax: Axes, found: Written, said: dict[str, Any], i: int) -> None:
    wavelength, _ = _axis(found.rest_wavelength)
    component, colour = found.components[i], COLOURS[i % len(COLOURS)]
    ax.plot(wavelength, component, color=colour, lw=0.6)
    if found.errors is not None:
        low, high = component - found.errors[i], component + found.errors[i]
        ax.fill_between(wavelength, low, high, color=colour, alpha=0.3, lw=0)
    moves = f", lines at {said['velocity']:+.0f} km/s" if "velocity" in said else ""
    title = f"component {i + 1}: {said['share']:.1%} of the flux{moves}".replace("-", "\u2212")
    heading(ax, LETTERS[i % len(LETTERS)], title)
    top = 1.7 if said["lines"] else 1.15  # the names of lines need room
    ax.set(xlim=(wavelength[0], wavelength[-1]), ylim=(-0.03, top), ylabel="flux / maximum")
    ax.set_yticks([0, 0.5, 1])


def _axis(wavelength: np.ndarray) -> tuple[np.ndarray, float]:
    """Wavelengths in the unit of the axis, and the number of Angstrom in this unit."""
    factor = 1e4 if wavelength[-1] > MICRON else 1.0
    return wavelength / factor, factor


def _name(ax: Axes, lines: list[tuple[str, float]], width: float) -> None:
    """Write the names of lines at the top, without overlap, with strokes to their places.

    width : approximate width of the axis, in points
    """
    first, last = ax.get_xlim()
    least = text_width("H", 4.5) * 1.6 * (last - first) / width
    at = [place for _, place in lines]
    for _ in range(50):  # push both of a pair apart by the same amount
        for i in range(len(at) - 1):
            if (short := least - (at[i + 1] - at[i])) > 0:
                at[i], at[i + 1] = at[i] - short / 2, at[i + 1] + short / 2
    for (name, place), x in zip(lines, at, strict=True):
        ax.plot([place, x], [1.03, 1.1], color="#808080", lw=0.3)
        ax.text(x, 1.12, name, fontsize=4.5, rotation=90, ha="center", va="bottom")


def _map(
    ax: Axes,
    image: np.ndarray,
    celestial: WCS | None,
    last: float | None = None,
    dark: float = 0.0,
) -> None:
    bright = np.nanpercentile(image, BRIGHT) if last is None else last
    ax.imshow(image, origin="lower", cmap=MAPS, vmin=dark, vmax=bright, interpolation="nearest")
    ax.set_facecolor("#d9d9d9")  # where there is no spectrum
    ax.set(xticks=[], yticks=[])
    if celestial is not None:
        _scale_bar(ax, image.shape, celestial)
        if celestial.wcs.lngtyp == "RA":
            _compass(ax, image.shape, celestial)


def _for_people(unit: str) -> str:
    """A unit as astropy writes it for people; as it stands, where astropy does not know it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of spellings that FITS discourages
        try:
            return Unit(unit).to_string("unicode", fraction=False).removeprefix("1×")
        except ValueError:
            return unit


def _colours(fig: Figure, ax: Axes, label: str) -> None:
    bar = fig.colorbar(ax.images[0], ax=ax, fraction=0.06, pad=0.03)
    bar.ax.tick_params(labelsize=5)
    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    bar.set_label(label if len(label) < 34 else f"{label[:32]}…", fontsize=5)


def _scale_bar(ax: Axes, shape: tuple[int, ...], celestial: WCS) -> None:
    arcsec = proj_plane_pixel_scales(celestial)[0] * 3600
    fitting = [length for length in LENGTHS if length / arcsec < 0.35 * shape[1]]
    length = fitting[-1] if fitting else LENGTHS[0]
    x, y = 0.06 * shape[1] - 0.5, 0.07 * shape[0] - 0.5
    ax.plot([x, x + length / arcsec], [y, y], color="white", lw=1.5, solid_capstyle="butt")
    label = f"{length:g}″" if length < 60 else f"{length / 60:g}′"
    words = ax.text(x, y + 0.02 * shape[0], label, color="white", fontsize=5, va="bottom")
    words.set_path_effects(OUTLINED)


def _compass(ax: Axes, shape: tuple[int, ...], celestial: WCS) -> None:
    """Draw arrows of equal length to the north and the east of the image."""
    centre = np.array([shape[1], shape[0]]) / 2
    (longitude, latitude) = celestial.all_pix2world([centre], 0)[0]
    step = proj_plane_pixel_scales(celestial)[1] * 2
    east = step / max(np.cos(np.radians(latitude)), 1e-3)
    corner = np.array([shape[1], shape[0]]) - 0.5 - 0.25 * min(shape)
    for name, place in (("N", (longitude, latitude + step)), ("E", (longitude + east, latitude))):
        towards = celestial.all_world2pix([place], 0)[0] - centre
        towards *= 0.13 * min(shape) / np.hypot(*towards)
        end = corner + towards
        ax.annotate(
            "",
            tuple(end),
            tuple(corner),
            arrowprops={"arrowstyle": "->", "color": "white", "lw": 0.7},
        )
        x, y = corner + 1.4 * towards
        words = ax.text(x, y, name, color="white", fontsize=5, ha="center", va="center")
        words.set_path_effects(OUTLINED)


def _misfit(ax: Axes, found: Written, said: dict[str, Any], letter: str) -> None:
    wavelength, factor = _axis(found.rest_wavelength)
    ax.plot(wavelength, found.misfit_of_channels, color="black", lw=0.5)
    if said["has_uncertainties"]:
        ax.axhline(1, color="#808080", lw=0.5, ls=":")
        heading(ax, letter, f"what is left: χ² per voxel, {said['chi2_per_voxel']:.3f} on average")
        ax.set_ylabel("χ² per voxel")
    else:
        heading(ax, letter, "what is left: mean square of the residual")
        ax.set_ylabel("mean square")
    top = np.nanpercentile(found.misfit_of_channels, BRIGHT)
    ax.set(xlim=(wavelength[0], wavelength[-1]), ylim=(0, 1.2 * max(top, 1e-300)))
    frame = "Rest wavelength" if said["redshift"] is not None else "Wavelength"
    redshift = f", z = {said['redshift']:g}" if said["redshift"] else ""
    medium = "" if said["medium"] == "unknown" else f" in {said['medium']}"
    ax.set_xlabel(f"{frame}{medium} ({'µm' if factor > 1 else 'Å'}{redshift})")
