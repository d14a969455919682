"""Unmix spectra into a few smooth, non-negative components."""

from importlib import import_module
from typing import TYPE_CHECKING

from spectralunmix.version import __version__

if TYPE_CHECKING:
    from spectralunmix.cluster.checkpoint import ClusterLostError, checkpoint
    from spectralunmix.cluster.fits_arrays import dask_from_fits
    from spectralunmix.cubes.cube import Cube
    from spectralunmix.cubes.layouts import Layout
    from spectralunmix.cubes.maps import ComponentMaps
    from spectralunmix.cubes.reader import read_cube
    from spectralunmix.cubes.unmixing import unmix_cube
    from spectralunmix.estimator import NotConvergedError, SmoothNMF, scan_smoothness
    from spectralunmix.factorisation import Result, smooth_nmf, unmix
    from spectralunmix.model_selection import CrossValidation, cross_validate
    from spectralunmix.uncertainty import Bootstrap, bootstrap, jackknife
else:  # hidden from type checkers: with a __getattr__ they would accept any name
    MODULE_OF = {
        "NotConvergedError": "estimator",
        "SmoothNMF": "estimator",
        "scan_smoothness": "estimator",
        "Result": "factorisation",
        "smooth_nmf": "factorisation",
        "unmix": "factorisation",
        "CrossValidation": "model_selection",
        "cross_validate": "model_selection",
        "Bootstrap": "uncertainty",
        "ClusterLostError": "cluster.checkpoint",
        "checkpoint": "cluster.checkpoint",
        "dask_from_fits": "cluster.fits_arrays",
        "ComponentMaps": "cubes.maps",
        "Cube": "cubes.cube",
        "Layout": "cubes.layouts",
        "read_cube": "cubes.reader",
        "unmix_cube": "cubes.unmixing",
        "bootstrap": "uncertainty",
        "jackknife": "uncertainty",
    }

    def __getattr__(name: str) -> object:
        """Import a public name at its first use, because importing torch takes a second."""
        if name in MODULE_OF:
            return getattr(import_module(f"spectralunmix.{MODULE_OF[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Bootstrap",
    "ClusterLostError",
    "ComponentMaps",
    "CrossValidation",
    "Cube",
    "Layout",
    "NotConvergedError",
    "Result",
    "SmoothNMF",
    "__version__",
    "bootstrap",
    "checkpoint",
    "cross_validate",
    "dask_from_fits",
    "jackknife",
    "read_cube",
    "scan_smoothness",
    "smooth_nmf",
    "unmix",
    "unmix_cube",
]


def __dir__() -> list[str]:
    return __all__
