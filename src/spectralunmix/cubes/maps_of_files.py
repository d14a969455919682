"""Reads the maps of a cube from the files that the steps of the workflow made."""

from typing import Any

from spectralunmix.cubes.cube_files import read_cube_files
from spectralunmix.cubes.maps import ComponentMaps
from spectralunmix.files import read_curves, read_json, read_weights


def read_maps(inputs: Any, name: str, redshift: float | None) -> ComponentMaps:
    """Read maps from the files of spectra, spaxels, components, weights and fit."""
    cube = read_cube_files(inputs.spectra, inputs.spaxels, name, redshift)
    _, names, components = read_curves(inputs.components)
    fit = read_json(inputs.fit)
    ended = fit["smoothness"], fit["optimality"], fit["converged"], fit["n_iter"]
    return ComponentMaps(cube, read_weights(inputs.weights, names), components, *ended)
