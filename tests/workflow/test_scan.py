"""The scan in jobs, and a library too small for it."""

import numpy as np
import pytest
from astropy.table import Table

SCAN = "results/tiny/scan.ecsv"


@pytest.mark.slow
def test_the_jobs_of_a_scan_do_not_change_it(tiny):
    path = tiny.folder / "config/config.yaml"
    text = (
        path.read_text().replace("[2, 3, 4, 5, 6]", "[2, 3]").replace("n_starts: 8", "n_starts: 3")
    )
    path.write_text(text)
    code, printed = tiny.run(SCAN)
    assert code == 0, printed
    table = Table.read(tiny.folder / SCAN, format="ascii.ecsv")
    assert len(table) == 2 * 3 * 3
    assert all(table["converged"])
    for group in table.group_by(["n_components", "smoothness"]).groups:
        assert group["from_best"][group["objective"].argmin()] == 0
    path.write_text(text.replace("starts_per_job: 8", "starts_per_job: 2"))
    code, printed = tiny.run(SCAN)
    assert code == 0, printed
    assert "rank_2_from_2" in printed
    apart = Table.read(tiny.folder / SCAN, format="ascii.ecsv")
    for name in table.colnames:  # rounding decides how many steps a slow fit takes, and its end
        rtol = 0.1 if name in ("optimality", "n_iter") else 1e-6
        np.testing.assert_allclose(apart[name], table[name], rtol=rtol, atol=1e-6)


@pytest.mark.slow
def test_a_library_too_small_for_the_scan_still_has_its_figure(tiny):
    tiny.entry["selection"]["per_class"] = 2
    tiny.save()
    code, printed = tiny.run(SCAN)
    assert code != 0
    assert "scan.n_components: 6 is more than the 4 spectra of tiny" in printed
    path = tiny.folder / "config/config.yaml"
    text = path.read_text().replace("pca:\n  n_components: 4", "pca:\n  n_components: 2")
    path.write_text(text)
    code, printed = tiny.run()
    assert code == 0, printed
