"""What the smoothness does: the components at several lambda, and where they differ most."""

import matplotlib as mpl
import numpy as np
import torch
from astropy.table import Table

from spectralunmix import SmoothNMF, scan_smoothness
from spectralunmix.figures.smoothness import draw, in_order_of
from spectralunmix.figures.style import (
    STYLE,
    assigned,
    save,
)
from spectralunmix.files import (
    read_curves,
    read_inverse_variance,
    read_spectra,
    read_table,
    write_table,
)
from spectralunmix.steps import step


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
