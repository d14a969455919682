"""The configuration: its defaults, numbers as people write them, and its mistakes."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from spectralunmix.command import run
from spectralunmix.configuration import Configuration, check_ranks, configured
from spectralunmix.errors import ConfigurationError
from spectralunmix.models import keys
from spectralunmix.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config/config.yaml"
SCHEMA = json.loads((ROOT / "config/schema/config.schema.json").read_text())


def in_order(content):
    """With the order of the keys, which records and Snakemake's comparison of them see."""
    return json.dumps(content)


def test_the_file_has_every_default():
    content = configured({}, [])
    assert content == read_yaml(FILE)
    assert configured(content, [str(FILE)]) == content
    assert content["library"] == run.DEFAULT_LIBRARY


def test_keys_stay_in_the_order_of_the_file_before_the_defaults():
    content = configured({"pca": {}, "smooth_nmf": {"tol": 0, "init": "spa"}}, [])
    assert list(content)[:4] == ["pca", "smooth_nmf", "library", "library_path"]
    of_nmf = ["tol", "init", "n_components", "smoothness", "max_iter", "strict", "random_state"]
    assert list(content["smooth_nmf"]) == of_nmf


def test_what_was_read_is_left_as_it_is():
    content = {"pca": {}, "smoothness": {"values": [1, "2"]}}
    configured(content, [])
    assert content == {"pca": {}, "smoothness": {"values": [1, "2"]}}


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"smooth_nmf": {"tol": "1e-8"}}, 1e-8),
        ({"smooth_nmf": {"tol": ".5"}}, 0.5),
        ({"smooth_nmf": {"smoothness": "2e1"}}, 20.0),
        ({"smooth_nmf": {"smoothness": 10}}, 10),
        ({"smooth_nmf": {"smoothness": 10.0}}, 10.0),
        ({"smooth_nmf": {"smoothness": "10"}}, 10),
        ({"smooth_nmf": {"max_iter": "1e3"}}, 1000),
        ({"smooth_nmf": {"max_iter": 1e3}}, 1000),
        ({"smooth_nmf": {"strict": "false"}}, False),
        ({"smooth_nmf": {"strict": "no"}}, False),
        ({"smooth_nmf": {"strict": "true"}}, True),
        ({"scan": {"smoothness": ["0", 1, "2.5"]}}, [0, 1, 2.5]),
        ({"library_path": "1e5"}, "1e5"),
        ({"library_path": {"miles": "a", "xsl": None}}, {"miles": "a", "xsl": None}),
        ({"library": "1e5"}, "1e5"),
    ],
)
def test_numbers_as_people_and_snakemake_write_them(given, value):
    found, inside = configured(given, []), given
    while isinstance(inside, dict) and inside is not value and inside != value:
        (key, inside), *_ = inside.items()
        found = found[key]
    assert in_order(found) == in_order(value)  # 10 and 10.0 are two texts in a record


WRONG = [
    ({"smothness": {}}, "smothness: 'smothness' was unexpected: is `smoothness` meant, of library"),
    ({"nonsense": 1}, "nonsense: 'nonsense' was unexpected: the keys here are library, "),
    ({"smooth_nmf": {"tool": 1}}, "smooth_nmf.tool: 'tool' was unexpected: is `tol` meant, of"),
    ({"smooth_nmf": {"smoothness": -1}}, "smooth_nmf.smoothness: -1 is less than 0, the least"),
    ({"smooth_nmf": {"smoothness": "-1"}}, "smooth_nmf.smoothness: -1 is less than 0"),
    ({"smooth_nmf": {"smoothness": float("nan")}}, "smooth_nmf.smoothness: nan is not a number to"),
    ({"smooth_nmf": {"tol": float("inf")}}, "smooth_nmf.tol: inf is not a number to work with"),
    ({"smooth_nmf": {"tol": "nan"}}, "smooth_nmf.tol: 'nan' is not a number"),
    ({"smooth_nmf": {"tol": "1e999"}}, "smooth_nmf.tol: inf is not a number to work with"),
    ({"smooth_nmf": {"tol": 10**400}}, "smooth_nmf.tol: 1000.* is not a number to work with"),
    ({"smooth_nmf": {"tol": None}}, "smooth_nmf.tol: has no value"),
    ({"smooth_nmf": {"tol": True}}, "smooth_nmf.tol: true is not a number"),
    ({"smooth_nmf": {"n_components": True}}, "smooth_nmf.n_components: true is not a number"),
    ({"smooth_nmf": {"n_components": "true"}}, "smooth_nmf.n_components: 'true' is not a number"),
    ({"smooth_nmf": {"n_components": 2.5}}, "smooth_nmf.n_components: 2.5 is not a whole number"),
    ({"smooth_nmf": {"n_components": 0}}, "smooth_nmf.n_components: 0 is less than 1, the least"),
    ({"smooth_nmf": {"strict": 1}}, "smooth_nmf.strict: 1 is neither true nor false"),
    ({"smooth_nmf": {"init": "svd"}}, "smooth_nmf.init: 'svd' is none of 'nndsvd', 'spa' or"),
    ({"smooth_nmf": None}, "smooth_nmf: has no value"),
    ({"smooth_nmf": [4]}, r"smooth_nmf: \[4\] is not keys with values"),
    ({"assign": {"metric": "cosine"}}, "assign.metric: 'cosine' is none of 'rms' or 'angle'"),
    ({"plot": {"width": 30}}, "plot.width: 30 is more than 20, the most"),
    ({"smoothness": {"values": [1]}}, "smoothness.values: has 1 entries, fewer than 2"),
    ({"smoothness": {"values": list(range(9))}}, "smoothness.values: has 9 entries, more than 6"),
    ({"smoothness": {"values": [1, 2, 1]}}, "smoothness.values: 1 is there twice"),
    ({"scan": {"n_components": [1, "x"]}}, "scan.n_components.1: 'x' is not a number"),
    ({"scan": {"n_starts": 1}}, "scan.n_starts: 1 is less than 2, the least"),
    ({"compare": "miles"}, "compare: 'miles' is not a list"),
    ({"compare": [1]}, "compare.0: 1 is not text: put it in quotes"),
    ({"library": 2014}, "library: 2014 is not text: put it in quotes"),
    ({"library_path": 1}, "library_path: 1 is not text: put it in quotes"),
    ({"library_path": {"miles": 1}}, "library_path: 1 is not text: put it in quotes"),
    ({"library_path": ""}, "library_path: a path is empty: null"),
    ({"cube_path": ""}, "cube_path: a path is empty: null"),
]


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_a_mistake_is_one_line_with_its_key(content, message):
    with pytest.raises(ConfigurationError, match=f"--config: {message}") as error:
        configured(content, [])
    assert len(str(error.value).splitlines()) == 1


def test_all_mistakes_are_named():
    content = {"smooth_nmf": {"tol": -1, "init": 1}, "bogus": 1}
    with pytest.raises(ConfigurationError) as error:
        configured(content, [])
    found = re.findall(r"^config/config.yaml or --config: ([\w.]+): ", str(error.value), re.M)
    assert found == ["smooth_nmf.init", "smooth_nmf.tol", "bogus"]


def test_mistakes_that_snakemake_reads_over(tmp_path):
    (tmp_path / "c.yaml").write_text("library: a\nlibrary: b\n")
    with pytest.raises(ConfigurationError, match=r"c\.yaml: library is there twice, in lines 1 a"):
        configured({"library": "b"}, [str(tmp_path / "c.yaml"), str(tmp_path / "gone.yaml")])


def test_every_key_is_described():
    for key, field in keys(Configuration):
        assert field.description, key
        assert not field.is_required(), key


def test_the_schema_takes_the_file_and_refuses_what_the_model_does():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.validate(yaml.safe_load(FILE.read_text()))
    beyond_it = ("nan", "inf", "1e999")  # no JSON
    refused = [
        not validator.is_valid(content)
        for content, message in WRONG
        if not any(value in message for value in beyond_it) and "000.*" not in message
    ]
    assert all(refused)
    assert len(refused) > 20


LIBRARY = {"selection": {"mode": "evenly_spaced", "files": [], "per_class": 5, "classes": ["a"]}}


@pytest.mark.parametrize(
    ("selection", "most"),
    [({}, 5), ({"classes": ["a", "b"]}, 10), ({"mode": "list", "files": ["x"] * 3}, 3)],
)
def test_ranks(selection, most):
    library = {"selection": LIBRARY["selection"] | selection}
    check_ranks({"pca": most, "smooth_nmf": 1}, "tiny", library)
    check_ranks({"pca": 10**6}, "tiny", {"selection": library["selection"] | {"mode": "all"}})
    with pytest.raises(ConfigurationError) as error:
        check_ranks({"pca": most + 1, "smooth_nmf": 99}, "tiny", library)
    assert str(error.value).splitlines() == [
        f"{step}.n_components: {rank} is more than the {most} spectra of tiny"
        for step, rank in (("pca", most + 1), ("smooth_nmf", 99))
    ]
