"""Parameters from names, headers and tables, and the classes they make."""

import re
import signal

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from spectralunmix.errors import LibraryError
from spectralunmix.libraries import parameters
from spectralunmix.libraries.readers import Spectrum


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
        ("G2:", 42, None),
        ("L0", 70, None),
        ("L4.5V", 74.5, "V"),
        ("T8", 88, None),
        ("Y0", 90, None),
    ],
)
def test_spectral_types(text, number, luminosity):
    assert parameters.spectral_type(text) == (number, luminosity)


@pytest.mark.parametrize("text", ["white dwarf", "WN", "WC5", "DA:", "DA2", "sdG2", "C", "S", ""])
def test_no_spectral_type_is_an_error(text):
    with pytest.raises(LibraryError, match=f"'{text}'"):
        parameters.spectral_type(text)


def of_types(*types):
    return [s for i, t in enumerate(types) for s in spectra(f"s{i:02d}", header={"T": t})]


def test_types_of_a_library_are_ordered_from_hot_to_cool():
    entry = {"header": {"spectral_type": ["SPTYPE", "T"]}}
    frame, problems = parameters.table(of_types("T2", "K7V", "L5", "G2V", "M9V"), entry)
    assert problems == []
    assert frame.sort_values("spectral_class")["spectral_type"].tolist() == [
        *("G2V", "K7V", "M9V", "L5", "T2")
    ]


def test_types_that_are_none_of_the_sequence_have_no_class_and_are_named_once():
    types = ["G2V", *["WN"] * 12, "WC", "WC", "DA:", "sdG2"]
    entry = {"header": {"spectral_type": ["T"]}}
    frame, problems = parameters.table(of_types(*types), entry)
    assert problems == []
    assert frame["spectral_class"].isna().tolist() == [False] + [True] * 16
    told = parameters.unknown_types(frame)
    assert told.startswith("spectral_type: 16 spectra have none of O to Y")
    assert told.endswith(": WN (12), WC (2), DA:, sdG2")
    _, problems = parameters.table(of_types(*types), entry | {"unknown_types": "error"})
    assert len(problems) == 1
    assert problems[0].startswith(told)
    assert "parameters.missing" in problems[0]
    frame, problems = parameters.table(of_types("G2V", "WN"), entry | {"missing": ["WN"]})
    assert (problems, parameters.unknown_types(frame)) == ([], "")
    assert frame["spectral_class"].isna().tolist() == [False, True]


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


def test_an_expression_runs_nothing(tmp_path):
    made = tmp_path / "made"
    attacks = [
        f"@pd.io.common.os.system('touch {made}')",
        f"teff.to_csv('{made}')",
        f"__import__('os').system('touch {made}')",
    ]
    entry = {"file_name": r"t(?P<teff>\d+)", "derived": {f"x{i}": a for i, a in enumerate(attacks)}}
    frame, problems = parameters.table(spectra("t5000"), entry)
    assert [p.split(":")[0] for p in problems] == [f"parameters.derived.x{i}" for i in range(3)]
    assert list(frame.columns) == ["file", "teff"]
    assert not made.exists()


def test_a_pattern_that_tries_every_way_to_split_a_name_is_given_up(monkeypatch):
    monkeypatch.setattr(parameters, "MATCHING", 0.2)
    with pytest.raises(LibraryError, match=r"^parameters\.file_name: '\(a\+\)\+b' takes more than"):
        parameters.table(spectra("a" * 60), {"file_name": "(a+)+b"})
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


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
        ({"spectral_type": {"min": "X2"}}, "classes.sun.where.spectral_type: 'X2' holds no"),
        ({"name": {"min": 9000}}, "classes.sun.where.name: name is not a number .*'x'"),
    ],
)
def test_a_class_that_says_nothing(rule, message):
    frame = pd.DataFrame({"file": ["a"], "teff": [5000], "name": ["x"], "spectral_class": [42]})
    _, problems = parameters.classify(frame, {"sun": {"where": rule}})
    assert len(problems) == 1
    assert re.search(message, problems[0])
