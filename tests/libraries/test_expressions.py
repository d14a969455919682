"""What an entry may compute from its parameters, and that nothing else runs."""

import time

import numpy as np
import pytest

from spectralunmix.errors import LibraryError
from spectralunmix.libraries.expressions import evaluate

VALUES = {"a": np.array([1.0, 4.0, np.nan]), "b": np.array([-3.0, 0.5, 1.0])}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a * (2 + b) / 10", [-0.1, 1.0]),
        ("-a ** 2 - +1", [-2, -17]),
        ("log10(a) + log(a) + exp(b)", [np.exp(-3), np.log10(4) + np.log(4) + np.exp(0.5)]),
        ("sqrt(a) * abs(b)", [3, 1]),
        ("where(b < 0, 10, a)", [10, 4]),
        ("0 < a <= 1 and not b > 0", [1, 0]),
        ("a == 4 or b != -3 or a >= 9", [0, 1]),
        (" 1e3 ", [1000, 1000]),
        ("0 < a < 4 < 5 != b", [1, 0]),
        ("-4 < b <= a < 4.5", [1, 1]),
    ],
)
def test_values(expression, expected):
    np.testing.assert_allclose(np.broadcast_to(evaluate(expression, VALUES), 3)[:2], expected)


def test_comparisons_within_comparisons_are_each_made_once():
    expression = "a"
    for _ in range(20):
        expression = f"0<({expression})<9"
    began = time.monotonic()
    assert evaluate(expression, VALUES)[:2].tolist() == [1, 1]
    assert time.monotonic() - began < 1


def test_of_a_parameter_that_is_not_known_nothing_is():
    for expression in ("a + b", "a > 2", "where(a > 2, 1, 0)"):
        assert np.isnan(evaluate(expression, VALUES)).tolist() == [False, False, True]
    assert evaluate("b > 0", VALUES).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "expression",
    [
        "@pd.io.common.os.system('true')",
        "a.to_csv('x')",
        "a.__class__",
        "a[0]",
        "__import__('os')",
        "abs.__globals__",
        "'text'",
        "f'{a}'",
        "lambda: 1",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "(x := 1)",
        "a if b else 1",
        "a @ b",
        "a & b",
        "a in b",
        "0 < a in b",
        "a; b",
        "abs",
        "abs(*a)",
        "abs(a, out=b)",
        "1j",
        "",
        "\0",
        "-" * 499 + "a",
        "(" * 400 + "a" + ")" * 90,
        "a + " * 200 + "a",
        "1" + "0" * 400,
    ],
)
def test_anything_else_is_refused_in_one_message(expression):
    with pytest.raises(LibraryError, match="an expression has names of parameters, numbers"):
        evaluate(expression, VALUES)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("c + 1", "^c is no parameter that is a number throughout; there are a, b$"),
        ("log10(b)", "^it is no finite number where b = -3$"),
        ("1 / (b - 0.5)", "^it is no finite number where b = 0.5$"),
        ("9 ** 9 ** 9 ** 9", "^it is no finite number$"),
        ("b ** 9 ** 9 ** 9", "^it is no finite number where b = -3$"),
        ("where(a, b)", "^where takes 3 values, not 2$"),
    ],
)
def test_what_gives_no_number_is_named(expression, message):
    with pytest.raises(LibraryError, match=message):
        evaluate(expression, VALUES)
