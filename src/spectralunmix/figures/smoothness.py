"""What the smoothness does: the components at several lambda, and where they differ most."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from astropy.table import Table

from figures import STYLE, assigned, class_captions, heading, save, wavelength_axis
from spectra_files import (
    component_names,
    read_curves,
    read_inverse_variance,
    read_spectra,
    read_table,
    write_table,
)
from spectralunmix import SmoothNMF, comparison, scan_smoothness
from step import step

WINDOW = 60  # channels of the close-up on either side


def in_order_of(reference, components):
    """Components (k, n_wave), each in the place of the reference's (k, n_wave) it is nearest."""
    rows, columns = comparison.assign(comparison.distances(reference, components)[0])
    return components[columns[np.argsort(rows)]]


def close_up(curves):
    """The channels about where curves (n_lambda, n_wave) differ most from channel to channel."""
    steps = np.abs(np.diff(curves[0] - curves[-1]))
    centre = int(steps.argmax())
    return slice(max(0, centre - WINDOW), min(curves.shape[1], centre + WINDOW))


def draw(wavelength, curves, smoothness, pairs, labels, library):
    """curves (n_lambda, k, n_wave), the same component in the same place."""
    n, k = curves.shape[:2]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, n))
    fig, axes = plt.subplots(
        k,
        2,
        figsize=(7.1, 1.35 * k + 0.9),
        layout="constrained",
        width_ratios=[2, 1],
        squeeze=False,
    )
    titles = class_captions(component_names(k), pairs, labels).values()
    for j, (title, (left, right)) in enumerate(zip(titles, axes, strict=True)):
        near = close_up(curves[:, j])
        for curve, colour, value in zip(curves[:, j], colours, smoothness, strict=True):
            left.plot(wavelength, curve, color=colour, lw=0.6, label=f"λ = {value:g}")
            right.plot(wavelength[near], curve[near], color=colour, lw=0.9)
        heading(left, chr(ord("A") + j), title)
        left.set(ylim=(0, 1.05))
        left.axvspan(*wavelength[near][[0, -1]], color="black", alpha=0.08, lw=0)
        wavelength_axis(left, wavelength[0], wavelength[-1])
        right.set_title("the shaded range", loc="left")
        right.set(xlabel="Wavelength (Å)", xlim=wavelength[near][[0, -1]])
        right.locator_params(axis="x", nbins=4)
        if j < k - 1:
            left.set_xlabel("")
            right.set_xlabel("")
    fig.supylabel("Component / maximum", fontsize=7)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=n)
    fig.suptitle(f"{library}: components by smoothness", x=0.01, ha="left", weight="bold")
    return fig


def main(snakemake, log):
    torch.set_num_threads(snakemake.threads)
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    wavelength, flux = read_spectra(inputs.spectra)
    inverse_variance = read_inverse_variance(inputs.spectra)
    _, _, reference = read_curves(inputs.components)
    values = sorted(options.values)
    fit = {key: getattr(options, key) for key in ("init", "max_iter", "tol", "random_state")}
    models = scan_smoothness(
        SmoothNMF(options.n_components, **fit),
        flux,
        values,
        inverse_variance=inverse_variance,
    )
    curves = np.array([in_order_of(reference, model.components_) for model in models])
    rows = [
        {
            "smoothness": float(model.smoothness),
            "objective": float(model.objective_[-1]),
            "sum_of_squared_residuals": float(model.reconstruction_err_**2),
            "roughness": float(np.square(np.diff(model.components_)).sum()),
            "converged": bool(model.converged_),
        }
        for model in models
    ]
    write_table(output.table, Table(rows))
    pairs = assigned(read_table(inputs.assignments), "nmf")
    with mpl.rc_context(STYLE):
        fig = draw(wavelength, curves, values, pairs, options.labels, options.library)
        save(fig, output.pdf, output.png, output.svg)
    log.info("%d fits, %d converged", len(rows), sum(row["converged"] for row in rows))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
