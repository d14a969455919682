"""unmix_cube: fits the component spectra of a cube, and a map of each."""

from typing import Any

from spectralunmix.cubes.cube import Cube
from spectralunmix.cubes.maps import ComponentMaps
from spectralunmix.factorisation import smooth_nmf
from spectralunmix.inputs import Array


def unmix_cube(
    cube: Cube,
    n_components: int,
    smoothness: float = 1.0,
    *,
    init: str | Array = "nndsvd",
    n_restarts: int = 1,
    max_iter: int = 2000,
    tol: float = 1e-6,
    random_state: Any = None,
    device: str = "cpu",
    dtype: str = "float64",
    verbose: int = 0,
) -> ComponentMaps:
    """Unmix a cube into a few component spectra, and a map of each.

    `smooth_nmf` factorises the spectra of the spaxels, with their inverse variance.

    Parameters
    ----------
    cube : Cube
        The cube, from `read_cube`.
    n_components : int
        Number of components, k.
    smoothness : float, default 1.0
        lambda, 0 to 1e9. The fit smooths over about sqrt(lambda) channels, so emission lines that
        are a few channels wide need 1 or less.
    init : {"nndsvd", "spa", "random"} or array, default "nndsvd"
        The start: the components that the fit begins with, as in `smooth_nmf`.
    n_restarts : int, default 1
        Number of starts with init="random"; the fit with the lowest objective is kept.
    max_iter : int, default 2000
        Largest number of iterations.
    tol : float, default 1e-6
        The fit stops where its optimality is at most this; 0 runs to `max_iter`.
    random_state : int, numpy Generator, numpy RandomState or None, default None
        Seed of init="random"; other starts do not use it.
    device : {"cpu", "cuda", "cuda:1", ..., "auto"}, default "cpu"
        Where the cube is fitted. "auto" is "cuda" where there is such a device.
    dtype : {"float64", "float32"}, default "float64"
        The precision of the spectra, of the passes over them and of the result.
    verbose : int, default 0
        Log the objective and the optimality about every `verbose` iterations; 0 logs nothing.

    Returns
    -------
    ComponentMaps

    Raises
    ------
    TypeError
        `cube` is not a Cube.
    ValueError
        There are more components than spaxels or channels; no value is above 0; or a parameter
        is out of its range.

    Warns
    -----
    ConvergenceWarning
        The fit stopped before its optimality was at most `tol`.

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
    >>> unmix_cube(cube, 2, smoothness=0).maps.shape
    (2, 2, 3)
    """
    if not isinstance(cube, Cube):
        raise TypeError(f"a Cube is needed, as read_cube gives it, not a {type(cube).__name__}")
    result = smooth_nmf(
        cube.spectra,
        n_components,
        smoothness=smoothness,
        inverse_variance=cube.inverse_variance,
        init=init,
        n_restarts=n_restarts,
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
        device=device,
        dtype=dtype,
        verbose=verbose,
    )
    fit = float(smoothness), float(result.optimality[-1]), result.converged, result.n_iter
    return ComponentMaps(cube, result.weights, result.components, *fit)
