"""Which spectra of a library are used, and on which wavelengths."""

import numpy as np
import pandas as pd

from . import LibraryError


def evenly_spaced(frame: pd.DataFrame, classes: list[str], per_class: int, order: list[str]):
    """`per_class` rows of each class, evenly spaced in rank; with class_rank and class_size.

    The library is sorted by `order`, ties by file; rank r runs from 1 to n inside a class
    and the ranks round(linspace(1, n, per_class)) are taken.
    """
    if missing := [c for c in order if c not in frame]:
        raise LibraryError(f"selection.order: no such parameter: {', '.join(missing)}")
    if frame["file"].duplicated().any():
        raise LibraryError(f"{frame['file'][frame['file'].duplicated()].iloc[0]}: there twice")
    sizes = frame["class"].value_counts()
    if short := [f"{c} has {sizes.get(c, 0)}" for c in classes if sizes.get(c, 0) < per_class]:
        raise LibraryError(
            f"selection.per_class asks for {per_class} spectra of each class, but "
            f"{', '.join(short)}: lower per_class or widen the rule under classes"
        )
    chosen = []
    for name in classes:
        members = frame[frame["class"] == name].sort_values([*order, "file"], kind="stable")
        rank = np.round(np.linspace(1, len(members), per_class)).astype(int)
        chosen.append(members.iloc[rank - 1].assign(class_rank=rank, class_size=len(members)))
    return pd.concat(chosen)


def check_sizes(labels: pd.Series, expected: dict, library: str) -> None:
    """Raise unless each class has as many members as the entry says."""
    found = labels.value_counts()
    if wrong := [
        f"{c}: {found.get(c, 0)}, not {n}" for c, n in expected.items() if found.get(c, 0) != n
    ]:
        raise LibraryError(
            f"{library}: the classes are not as large as class_sizes says ({'; '.join(wrong)}): "
            "the archive is another one, or incomplete"
        )


def common_grid(spectra, grid: dict | None) -> tuple[np.ndarray, np.ndarray]:
    """Wavelength (n_wave,) and flux (n_spectra, n_wave) of the spectra on one grid.

    grid : start, stop and step in Angstrom; None keeps the grid that all share.
    """
    if grid is None:
        wavelength = spectra[0].wavelength
        for s in spectra:
            if not np.array_equal(s.wavelength, wavelength):
                raise LibraryError(
                    f"{s.file}: another wavelength grid than {spectra[0].file}: "
                    "set grid (start, stop, step) in the library's entry"
                )
        return wavelength, np.array([s.flux for s in spectra])
    n_wave = round((grid["stop"] - grid["start"]) / grid["step"]) + 1
    wavelength = grid["start"] + grid["step"] * np.arange(n_wave)
    return wavelength, np.array([_rebin(s, wavelength) for s in spectra])


def _rebin(spectrum, wavelength: np.ndarray) -> np.ndarray:
    """Flux per Angstrom on a new grid, the integral over each new channel kept."""
    old, new = edges(spectrum.wavelength), edges(wavelength)
    if new[0] < old[0] or new[-1] > old[-1]:
        raise LibraryError(
            f"{spectrum.file}: covers {old[0]:.6g} to {old[-1]:.6g} Angstrom, but grid asks for "
            f"{new[0]:.6g} to {new[-1]:.6g}"
        )
    integral = np.concatenate([[0], np.cumsum(spectrum.flux * np.diff(old))])
    return np.diff(np.interp(new, old, integral)) / np.diff(new)


def edges(wavelength: np.ndarray) -> np.ndarray:
    """(n_wave + 1,) edges of channels: half-way between centres."""
    middle = (wavelength[1:] + wavelength[:-1]) / 2
    first, last = 2 * wavelength[0] - middle[0], 2 * wavelength[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def normalised(flux: np.ndarray, files: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux clipped at zero and divided by its maximum; the maxima; how many were clipped.

    flux : (n_spectra, n_wave)
    """
    for row, file in zip(flux, files, strict=True):
        if not np.isfinite(row).all():
            raise LibraryError(f"{file}: {(~np.isfinite(row)).sum()} NaN or infinite fluxes")
        if row.max() <= 0:
            raise LibraryError(f"{file}: no flux above zero")
    peak = flux.max(axis=1)
    return np.clip(flux, 0, None) / peak[:, None], peak, (flux < 0).sum(axis=1)
