"""The results of an unmixed cube for readers, in numbers and in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from spectralunmix.cubes.lines import DOUBLETS, EmissionLines, emission_lines
from spectralunmix.cubes.maps import ComponentMaps
from spectralunmix.errors import LibraryError
from spectralunmix.files import component_names

COLUMNS = {
    "rest_wavelength": ("Angstrom", "in the medium of the cube"),
    "flux": ("Angstrom", "area of the line in the component, whose maximum is 1, at rest"),
    "error": ("Angstrom", "of the flux, from the scatter that the fit leaves"),
    "velocity": ("km/s", "of all lines of the component, against the redshift"),
    "width": ("km/s", "sigma of all lines of the component, with the instrument's"),
}
OFF = 0.1  # relative deviation of a doublet's ratio from atomic physics that is remarked on


def lines_of(maps: ComponentMaps) -> list[EmissionLines]:
    """The emission lines of each component; none where the redshift is not known."""
    cube = maps.cube
    if cube.redshift is None:
        return []
    return [
        emission_lines(cube.rest_wavelength, component, cube.channels, cube.medium)
        for component in maps.components
    ]


def table_of_lines(found: Sequence[EmissionLines]) -> Table:
    """A row for each line of each component."""
    columns: dict[str, list] = {
        name: []
        for name in (
            *("component", "line", "rest_wavelength", "flux", "error", "significant"),
            *("velocity", "width"),
        )
    }
    for name, of_component in zip(component_names(len(found)), found, strict=True):
        for i, line in enumerate(of_component.names):
            values = (
                *(name, line, float(of_component.wavelengths[i])),
                *(float(of_component.fluxes[i]), float(of_component.errors[i])),
                bool(of_component.significant[i]),
                *(of_component.velocity, of_component.width),
            )
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    table = Table(columns)
    if len(table):
        for name, (unit, meaning) in COLUMNS.items():
            table[name].unit, table[name].description = unit, meaning
    return table


def summary(
    maps: ComponentMaps, lines: Sequence[EmissionLines], n_resamples: int
) -> dict[str, Any]:
    """The numbers, in types of JSON, and the sentences for the terminal and the page."""
    cube = maps.cube
    y, x = cube.spaxels.shape
    numbers: dict[str, Any] = {
        "cube": cube.name,
        "spaxels": [y, x],
        "n_spectra": len(cube.spectra),
        "n_channels": len(cube.wavelength),
        "n_channels_counted": int(cube.channels.sum()),
        "wavelength": [float(cube.wavelength[0]), float(cube.wavelength[-1])],
        "medium": cube.medium,
        "redshift": cube.redshift,
        "unit": cube.unit,
        "n_components": len(maps.components),
        "smoothness": maps.smoothness,
        "converged": bool(maps.converged),
        "optimality": maps.optimality,
        "n_iter": maps.n_iter,
        "n_resamples": n_resamples,
        "has_uncertainties": cube.has_uncertainties,
        "chi2_per_voxel" if cube.has_uncertainties else "mean_square": maps.chi2_per_voxel,
        "components": [
            _of_component(name, float(share), found)
            for name, share, found in zip(
                component_names(len(maps.components)),
                maps.shares,
                [*lines, *[None] * (len(maps.components) - len(lines))],
                strict=True,
            )
        ],
    }
    return numbers | {"in_words": _in_words(numbers)}


def _of_component(name: str, share: float, lines: EmissionLines | None) -> dict[str, Any]:
    found: dict[str, Any] = {"component": name, "share": share}
    if lines is None or not np.isfinite(lines.velocity):
        return found | {"lines": [], "doublets": {}}
    ratios = {doublet: lines.ratio(doublet) for doublet in DOUBLETS}
    return found | {
        "velocity": lines.velocity,
        "width": lines.width,
        "lines": [n for n, is_one in zip(lines.names, lines.significant, strict=True) if is_one],
        "doublets": {
            doublet: {"ratio": float(ratio), "expected": DOUBLETS[doublet][2]}
            for doublet, ratio in ratios.items()
            if ratio is not None
        },
    }


def _in_words(numbers: dict[str, Any]) -> list[str]:
    (y, x), n = numbers["spaxels"], numbers["n_spectra"]
    said = [
        f"{n} of {y} x {x} spaxels have a spectrum, of {numbers['n_channels']} channels, "
        f"{numbers['n_channels_counted']} of which count"
    ]
    if numbers["has_uncertainties"]:
        said.append(f"chi^2 per voxel is {numbers['chi2_per_voxel']:.3f}")
    any_off = False
    for i, component in enumerate(numbers["components"], 1):
        words = f"component {i} has {component['share']:.1%} of the flux"
        if component["lines"]:
            words += (
                f", and emission lines at {component['velocity']:+.0f} km/s, "
                f"sigma {component['width']:.0f} km/s: {', '.join(component['lines'])}"
            )
        said.append(words)
        for doublet, ratio in component["doublets"].items():
            off = abs(ratio["ratio"] / ratio["expected"] - 1) > OFF
            any_off |= off
            said.append(
                f"component {i}: {doublet} is {ratio['ratio']:.2f}, "
                f"{'NOT ' if off else ''}within 10 % of the {ratio['expected']:g} of atomic physics"
            )
    if any_off and numbers["smoothness"] > 0:
        said.append("smoothing broadens lines: a smaller smoothness may give better ratios")
    if numbers["redshift"] is None:
        said.append("no line is named: the entry gives no redshift")
    elif numbers["medium"] == "unknown":
        said.append("lines are looked for at wavelengths in air: the cube does not say the medium")
    if not numbers["n_resamples"]:
        said.append("no standard errors: there are no resamples")
    if not numbers["converged"]:
        said.append(f"the fit did NOT converge: optimality {numbers['optimality']:.1e}")
    return said


def check_converged(maps: ComponentMaps, strict: bool) -> None:
    """Raise a LibraryError where the fit did not converge, and `strict` is true."""
    if strict and not maps.converged:
        raise LibraryError(
            f"the fit stopped after {maps.n_iter} iterations at optimality {maps.optimality:.1e}: "
            "raise cubes.smooth_nmf.max_iter or tol, or set strict: false to go on with it"
        )
