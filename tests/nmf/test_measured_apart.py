"""The paper's spectra: numbers that another implementation gave, with draws of its own."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from spectralunmix import assignment_errors, bootstrap, comparison, cross_validate, smooth_nmf
from spectralunmix.prototypes import prototypes

pytestmark = pytest.mark.slow
CLASSES = ["hot_star", "a_f_star", "solar_like", "cool_dwarf"]
# Root mean square left of held-out spectra, by number of components, at lambda = 0 and 10.
HELD_OUT = {1: (0.199, 0.199), 2: (0.116, 0.116), 3: (0.076, 0.077), 4: (0.050, 0.051)}
# Of 200 resamples, by class. Single stars matter much, so that sets of 200 scatter by a fifth.
OF_DISTANCES = [0.020, 0.016, 0.021, 0.037]
OF_COMPONENTS = [0.017, 0.024, 0.032, 0.039]  # rms over wavelength
OF_TOTALS = {"nmf": 0.05, "pca": 0.04}
OF_DIFFERENCE = 0.050


def test_held_out_errors(paper_spectra, paper_classes):
    settings = {"classes": paper_classes, "n_starts": 0}
    found = cross_validate(paper_spectra, list(HELD_OUT), [0.0, 10.0], **settings)
    np.testing.assert_allclose(np.sqrt(found.mean), list(HELD_OUT.values()), rtol=0.05)
    assert not found.n_not_converged.any()


def test_standard_errors(paper_spectra, paper_classes):
    fit = smooth_nmf(paper_spectra, 4, smoothness=10, tol=1e-8)
    curves, _ = prototypes(paper_spectra, None, paper_classes)
    of_class = np.array([curves[name] for name in CLASSES])
    components, classes = comparison.assign(comparison.distances(fit.components, of_class)[0])
    H = fit.components[components[np.argsort(classes)]]
    spectra = assignment_errors.Source(paper_spectra, None, paper_classes, 4)
    axes = PCA(4, svd_solver="full").fit(paper_spectra).components_
    made = bootstrap(paper_spectra, H, smoothness=10, classes=paper_classes)
    resamples = made.counts, made.components
    found = assignment_errors.resampled(spectra, CLASSES, *resamples, axes, "rms")
    of_components = np.sqrt(np.square(made.standard_error).mean(axis=1))
    np.testing.assert_allclose(of_components, OF_COMPONENTS, rtol=0.3)
    errors = found["nmf"].distances.std(axis=0).diagonal()
    np.testing.assert_allclose(errors, OF_DISTANCES, rtol=0.3)
    for method, expected in OF_TOTALS.items():
        assert found[method].totals.std() == pytest.approx(expected, rel=0.2)
    difference = found["pca"].totals - found["nmf"].totals
    assert difference.std() == pytest.approx(OF_DIFFERENCE, rel=0.2)
    assert (difference > 0.5).all()
    assert (found["nmf"].assigned == range(4)).all()
