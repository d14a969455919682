"""Expressions of parameters, as an entry's parameters.derived has them.

Only what is listed here is evaluated: an entry may come from anybody, and is never run as code.
"""

import ast
import functools
from collections.abc import Callable, Mapping

import numpy as np

from . import LibraryError

LONGEST = 500  # characters
OPERATORS = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
    ast.Not: np.logical_not,
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
FUNCTIONS: dict[str, tuple[Callable[..., np.ndarray], int]] = {  # with its number of values
    "abs": (np.abs, 1),
    "exp": (np.exp, 1),
    "log": (np.log, 1),
    "log10": (np.log10, 1),
    "sqrt": (np.sqrt, 1),
    "where": (np.where, 3),
}
UNDERSTOOD = (
    "an expression has names of parameters, numbers, + - * / **, comparisons, and, or, not, and "
    f"the functions {', '.join(FUNCTIONS)}"
)


def evaluate(expression: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Evaluate an expression for each spectrum, (n_spectra,) in float64.

    values : by name, (n_spectra,) of float64, NaN where a parameter is not known.  There the
        result of an expression that names it is NaN too.  A comparison is 1 or 0.

    Raises LibraryError where the expression has anything but what is listed above, or where
    known parameters do not give a finite number.
    """
    try:
        if len(expression) > LONGEST:
            raise LibraryError(f"it has more than {LONGEST} characters; {UNDERSTOOD}")
        tree = ast.parse(expression.strip(), mode="eval").body
        with np.errstate(all="ignore"):
            found = _value(tree, values)
    except LibraryError:
        raise
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise LibraryError(f"it cannot be read; {UNDERSTOOD}") from error
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & values.keys()
    known = np.all([np.isfinite(values[name]) for name in names], axis=0)
    found = np.broadcast_to(found, known.shape)
    if not np.isfinite(found[known]).all():
        row = np.flatnonzero(known & ~np.isfinite(found))[0]
        at = ", ".join(f"{name} = {values[name][row]:g}" for name in sorted(names))
        raise LibraryError(f"it is no finite number where {at}" if at else "it is no finite number")
    return np.where(known, found, np.nan)


def _value(node: ast.AST, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The value of a part of the expression, in float64, so that no number grows endlessly."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.asarray(number, float)
        case ast.Name() if node.id in values:
            return values[node.id]
        case ast.Name() if node.id not in FUNCTIONS:
            there = f"there are {', '.join(values)}" if values else "there is none"
            raise LibraryError(f"{node.id} is no parameter that is a number throughout; {there}")
        case ast.BinOp(op=op, left=left, right=right):
            parts = [left, right]
        case ast.UnaryOp(op=op, operand=operand):
            parts = [operand]
        case ast.BoolOp(op=op, values=[first, *rest]):
            parts = [first, rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)]
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            type(op) in OPERATORS for op in ops
        ):
            operands = [_value(part, values) for part in (left, *others)]  # of a < b < c each once
            pairs = zip(ops, operands, operands[1:], strict=False)
            found = [OPERATORS[type(op)](first, second) for op, first, second in pairs]
            return np.asarray(functools.reduce(np.logical_and, found), float)
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
            function, n_values = FUNCTIONS[name]
            if len(parts) != n_values:
                raise LibraryError(f"{name} takes {n_values} values, not {len(parts)}")
            return np.asarray(function(*(_value(part, values) for part in parts)), float)
        case _:
            raise _not_understood(node)
    if type(op) not in OPERATORS:
        raise _not_understood(node)
    return np.asarray(OPERATORS[type(op)](*(_value(part, values) for part in parts)), float)


def _not_understood(node: ast.AST) -> LibraryError:
    return LibraryError(f"'{ast.unparse(node)}' is not understood; {UNDERSTOOD}")
