"""Results that were edited by hand, or spoilt: named, and made again."""

import hashlib
import re

import numpy as np
import pytest
from astropy.io import fits

SELECTION = "results/tiny/selection.ecsv"


def wrong(path, content):
    path.write_bytes(content(path.read_bytes()))


EDITS = {
    "figure.png": lambda c: b"junk",
    "figure.pdf": lambda c: c[:100],
    "spectra.fits": lambda c: c[:2880] + bytes(len(c) - 2880),
    "nmf_components.ecsv": lambda c: c.replace(b"0.", b"0.0", 1),
    "nmf_weights.ecsv": lambda c: b"",
    "prototypes.ecsv": lambda c: c.replace(b"e", b"nan", 1),
    "summary.json": lambda c: c.replace(b"2", b"3", 1),
    "records/pca.json": lambda c: b"{",
    "download/library": lambda c: c[:-600],
    "manifest.json": lambda c: c + b" ",
}


def test_results_edited_by_hand_are_named_and_made_again(made):
    tiny = made
    assert tiny.verify()[0] == 0
    before = {p.name: p.read_bytes() for p in tiny.results.iterdir() if p.is_file()}
    for name, change in EDITS.items():
        wrong(tiny.results / name, change)
    code, printed = tiny.verify()
    assert code != 0
    for name in EDITS:
        assert f"results/tiny/{name}: altered" in printed
    code, printed = tiny.run()
    assert code == 0, printed
    for name in EDITS:
        assert f"results/tiny/{name} was altered" in printed
    assert tiny.verify()[0] == 0
    for name, content in before.items():
        assert (tiny.results / name).read_bytes() == content, name
    wrong(tiny.results / "figure.png", lambda c: b"junk again")
    assert tiny.run()[0] == 0
    assert (tiny.results / "figure.png.altered").read_bytes() == b"junk"
    assert (tiny.results / "figure.png.altered.altered").read_bytes() == b"junk again"


@pytest.mark.slow
def test_nan_that_reaches_a_step(tiny):
    """Past all checks before: the file is spoilt together with its record."""
    assert tiny.run(SELECTION)[0] == 0
    path = tiny.results / "spectra.fits"
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[3, 5] = np.nan
    record = tiny.results / "records/select.json"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    text = re.sub(r'(spectra\.fits": ")[0-9a-f]+', rf"\g<1>{digest}", record.read_text())
    record.write_text(text)
    for target in ("nmf_fit.json", "pca_fit.json", "prototypes.ecsv"):
        code, printed = tiny.run(f"results/tiny/{target}")
        assert code != 0
        assert "spectra.fits: 1 NaN or infinite values" in printed
        assert not (tiny.results / target).exists()
    path.unlink()
    code, printed = tiny.run()
    assert code == 0, printed
    assert tiny.verify()[0] == 0
