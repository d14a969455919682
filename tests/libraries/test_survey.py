"""What a user gets wrong with a library is told at once, with file and key."""

import re

import numpy as np
import pytest

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import quality
from spectralunmix.libraries.readers import Spectrum
from spectralunmix.libraries.survey import survey

WAVE = np.linspace(4000.0, 7000.0, 50)

SOURCE = {
    "description": "a folder of text files",
    "reader": "text",
    "members": ["*.txt"],
    "options": {},
    "largest_member": 2**20,
    "class_sizes": {},
}
ENTRY = {
    "parameters": {"file_name": r"t(?P<teff>\d+)\.txt"},
    "classes": {
        "cool": {"label": "Cool", "where": {"teff": {"max": 5999}}},
        "hot": {"label": "Hot", "where": {"teff": {"min": 6000}}},
    },
    "overlapping_classes": "error",
    "selection": {
        "classes": ["hot", "cool"],
        "mode": "evenly_spaced",
        "per_class": 3,
        "order": ["teff"],
        "files": [],
        "seed": 0,
    },
    "grid": {"start": None, "stop": None, "step": None, "spacing": "linear"},
    "quality": {"max_nan": 0.01, "max_negative": 0.05, "otherwise": "error"}
    | {"missing_zeros": None},
}


def flux(teff):
    return 1 + np.sin(WAVE / teff) ** 2


@pytest.fixture
def library(tmp_path):
    """Eight spectra, four a class."""
    for teff in range(4000, 8000, 500):
        write(tmp_path, f"t{teff}.txt", WAVE, flux(teff))
    return tmp_path


def write(folder, name, wavelength, values):
    np.savetxt(folder / name, np.transpose([wavelength, values]))


def problems(library, source=(), **entry):
    found = survey(library, SOURCE | dict(source), ENTRY | entry)
    if found.problems:
        with pytest.raises(LibraryError, match=r"^lib does not fit the library:"):
            found.check("lib")
    return found.problems


def classes(**changes):
    return ENTRY["classes"] | {k: {"label": k, "where": v} for k, v in changes.items()}


def test_a_sound_library(library):
    found = survey(library, SOURCE, ENTRY)
    assert (found.problems, found.left_out) == ([], {})
    assert found.table["class"].value_counts().to_dict() == {"cool": 4, "hot": 4}
    found.check("lib")
    assert found.chosen["teff"].tolist() == [6000, 6500, 7500, 4000, 4500, 5500]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"classes": classes(hot={"teff": {"min": 5500}})},
            r"^classes\.hot: overlaps \(1 with cool; t5500\.txt\)",
        ),
        ({"classes": classes(hot={"teff": {"min": 60000}})}, r"^classes\.hot: empty"),
        (
            {"classes": classes(hot={"tef": {"min": 6000}})},
            r"^classes\.hot\.where\.tef: no such parameter; there are teff",
        ),
        (
            {"parameters": {"file_name": r"T(?P<teff>\d+)"}},
            r"^parameters\.file_name: .* matches none of the 8 file names, of which t\d+\.txt",
        ),
        (
            {"parameters": {"file_name": r"t(?P<teff>4\d+)\.txt"}},
            r"^t5000\.txt: parameters\.file_name, .* does not match",
        ),
        (
            {"parameters": ENTRY["parameters"] | {"header": {"log_g": ["LOGG", "GRAV"]}}},
            r"^t4000\.txt: none of the cards LOGG, GRAV is there",
        ),
    ],
)
def test_an_entry_that_does_not_fit(library, entry, message):
    assert any(re.search(message, p) for p in problems(library, **entry)), problems(
        library, **entry
    )


def test_duplicate_spectra(library):
    write(library, "t7999.txt", WAVE, flux(7500))
    assert problems(library) == ["t7999.txt: the same fluxes as t7500.txt"]


def test_mixed_units(library):
    write(library, "t7999.txt", WAVE / 10, flux(7999))
    (problem,) = problems(library)
    assert problem.startswith("t7999.txt: wavelengths of 400 to 700 Angstrom, while most")


@pytest.mark.parametrize(
    ("spoil", "message", "way_out"),
    [
        (lambda f: np.where(WAVE < 4300, np.nan, f), "10.0% of its channels are NaN", "max_nan"),
        (lambda f: np.where(WAVE < 4300, -f, f), "10.0% of its channels are neg", "max_negative"),
        (lambda f: 0 * f, "no flux above zero", None),
        (lambda f: np.full_like(f, np.nan), "100.0% of its channels are NaN", None),
    ],
)
def test_unusable_flux_is_told_or_left_out(library, spoil, message, way_out):
    write(library, "t7999.txt", WAVE, spoil(flux(7999)))
    (problem,) = problems(library)
    assert problem.startswith(f"t7999.txt: {message}")
    raised = f"raise quality.{way_out}, or " if way_out else ""
    assert problem.endswith(f": {raised}set quality.otherwise to leave_out")
    assert ("raise" in problem) == bool(way_out)
    limits = ENTRY["quality"] | {"otherwise": "leave_out"}
    found = survey(library, SOURCE, ENTRY | {"quality": limits})
    assert (found.problems, list(found.left_out)) == ([], ["t7999.txt"])
    assert len(found.table) == len(found.spectra) == 8


def test_many_with_the_same_mistake_are_counted(library):
    for teff in range(8000, 8012):
        write(library, f"t{teff}.txt", WAVE, np.where(WAVE < 4300, np.nan, flux(teff)))
    write(library, "t9000.txt", WAVE, np.where(WAVE < 4300, -1, flux(9000)))
    found = problems(library)
    assert len(found) == 12
    assert found[10] == "and 2 more like it: 12 such problems in 21 spectra"
    assert found[11].startswith("t9000.txt: 10.0% of its channels are negative")


def test_a_share_below_the_limit_is_filled_and_clipped_and_counted(library):
    values = flux(7999)
    values[3], values[10] = np.nan, -0.1
    write(library, "t7999.txt", WAVE, values)
    limits = ENTRY["quality"] | {"max_nan": 0.05}
    found = survey(library, SOURCE, ENTRY | {"quality": limits})
    assert found.problems == []
    arrays = quality.normalised(found.spectra, "maximum")
    assert arrays["n_filled"].tolist() == [0] * 8 + [1]
    assert arrays["n_clipped"].tolist() == [0] * 8 + [1]
    row = arrays["flux"][8] * arrays["divisor"][8]
    assert row[3] == pytest.approx((values[2] + values[4]) / 2)
    assert row[10] == 0
    assert row.max() == pytest.approx(np.nanmax(values))


def test_spectra_that_do_not_cover_the_range_are_named(library):
    write(library, "t7999.txt", WAVE[10:], flux(7999)[10:])
    for step in (None, 10.0):
        grid = ENTRY["grid"] | {"start": 4100, "stop": 6900, "step": step}
        found = survey(library, SOURCE, ENTRY | {"grid": grid})
        assert found.problems == []
        assert found.left_out == {
            "t7999.txt": "it covers 4612.24 to 7000 Angstrom, not 4100 to 6900"
        }
        assert "t7999.txt" not in list(found.table["file"])


def test_nothing_to_read(library):
    with pytest.raises(LibraryError, match=r"members: no file of the library matches \*\.fits"):
        survey(library, SOURCE | {"members": ["*.fits"]}, ENTRY)
    grid = ENTRY["grid"] | {"start": 1000}
    with pytest.raises(LibraryError, match=r"grid: no spectrum covers it; t4000\.txt"):
        survey(library, SOURCE, ENTRY | {"grid": grid})


def test_an_incomplete_archive(library):
    (problem,) = problems(library, {"class_sizes": {"cool": 4, "hot": 5}})
    assert problem.startswith("class_sizes: hot: 4, not 5")


def test_too_few_members_are_counted(library):
    (problem,) = problems(library, selection=ENTRY["selection"] | {"per_class": 5})
    assert "there are 4 of hot, 4 of cool" in problem


def test_all_problems_come_in_one_message(library):
    write(library, "t7998.txt", WAVE, flux(7500))
    write(library, "t7999.txt", WAVE / 10, flux(7999))
    write(library, "star.txt", WAVE, flux(7000.5))
    with pytest.raises(LibraryError) as error:
        survey(library, SOURCE, ENTRY).check("lib")
    for part in ("t7998.txt: the same", "t7999.txt: wavelengths", "star.txt: parameters.file_name"):
        assert part in str(error.value)


def test_uncertainties_become_weights_and_negative_flux_stays():
    sigma = np.full(50, 0.5)
    values = np.where(WAVE > 6000, -0.1, 2.0)
    s = Spectrum("s", WAVE, values, {}, 1 / sigma**2)
    s.inverse_variance[4] = 0
    s.flux[4] = 1e9  # a cosmic ray, masked
    arrays = quality.normalised([s], "maximum")
    assert arrays["flux"].min() == pytest.approx(-0.05)
    assert arrays["flux"][0, 4] == 1e9 / 2  # as it is, and of no weight, in the divisor neither
    assert np.delete(arrays["flux"], 4).max() == 1
    # the error of flux / 2 is 0.25
    expected = np.where(np.arange(50) == 4, 0, 16)
    np.testing.assert_allclose(arrays["inverse_variance"][0], expected)


def test_normalisation():
    spectra = [Spectrum("s", WAVE, np.linspace(1, 3, 50), {})]
    for how, divisor in (("maximum", 3), ("mean", 2), ("none", 1)):
        assert quality.normalised(spectra, how)["divisor"] == pytest.approx(divisor)
