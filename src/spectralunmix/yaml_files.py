"""Reads YAML 1.2 files as plain values, without objects that a file could ask for."""

from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.constructor import BaseConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spectralunmix.errors import ConfigurationError

MOST_VALUES = 100_000  # in a file, with aliases; the longest entry has some hundreds
TAG = "tag:yaml.org,2002:"
TEXT = {f"{TAG}str", f"{TAG}timestamp", f"{TAG}merge", f"{TAG}value"}  # as YAML 1.2 has them
VALUES = {f"{TAG}{name}" for name in ("null", "bool", "int", "float")}
COLLECTIONS = {f"{TAG}map", f"{TAG}seq"}


def read_yaml(file: Path | str) -> object:
    """Read a YAML file with `parse_yaml`."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: not text in UTF-8: {error}") from None
    return parse_yaml(text, file)


def parse_yaml(text: str, origin: Path | str) -> object:
    """Parse a YAML text: mappings, lists, text, numbers, true, false and null.

    Parameters
    ----------
    text : str
    origin : path or str
        The file or option that the text comes from, for messages.

    Returns
    -------
    dict, list, str, int, float, bool or None

    Raises
    ------
    ConfigurationError
        The text is not YAML, or has a key twice, a key that is not text, a tag for another kind of
        value, or aliases that stand for more than `MOST_VALUES` values. The message has a line for
        each mistake.
    """
    reader = YAML(typ="safe", pure=True)
    try:
        root = reader.compose(text)
        mistakes = [] if root is None else list(_mistakes(root))
        if not mistakes:
            return None if root is None else _value(root, reader.constructor)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        mistakes = [place + ", ".join(filter(None, (error.context, error.problem)))]
    except RecursionError:
        mistakes = ["lists or keys are nested too deeply"]
    except YAMLError as error:
        mistakes = [" ".join(str(error).split())]
    raise ConfigurationError.of(origin, mistakes)


def _line(node: Node) -> int:
    return node.start_mark.line + 1


def _mistakes(root: Node) -> Iterator[str]:
    """Mistakes in the nodes of a document; the values of aliases are counted each time."""
    waiting, seen, count = [root], set(), 0
    while waiting:
        node = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            yield f"more than {MOST_VALUES} values, aliases counted in full"
            return
        if isinstance(node, MappingNode):
            waiting += [value for _, value in reversed(node.value)]
        elif isinstance(node, SequenceNode):
            waiting += reversed(node.value)
        if id(node) not in seen:
            seen.add(id(node))
            yield from _mistakes_of(node)


def _mistakes_of(node: Node) -> Iterator[str]:
    tag = str(node.tag)
    if tag not in TEXT | VALUES | COLLECTIONS:
        yield f"line {_line(node)}: {tag.replace(TAG, '!!')} is no kind of value that is read"
    if not isinstance(node, MappingNode):
        return
    first: dict[str, int] = {}
    for key, _ in node.value:
        if key.tag not in TEXT:
            shown = key.value if isinstance(key, ScalarNode) else "of several values"
            yield f"the key {shown} is not text: put it in quotes, line {_line(key)}"
        elif key.value in first:
            yield f"{key.value} is there twice, in lines {first[key.value]} and {_line(key)}"
        else:
            first[key.value] = _line(key)


def _value(node: Node, constructor: BaseConstructor) -> object:
    if isinstance(node, MappingNode):
        return {key.value: _value(value, constructor) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_value(item, constructor) for item in node.value]
    if node.tag in TEXT:
        return node.value
    try:
        return constructor.construct_object(node)
    except (KeyError, ValueError):  # as of !!bool maybe, or of thousands of digits
        problem = f"{node.value[:20]} is no {str(node.tag).removeprefix(TAG)}"
        raise MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None
