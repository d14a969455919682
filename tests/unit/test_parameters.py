"""Parameters from names, headers and tables, and the classes they make."""

import re

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from libraries import LibraryError, parameters
from libraries.readers import Spectrum


def spectra(*files, header=()):
    return [Spectrum(f, np.arange(2.0), np.ones(2), dict(header)) for f in files]


@pytest.mark.parametrize(
    ("text", "number", "luminosity"),
    [
        ("spectral type: A5V", 25, "V"),
        ("G2V", 42, "V"),
        ("K7V", 57, "V"),
        ("B57V", 16, "V"),
        ("F02IV", 31, "IV"),
        ("M2.5V", 62.5, "V"),
        ("M10III", 70, "III"),
        ("K34II", 53.5, "II"),
        ("O8I", 8, "I"),
        ("K7 V", 57, "V"),
        ("G8 IIIb", 48, "III"),
        ("B9.9", 19.9, None),
    ],
)
def test_spectral_types(text, number, luminosity):
    assert parameters.spectral_type(text) == (number, luminosity)


def test_no_spectral_type_is_an_error():
    with pytest.raises(LibraryError, match="'white dwarf'"):
        parameters.spectral_type("white dwarf")


def test_types_of_a_library_are_ordered_and_what_is_none_is_named():
    stars = [*spectra("a", header={"T": "K7V"}), *spectra("b", header={"T": "G2V"})]
    stars += spectra("c", header={"T": "WD"})
    frame, problems = parameters.table(stars, {"header": {"spectral_type": ["SPTYPE", "T"]}})
    assert frame["spectral_class"].tolist()[:2] == [57, 42]
    assert problems == ["c: 'WD' holds no spectral type: name such values under parameters.missing"]
    entry = {"header": {"spectral_type": ["T"]}, "missing": ["WD"]}
    frame, problems = parameters.table(stars, entry)
    assert problems == []
    assert frame["spectral_class"].isna().tolist() == [False, False, True]


def test_names_give_numbers_signs_and_text():
    entry = {"file_name": r"(?P<star>\w+)_t(?P<teff>\d+)_(?P<sign>[mp])(?P<tenths>\d\d)\.fits"}
    entry["derived"] = {"feh": "sign * tenths / 10"}
    frame, problems = parameters.table(spectra("HD1_t05000_m13.fits"), entry)
    assert problems == []
    assert frame.to_dict("records") == [
        {"file": "HD1_t05000_m13.fits", "star": "HD1", "teff": 5000, "sign": -1, "tenths": 13}
        | {"feh": -1.3}
    ]


def test_an_expression_of_no_use_is_named():
    entry = {"file_name": r"t(?P<teff>\d+)", "derived": {"feh": "sign * 2"}}
    _, problems = parameters.table(spectra("t5000"), entry)
    assert len(problems) == 1
    assert "parameters.derived.feh: 'sign * 2'" in problems[0]


INDEX = {
    "file": "index.*",
    "format": "csv",
    "table": {},
    "extension": 1,
    "key": {"parameter": "star", "column": "ID"},
    "columns": {"teff": "Teff", "log_g": "logg"},
    "unmatched": "error",
}
ENTRY = {"file_name": r"s(?P<star>\d+)\.fits", "missing": [9999, "--"]}


def joined(folder, index=INDEX, files=("s0022.fits", "s0001.fits")):
    entry = ENTRY | {"index": index}
    found = parameters.read_index(folder, {"largest_member": 2**20}, entry)
    return parameters.table(spectra(*files), entry, found)


def written(path, kind):
    table = Table({"ID": ["0001", "0022"], "Teff": [5000.0, 6000.0], "logg": [4.5, 9999.0]})
    formats = {"fits": "fits", "votable": "votable"}
    table.write(path / f"index.{kind}", format=formats.get(kind, f"ascii.{kind}"))
    return INDEX | {"format": kind}


@pytest.mark.parametrize("kind", ["csv", "ecsv", "fixed_width", "fits", "votable"])
def test_an_index_of_any_format_is_joined_by_its_key(tmp_path, kind):
    frame, problems = joined(tmp_path, written(tmp_path, kind))
    assert problems == []
    assert frame["teff"].tolist() == [6000, 5000]
    np.testing.assert_array_equal(frame["log_g"], [np.nan, 4.5])


def test_fixed_columns_and_values_that_mean_missing(tmp_path):
    """The MILES library's layout."""
    text = "Name      MILES Teff  logg\n                s????\n ---\nHD1       0001  5000    --\n"
    (tmp_path / "index.txt").write_text(text + "HD2       0022  6000  4.50\n")
    table = {"data_start": 3, "names": ["ID", "Teff", "logg"]}
    table |= {"col_starts": [10, 16, 20], "col_ends": [13, 19, 25]}
    index = INDEX | {"format": "fixed_width_no_header", "table": table}
    frame, problems = joined(tmp_path, index)
    assert problems == []
    np.testing.assert_array_equal(frame["log_g"], [4.5, np.nan])


def test_a_key_without_a_file_and_a_file_without_a_key(tmp_path):
    index = written(tmp_path, "csv")
    _, problems = joined(tmp_path, index, ["s0001.fits", "s0300.fits"])
    assert [p.split(":")[1].strip() for p in problems] == [
        "no row for the spectrum s0300.fits",
        "no spectrum for the key 0022",
    ]
    frame, problems = joined(
        tmp_path, index | {"unmatched": "leave_out"}, ["s0001.fits", "s0300.fits"]
    )
    assert problems == []
    np.testing.assert_array_equal(frame["teff"], [5000, np.nan])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ID,Teff\n1,2\n", r"index\.csv: parameters\.index: no column logg; there are ID, Teff"),
        ("ID,Teff,logg\n1,2,3\n1,2,3\n", r"more than one row for the key 1"),
        ("ID,Teff,logg\n1,2\n,,,,\n", r"index\.csv: not a table of format 'csv'"),
    ],
)
def test_an_index_that_does_not_serve(tmp_path, text, message):
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(LibraryError, match=message):
        joined(tmp_path)


def test_first_class_that_matches_wins_or_an_overlap_is_an_error():
    frame = pd.DataFrame({"file": list("abcd"), "teff": [3500, 3500, 5000, 6400]})
    frame["log_g"] = [1.0, 5.0, 2.0, 4.0]
    classes = {
        "giant": {"where": {"teff": {"max": 4000}, "log_g": {"max": 3}}},
        "cool": {"where": {"teff": {"max": 6000}}},
    }
    found, problems = parameters.classify(frame, classes)
    assert found.fillna("none").tolist() == ["giant", "cool", "cool", "none"]
    assert problems == []
    found, _ = parameters.classify(frame, classes | {"other": {"where": {}}})
    assert found.tolist() == ["giant", "cool", "cool", "other"]
    _, problems = parameters.classify(frame, classes, "error")
    assert len(problems) == 1
    assert problems[0].startswith("classes.cool: overlaps (1 with giant; a)")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"tef": {"min": 1}}, r"classes.sun.where.tef: no such parameter; there are teff, name"),
        ({"teff": {"min": 9000}}, "classes.sun: empty"),
        ({"name": {"min": 9000}}, "classes.sun.where.name: name is not a number .*'x'"),
    ],
)
def test_a_class_that_says_nothing(rule, message):
    frame = pd.DataFrame({"file": ["a"], "teff": [5000], "name": ["x"]})
    _, problems = parameters.classify(frame, {"sun": {"where": rule}})
    assert len(problems) == 1
    assert re.search(message, problems[0])
