"""YAML files: read as YAML 1.2 has them, with all that is wrong named by its line."""

import time

import pytest

from spectralunmix.errors import ConfigurationError
from spectralunmix.yaml_files import parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("1e-8", 1e-8),
        ("1E4", 1e4),
        ("5e3", 5000.0),
        ("'1e-8'", "1e-8"),
        ("010", 10),
        ("0x1f", 31),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("~", None),
        ("", None),
        ("=", "="),
        ("[1, a, {b: 2.5}]", [1, "a", {"b": 2.5}]),
        ("{a: &a [1], b: *a}", {"a": [1], "b": [1]}),
    ],
)
def test_values(text, value):
    found = parse_yaml(text, "f.yaml")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "a is there twice, in lines 1 and 3"),
        ("x:\n  a: {b: 1, b: 1}", "b is there twice, in lines 2 and 2"),
        ("1: a", "the key 1 is not text: put it in quotes, line 1"),
        ("a: {true: 1}", "the key true is not text: put it in quotes, line 1"),
        ("? [a]\n: 1", "the key of several values is not text: put it in quotes, line 1"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: !!python/object.* no kind of value"),
        ("a: !!set {a}", "line 1: !!set is no kind of value that is read"),
        ("a: !!binary aGk=", "line 1: !!binary is no kind of value that is read"),
        ("a: !!bool maybe", "line 1: maybe is no bool"),
        ("a: " + "1" * 5000, "line 1: 1{20} is no int"),
        ("a: [1", r"line 1: while parsing a flow sequence, expected ',' or ']'"),
        ("a: b: c", "line 1: mapping values are not allowed here"),
        ("a: *b", "line 1: found undefined alias 'b'"),
        ("a\n---\nb", "line 2: expected a single document"),
        ("a: \x07", "unacceptable character #x0007"),
        ("[" * 5000, "lists or keys are nested too deeply"),
        ("a: &a [*a]", "more than 100000 values, aliases counted in full"),
    ],
)
def test_mistakes_are_one_line_each(text, message):
    with pytest.raises(ConfigurationError, match=rf"^f\.yaml: {message}") as error:
        parse_yaml(text, "f.yaml")
    assert len(str(error.value).splitlines()) == 1


def test_all_mistakes_are_named():
    with pytest.raises(ConfigurationError) as error:
        parse_yaml("a: {1: 2}\nb: !!set {c}\na: 3\n", "f.yaml")
    assert str(error.value).splitlines() == [
        "f.yaml: a is there twice, in lines 1 and 3",
        "f.yaml: the key 1 is not text: put it in quotes, line 1",
        "f.yaml: line 2: !!set is no kind of value that is read",
    ]


def test_aliases_that_multiply_end_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    began = time.perf_counter()
    with pytest.raises(ConfigurationError, match="more than 100000 values"):
        parse_yaml("\n".join(lines), "f.yaml")
    assert time.perf_counter() - began < 5


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "f.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigurationError, match=r"f\.yaml: not text in UTF-8"):
        read_yaml(tmp_path / "f.yaml")


def test_a_mistake_is_shown_without_control_characters():
    with pytest.raises(ConfigurationError) as error:
        parse_yaml('"a\\nb": 1\n"a\\nb": 2', "f.yaml")
    assert str(error.value) == "f.yaml: a\\nb is there twice, in lines 1 and 2"
