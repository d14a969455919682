"""The entry of a library: its defaults, the rules of its keys, and its mistakes."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from entry_page import page_entry
from spectralunmix.errors import ConfigurationError
from spectralunmix.libraries.entry import Entry, File, read_entry
from spectralunmix.models import checked, keys
from spectralunmix.yaml_files import parse_yaml
from tiny import ENTRY

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(ROOT.glob("config/libraries/*.yaml"))
SCHEMA = json.loads((ROOT / "config/schema/library.schema.json").read_text())


def changed(*key, to):
    """The entry `tiny` with another value under that key; none where it is `...`."""
    entry = json.loads(json.dumps(ENTRY))
    at = entry
    *path, last = key
    for part in path:
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
    if to is ...:
        del at[last]
    else:
        at[last] = to
    return entry


def mistakes(entry):
    """The lines of the error, without the file."""
    with pytest.raises(ConfigurationError) as error:
        checked(Entry, entry, "e.yaml")
    lines = str(error.value).splitlines()
    assert all(line.startswith("e.yaml: ") for line in lines)
    return [line.removeprefix("e.yaml: ") for line in lines]


def test_defaults_and_nothing_else(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(ENTRY, sort_keys=False))
    entry = read_entry(tmp_path / "tiny.yaml")
    assert list(entry)[: len(ENTRY)] == list(ENTRY)
    assert entry["doi"] is None
    assert entry["grid"] == {"start": None, "stop": None, "step": None, "spacing": "linear"}
    assert entry["selection"] == {
        "per_class": 5,
        "order": ["teff"],
        "mode": "evenly_spaced",
        "files": [],
        "seed": 0,
        "classes": ["hot", "cool"],
    }
    (source,) = entry["sources"]
    assert list(source) == [*ENTRY["sources"][0], "options", "largest_member", "class_sizes"]
    assert source["options"] == {}
    assert source["files"] == [{"addresses": ["spectra"], "sha256": None, "over": {}}]
    assert entry["classes"] == ENTRY["classes"]
    assert "index" not in entry["parameters"]
    assert read_entry(tmp_path / "tiny.yaml") == entry


def test_a_second_reading_changes_nothing():
    for path in SHIPPED:
        entry = read_entry(path)
        again = checked(Entry, entry, path)
        assert json.dumps(again) == json.dumps(entry)


def test_a_copy_has_nothing_of_the_models_defaults():
    first, second = checked(Entry, ENTRY, "e"), checked(Entry, ENTRY, "e")
    first["notes"].append("mine")
    first["sources"][0]["class_sizes"]["hot"] = 1
    assert (second["notes"], second["sources"][0]["class_sizes"]) == ([], {})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_schema_takes_the_entries(path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


def test_the_page_s_entry_is_one():
    entry = parse_yaml(page_entry(), "README.md")
    jsonschema.validate(entry, SCHEMA)
    assert checked(Entry, entry, "e")["sources"][0]["options"] == {"wavelength_unit": "nm"}


def test_every_key_is_described():
    for key, field in keys(Entry):
        assert field.description, key
        if field.exclude_if is not None:
            assert "default: " in field.description, key


DIGEST = "0" * 64
HTTP = {"addresses": ["http://x/{a}"], "over": {"a": [1]}}
OF_SOURCE = ("sources", 0)
OF_FILE = (*OF_SOURCE, "files", 0)
WRONG = [
    (("clases",), {}, "clases: 'clases' was unexpected: is `classes` meant, of name, citation"),
    (("name",), ..., "name: is missing"),
    (("name",), None, "name: has no value"),
    (("name",), 5, "name: 5 is not text: put it in quotes"),
    (("name",), ["a"], "name: ['a'] is not text"),
    (("medium",), "water", "medium: 'water' is none of 'air', 'vacuum' or 'unknown'"),
    (("run_on",), "mars", "run_on: 'mars' is none of 'original', 'layout' or null"),
    (("sources",), [], "sources: has 0 entries, fewer than 1"),
    (("sources",), {}, "sources: {} is not a list"),
    (OF_SOURCE, "spectra", "sources.0: 'spectra' is not keys with values"),
    ((*OF_SOURCE, "reader"), ..., "sources.0.reader: is missing"),
    ((*OF_SOURCE, "reader"), "fits", "sources.0.reader: 'fits' is none of 'fits_image', 'fits_"),
    ((*OF_SOURCE, "members"), ..., "sources.0.members: is missing"),
    (
        (*OF_SOURCE, "member"),
        [],
        "sources.0.member: 'member' was unexpected: is `members` meant",
    ),
    ((*OF_SOURCE, "members", 0), "a**b", "sources.0.members.0: 'a**b' names no file: write a"),
    ((*OF_SOURCE, "members", 0), "a/", "sources.0.members.0: 'a/' names no file"),
    ((*OF_SOURCE, "members", 0), "..", "sources.0.members.0: '..' names no file"),
    ((*OF_SOURCE, "largest_member"), 2**35, "sources.0.largest_member: 34359738368 is more than"),
    ((*OF_SOURCE, "class_sizes"), {"hot": 1.5}, "sources.0.class_sizes.hot: 1.5 is not a whole"),
    ((*OF_FILE, "addresses"), [], "sources.0.files.0.addresses: has 0 entries, fewer than 1"),
    ((*OF_FILE, "addresses", 0), "", "sources.0.files.0.addresses.0: is empty"),
    ((*OF_FILE, "sha256"), "abc", "sources.0.files.0.sha256: 'abc' is no sha256, which has 64"),
    ((*OF_FILE, "over"), {"a": [[1]]}, "sources.0.files.0.over.a.0: [1] is neither a number nor"),
    ((*OF_FILE, "over"), {"a": [True]}, "sources.0.files.0.over.a.0: true is neither a number"),
    (("parameters", "file_name"), "t(?P<", "parameters.file_name: not a regular expression: "),
    (("parameters", "missing"), [[float("nan")]], "parameters.missing: nan is not a number to"),
    (("parameters", "header"), {"teff": []}, "parameters.header.teff: has 0 entries, fewer than"),
    (("parameters", "index"), {}, "parameters.index.file: is missing"),
    (("parameters", "columns"), {"teff": {}}, "parameters.columns.teff.description: is missing"),
    (("parameters", "derived"), {"class": "teff"}, "parameters: class: the workflow's tables have"),
    (("parameters", "derived"), {"n_filled": "1"}, "parameters: n_filled: the workflow's tables"),
    (("classes",), {}, "classes: has 0 entries, fewer than 1"),
    (("classes", "wavelength"), {"label": "W", "where": {}}, "classes: wavelength: the workflow's"),
    (("classes", "hot", "lable"), "x", "classes.hot.lable: 'lable' was unexpected: is `label` me"),
    (("classes", "hot", "where", "teff"), {}, "classes.hot.where.teff: is empty: give min, max or"),
    (
        ("classes", "hot", "where", "teff", "min"),
        True,
        "classes.hot.where.teff.min: true is neither a number nor text",
    ),
    (("selection", "classes"), ["warm"], "selection.classes: no class warm: the classes are"),
    (("selection", "classes"), ["hot", "hot"], "selection.classes: 'hot' is there twice"),
    (("selection", "per_class"), 0, "selection.per_class: 0 is less than 1, the least"),
    (("grid", "start"), 0, "grid.start: 0 is not more than 0"),
    (("grid", "step"), float("inf"), "grid.step: inf is not a number to work with"),
    (("quality", "max_nan"), 1.5, "quality.max_nan: 1.5 is more than 1, the most"),
    (("quality", "missing_zeros"), 0, "quality.missing_zeros: 0 is less than 1, the least"),
]


@pytest.mark.parametrize(("key", "value", "message"), WRONG)
def test_a_mistake_is_one_line_with_its_key(key, value, message):
    found = mistakes(changed(*key, to=value))
    assert [line for line in found if line.startswith(message)]
    if message.split(":")[0] != "parameters.index.file":
        assert len(found) == 1


def test_all_mistakes_are_named():
    entry = changed("sources", 0, "options", to={"axis": "row", "row": 1})
    entry["classes"]["hot"]["label"] = 1
    entry["sources"][0]["files"].append({"addresses": ["../x", "pypi:a"], "name": "a/b"})
    del entry["citation"]
    assert [line.split(": ")[0] for line in mistakes(entry)] == [
        "citation",
        "sources.0.files.1.addresses.0",
        "sources.0.files.1.addresses.1",
        "sources.0.files.1.name",
        "sources.0.options.axis",
        "sources.0.options.row",
        "classes.hot.label",
    ]


def test_an_entry_that_is_no_mapping(tmp_path):
    for text in ("", "- a", "text"):
        (tmp_path / "e.yaml").write_text(text)
        with pytest.raises(
            ConfigurationError, match=r"e\.yaml: top level: (has no value|.* not k)"
        ):
            read_entry(tmp_path / "e.yaml")


ROWS = {"layout": "rows", "table_extension": "FIBERMAP"}
TAKEN = [
    ("fits_image", {"axis": "row", "wavelength_row": 0, "row": 1, "uncertainty_row": 2}),
    ("fits_image", {"axis": "extension", "wavelength_extension": "WAVE", "extension": 0}),
    ("fits_image", {"axis": "file", "wavelength_file": "wave.fits"}),
    ("fits_image", ROWS | {"name": "TARGET", "axis": "log10"}),
    ("fits_image", {"layout": "rows"}),
    ("fits_image", {"mask_extension": 2, "uncertainty_extension": "IVAR", "flux_unit": "relative"}),
    ("fits_table", {"layout": "columns", "flux": "g??", "wavelength": 0, "mask": "m"}),
    ("votable", {"layout": "rows", "name": "star", "extension": 1}),
    ("text", {"format": "csv", "table": {"delimiter": ",", "names": ["a", "b"]}}),
    ("text", {"wavelength_file": "wave.txt", "flux": 0, "uncertainty_kind": "variance"}),
    ("r_subset", {}),
]
NOT_TAKEN = [
    ("fits_image", {"axis": "row"}, "wavelength_row: is missing, which `axis: row` needs"),
    ("fits_image", {"axis": "extension"}, "wavelength_extension: is missing, which"),
    ("fits_image", {"axis": "file"}, "wavelength_file: is missing, which `axis: file` needs"),
    ("fits_image", ROWS | {"row": 1}, "row: each row is a spectrum with `layout: rows`"),
    ("fits_image", ROWS | {"wavelength_row": 1}, "wavelength_row: each row is a spectrum"),
    ("fits_image", ROWS | {"uncertainty_row": 1}, "uncertainty_row: each row is a spectrum"),
    ("fits_image", ROWS | {"axis": "row"}, "axis: 'row' does not go with `layout: rows`"),
    ("fits_image", {"table_extension": 1}, "table_extension: is for `layout: rows` alone"),
    ("fits_image", {"layout": "rows", "name": "T"}, "name: is a column of a table: name that"),
    ("fits_image", {"layout": "columns"}, "layout: 'columns' is none of 'file' or 'rows'"),
    ("fits_image", {"row": -1}, "row: -1 is less than 0, the least"),
    ("fits_image", {"row": None}, "row: has no value"),
    ("fits_image", {"flux": 1}, "flux: 'flux' was unexpected: "),
    ("fits_image", {"format": "csv"}, "format: 'format' was unexpected: "),
    ("fits_table", {"axis": "row"}, "axis: 'row' is none of 'linear', 'log10' or 'ln'"),
    ("fits_table", {"row": 1}, "row: 'row' was unexpected: "),
    ("fits_table", {"format": "csv"}, "format: 'format' was unexpected: "),
    ("votable", {"wavelength_file": "x"}, "wavelength_file: 'wavelength_file' was unexpected: "),
    ("text", {"extension": 1}, "extension: 'extension' was unexpected: "),
    ("text", {"format": "html"}, "format: 'html' is none of 'basic', 'cds', "),
    ("text", {"table": {"guess": True}}, "table.guess: 'guess' is none of 'col_ends', "),
    ("text", {"table": {"names": [float("nan")]}}, "table: nan is not a number to work with"),
    ("text", {"wavelength_file": "**"}, "wavelength_file: '**' names no file"),
    ("r_subset", {"axis": "ln"}, "axis: 'axis' was unexpected: it has no keys"),
]


def with_options(reader, options):
    entry = changed("sources", 0, "options", to=options)
    entry["sources"][0]["reader"] = reader
    return entry


@pytest.mark.parametrize(("reader", "options"), TAKEN)
def test_options_that_a_reader_takes(reader, options):
    entry = with_options(reader, options)
    assert checked(Entry, entry, "e")["sources"][0]["options"] == options
    jsonschema.validate(entry, SCHEMA)


@pytest.mark.parametrize(("reader", "options", "message"), NOT_TAKEN)
def test_options_that_a_reader_does_not_take(reader, options, message):
    (found,) = {
        line for line in mistakes(with_options(reader, options)) if "is missing" not in line
    } or mistakes(with_options(reader, options))
    assert found.startswith(f"sources.0.options.{message}")


def of_file(**file):
    """The mistakes of a file, without its name."""
    try:
        checked(File, file, "e")
    except ConfigurationError as error:
        return [line.removeprefix("e: ") for line in str(error).splitlines()]
    return []


@pytest.mark.parametrize(
    "file",
    [
        {"addresses": ["http://x/a.txt"]},
        {"addresses": ["http://x/get?id=3"], "name": "a.txt", "sha256": DIGEST},
        {"addresses": ["spectra", "a/../b"]},
        {"addresses": ["pypi:a==1.0"], "name": "a-1.0-py3-none-any.whl", "sha256": DIGEST},
        {"addresses": ["http://x/{t:05d}_{g:.2f}_{n}"], "over": {"t": [1], "g": [2], "n": ["a"]}},
    ],
)
def test_files_that_may_be_named(file):
    assert of_file(**file) == []


OUTSIDE = (
    "lies outside the folder of the run, where an entry may not look: write the last part of the "
    "path here, and give the whole path as LIBRARY_PATH or CUBE_PATH"
)
NO_NAME = "the name of a file has no folder, backslash or control character"
FIELD = "a field looks like {teff}, {teff:05d} or {log_g:.2f}"
WHEEL = "a wheel is pypi:name==version, with `name`, a .whl, and sha256"


@pytest.mark.parametrize(
    ("file", "lines"),
    [
        ({"addresses": ["/etc/x"]}, [f"addresses.0: /etc/x: {OUTSIDE}"]),
        ({"addresses": ["a", "../x"]}, [f"addresses.1: ../x: {OUTSIDE}"]),
        ({"addresses": ["~no-such-user/x"]}, [f"addresses.0: ~no-such-user/x: {OUTSIDE}"]),
        ({"addresses": ["pypi:a==1.0"]}, [f"addresses.0: pypi:a==1.0: {WHEEL}"]),
        (
            {"addresses": ["http://x/a\tb"]},
            [
                "addresses.0: http://x/a\\tb: control characters are no part of an address",
                f"addresses.0: 'a\\tb': {NO_NAME}",
            ],
        ),
        (
            {"addresses": ["http://x/"]},
            ["addresses.0: http://x/: `name` has to say the name of the file"],
        ),
        (
            {"addresses": ["http://x/{a}"], "over": {"a": ["../b"]}},
            [f"over.a.0: '../b': {NO_NAME}"],
        ),
        (
            {"addresses": ["http://x/{a}_{b}"], "name": "{c}", "over": {"a": [1]}},
            [
                "addresses.0: http://x/{a}_{b}: `over` has no values for b",
                "name: {c}: `over` has no values for c",
            ],
        ),
        (
            {"addresses": ["http://x/{a.real}"], "over": {"a": [1]}},
            [f"addresses.0: http://x/{{a.real}}: {FIELD}"],
        ),
        (
            {"addresses": ["http://x/{a:05d}"], "over": {"a": ["hot", "cool"]}},
            ["addresses.0: http://x/{a:05d}: 'hot' cannot be written as 05d"],
        ),
    ],
)  # fmt: skip
def test_files_that_may_not_be_named(file, lines):
    assert of_file(**file) == lines


def test_reading_an_entry_loads_nothing_heavy():
    """Every parse of the workflow begins with it."""
    heavy = ["numpy", "pandas", "astropy", "torch", "snakemake", "jsonschema"]
    script = "import sys; from spectralunmix.libraries.entry import read_entry; "
    script += f"print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
