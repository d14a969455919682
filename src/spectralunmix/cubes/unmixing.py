"""unmix_cube: the component spectra of a cube, and a map of each."""

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

    The spaxels' spectra are factorised by `smooth_nmf`, weighted by their inverse variance.

    Parameters
    ----------
    cube : Cube
        As `read_cube` gives it.
    n_components : int
        Number of components, k.
    smoothness : float, default 1.0
        lambda; smooths over about sqrt(lambda) channels, so that lines of few channels want 1 or
        less.
    init, n_restarts, max_iter, tol, random_state, device, dtype, verbose
        As for `smooth_nmf`.

    Returns
    -------
    ComponentMaps

    Raises
    ------
    TypeError
        It is not a Cube.
    ValueError
        As `smooth_nmf` does.

    Warns
    -----
    ConvergenceWarning
        As `smooth_nmf` does.
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
