"""A small matrix of spectra, files of it, and `spectralunmix fit` on them."""

import contextlib
import io
import json
import sys
from unittest import mock

import numpy as np
from astropy.io import fits

from spectralunmix import SmoothNMF, cli
from spectralunmix.files import read_table, read_weights, write_spectra

N_SPECTRA, N_WAVE = 7, 40

WAVE = 4000 + 12.5 * np.arange(N_WAVE)

NAMES = [f"star {i}" for i in range(N_SPECTRA)]

FILES = ["components.ecsv", "components.png", "fit.json", "weights.ecsv"]

ASKED = ("-k", 2, "--smoothness", 5)


def mixture():
    """Spectra (n_spectra, n_wave) of two smooth components, with 4 digits."""
    rng = np.random.default_rng(0)
    components = [np.exp(-(((WAVE - centre) / 90) ** 2)) for centre in (4120, 4330)]
    noise = 0.01 * rng.random((N_SPECTRA, N_WAVE))
    return np.round(rng.random((N_SPECTRA, 2)) @ components + noise, 4)


X = mixture()

V = np.round(1 + np.random.default_rng(1).random(X.shape), 3)


def fit(*words):
    """Run `spectralunmix fit` with these words; what it printed, or its message if it failed."""
    printed = io.StringIO()
    command = ["spectralunmix", "fit", *map(str, words)]
    with mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(printed):
        try:
            cli.main()
        except SystemExit as end:
            return str(end.code)
    return printed.getvalue()


def expected(X=X, v=None, **settings):
    model = SmoothNMF(**{"n_components": 2, "smoothness": 5.0, "random_state": 0} | settings)
    weights = model.fit_transform(X, inverse_variance=v)
    return model, weights


def check_results(target, model, weights):
    """That a folder holds this fit, to the 8 digits that the tables have."""
    table = read_table(f"{target}/components.ecsv")
    axis, *names = table.colnames
    components = [table[name] for name in names]
    np.testing.assert_allclose(components, model.components_, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(
        read_weights(f"{target}/weights.ecsv", names), weights, rtol=1e-7, atol=1e-12
    )
    content = json.loads((target / "fit.json").read_text())
    assert content["objective"] == model.objective_[-1]
    assert content["optimality"] == model.optimality_[-1]
    assert content["n_iter"] == model.n_iter_
    assert content["converged"] is model.converged_
    return table[axis], content


def as_image(path, data=X, axis=True, step="CDELT1", pixel=1.0, **cards):
    image = fits.PrimaryHDU(data)
    if axis:
        image.header["CRVAL1"] = WAVE[0] + 12.5 * (pixel - 1)
        image.header[step] = 12.5
        image.header["CRPIX1"] = pixel
    image.header.update(cards)
    image.writeto(path)


def as_workflow(path):
    write_spectra(path, WAVE, X, None, "air")


def columns_of(**arrays):
    kind = {"i": "J", "f": "D"}
    made = []
    for name, values in arrays.items():
        values = np.asarray(values)
        form = f"{values.shape[1] if values.ndim > 1 else ''}{kind[values.dtype.kind]}"
        made.append(fits.Column(name, form, array=values))
    return fits.BinTableHDU.from_columns(made)


def as_survey_table(path):
    waves = np.tile(WAVE, (N_SPECTRA, 1))
    columns_of(Wavelength=waves, Flux=X, IVAR=V).writeto(path)


def as_csv(path, wave=WAVE, X=X, names=NAMES, first="wavelength"):
    lines = [",".join([first, *names])]
    lines += [",".join(map(str, [w, *row])) for w, row in zip(wave, X.T, strict=True)]
    path.write_text("\n".join(lines) + "\n")
