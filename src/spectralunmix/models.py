"""Types of values, and messages of mistakes, for the models of configuration and entries."""

import difflib
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin

from annotated_types import Ge, Gt, Interval
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from spectralunmix.errors import ConfigurationError

Key = tuple[str | int, ...]
Mistake = tuple[Key, str]  # the key, relative to the model, and what is wrong with it

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NOT_ONE_LINE = re.compile(r"[<>\x00-\x1f\x7f-\x9f\u2028\u2029]")
MOST_SHOWN = 60  # characters of a wrong value that a message repeats


class Model(BaseModel):
    """Keys and values of a YAML file; a key that is not a field is a mistake."""

    model_config = ConfigDict(extra="forbid")

    def mistakes(self) -> Iterable[Mistake]:
        """Mistakes in the combination of keys; each key has been checked by itself."""
        return ()

    @model_validator(mode="after")
    def _without_mistakes(self) -> Self:
        found = [
            InitErrorDetails(type=mistake(why), loc=key, input=None) for key, why in self.mistakes()
        ]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self


def mistake(why: str) -> PydanticCustomError:
    """An error with that text as its message."""
    return PydanticCustomError("mistake", "{why}", {"why": why})


def shown(value: Any) -> str:
    """A value as messages show it: as in YAML, cut off where it is long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def number(value: Any) -> int | float:
    """A finite number; it may be text, because Snakemake passes 1e-8 on as text."""
    if isinstance(value, str) and len(value) <= MOST_SHOWN and NUMBER.fullmatch(value):
        value = int(value) if value.lstrip("+-").isdigit() else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise mistake("has no value" if value is None else f"{shown(value)} is not a number")
    if not abs(value) <= sys.float_info.max:  # NaN, infinity, integers of hundreds of digits
        raise mistake(f"{shown(value)} is not a number to work with")
    return value


def whole_number(value: Any) -> int:
    value = number(value)
    if value != math.floor(value):
        raise mistake(f"{value} is not a whole number")
    return int(value)


def within_limits(value: Any, limits: Callable[[Any], float]) -> int | float:
    """Check a number against its limits, and return it as it is given, 10 or 10.0."""
    value = number(value)
    limits(value)
    return value


def number_or_text(value: Any) -> int | float | str:
    if isinstance(value, bool | list | dict):
        raise mistake(f"{shown(value)} is neither a number nor text")
    return value if isinstance(value, str) else number(value)


def whole_number_or_text(value: Any) -> int | str:
    value = number_or_text(value)
    return value if isinstance(value, str) else whole_number(value)


def switch(value: Any) -> bool:
    """True or false, which may be text, as in `--config smooth_nmf='{strict: false}'`."""
    value = SWITCHES.get(value.lower(), value) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise mistake(f"{shown(value)} is neither true nor false")
    return value


def anything(value: Any) -> Any:
    """Any value of YAML, except for NaN and infinity."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            anything(item)
        elif isinstance(item, float):
            number(item)
    return value


def one_line(text: str) -> str:
    """A single line of text, which pages and figures can show."""
    if NOT_ONE_LINE.search(text):
        raise mistake(
            f"{shown(text)} is not one line of text, without angle brackets and control characters"
        )
    return text


def file_pattern(text: str) -> str:
    """A shell pattern that ends with the name of a file."""
    name = text.rpartition("/")[2]
    if "**" in text or "\n" in text or name in ("", ".", ".."):
        raise mistake(
            f"{shown(text)} names no file: write a shell pattern of its name or of the end of its "
            "path, without **"
        )
    return text


def without_doubles(values: list) -> list:
    if doubles := [value for i, value in enumerate(values) if value in values[:i]]:
        raise mistake(f"{shown(doubles[0])} is there twice")
    return values


Number = WrapValidator(within_limits)  # after the limits, as in Annotated[float, Ge(0), Number]
NotNegative = Annotated[float, Ge(0), Number]
Lambda = Annotated[float, Interval(ge=0, le=1e9), Number]  # the fit's own limit: MOST_SMOOTHNESS
Positive = Annotated[float, Gt(0), Number]
Share = Annotated[float, Interval(ge=0, le=1), Number]
Whole = BeforeValidator(whole_number)
WholeNumber = Annotated[int, Whole]
FromZero = Annotated[int, Ge(0), Whole]
FromOne = Annotated[int, Ge(1), Whole]
NumberOrText = Annotated[
    int | float | str, PlainValidator(number_or_text, json_schema_input_type=int | float | str)
]
WholeNumberOrText = Annotated[
    int | str, PlainValidator(whole_number_or_text, json_schema_input_type=int | str)
]
Switch = Annotated[bool, BeforeValidator(switch)]
AnyList = Annotated[list[Any], AfterValidator(anything)]
Line = Annotated[
    str,
    AfterValidator(one_line),
    Field(json_schema_extra={"pattern": r"^[^<>\x00-\x1f\x7f-\x9f\u2028\u2029]*$"}),
]
FilePattern = Annotated[
    str,
    AfterValidator(file_pattern),
    Field(json_schema_extra={"pattern": r"^(?!.*\*\*)(.*/)?(?!\.{1,2}$)[^/]+$"}),
]
WithoutDoubles = (AfterValidator(without_doubles), Field(json_schema_extra={"uniqueItems": True}))


def optional(description: str, **limits: Any) -> Any:
    """A field without a default: a key that is absent stays absent."""
    return Field(
        None,
        description=description,
        exclude_if=lambda value: value is None,
        **limits,
    )


def checked(model: type[Model], content: object, file: Path | str) -> dict:
    """Check the content of a file, and add the defaults.

    Parameters
    ----------
    model : type of Model
        The keys and values that are allowed.
    content : object
        The content, as it was read.
    file : path or str
        The name of the file, with which messages begin.

    Returns
    -------
    dict
        Plain values. The keys are in the order of the content; keys that have defaults follow, in
        the order of the model.

    Raises
    ------
    ConfigurationError
        A line for each mistake: the file, the key, what is wrong and the way out.
    """
    try:
        found = model.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError.of(file, _lines(error, model, content)) from None
    return _in_order(content, found.model_dump(by_alias=True))


def _in_order(given: Any, values: Any) -> Any:
    if isinstance(values, dict):
        given = given if isinstance(given, dict) else {}
        keys = dict.fromkeys([*(key for key in given if key in values), *values])
        return {key: _in_order(given.get(key), values[key]) for key in keys}
    if isinstance(values, list) and isinstance(given, list):
        return [_in_order(*pair) for pair in zip(given, values, strict=True)]
    return values


def keys(model: type[BaseModel], before: tuple[str, ...] = ()) -> Iterator[tuple[tuple, FieldInfo]]:
    """Every key that a model takes, with its field.

    A key is a tuple of names, with "[]" for the items of a list, "*" for the names that a user
    gives, and "=text" for the model that a reader named `text` selects.
    """
    for name, field in model.model_fields.items():
        key = (*before, field.alias or name)
        yield key, field
        for inside, part in _models_in(field.annotation):
            yield from keys(part, key + inside)


def _models_in(annotation: Any, tagged: str | None = None) -> Iterator[tuple[tuple, type]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        tags = get_args(annotation.model_fields[tagged].annotation) if tagged else ()
        yield tuple(f"={tag}" for tag in tags), annotation
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        fields = [extra for extra in arguments if isinstance(extra, FieldInfo)]
        names = (field.discriminator for field in fields)
        tagged = next((name for name in names if isinstance(name, str)), None)
    step = {list: ("[]",), dict: ("*",)}.get(origin, ())
    for argument in arguments:
        for inside, part in _models_in(argument, tagged):
            yield step + inside, part


# Messages in plain words for pydantic's errors, by type.
MESSAGES = {
    "missing": "is missing",
    "string_type": "{value} is not text: put it in quotes",
    "string_too_short": "is empty",
    "greater_than": "{value} is not more than {gt:g}",
    "greater_than_equal": "{value} is less than {ge:g}, the least",
    "less_than_equal": "{value} is more than {le:g}, the most",
    "literal_error": "{value} is none of {expected}",
    "too_short": "has {actual_length} entries, fewer than {min_length}",
    "too_long": "has {actual_length} entries, more than {max_length}",
    "list_type": "{value} is not a list: put it in [ ]",
    "dict_type": "{value} is not keys with values",
    "model_type": "{value} is not keys with values",
    "model_attributes_type": "{value} is not keys with values",
    "mistake": "{why}",
    "union_tag_invalid": "{tag!r} is none of {expected_tags}",
    "union_tag_not_found": "is missing",
}


def _lines(error: ValidationError, model: type[Model], content: object) -> Iterator[str]:
    """A line for each mistake: its key, and what is wrong."""
    for details in error.errors(include_url=False):
        key, kind = _key(details["loc"], content), details["type"]
        if kind.startswith("union_tag"):
            key = f"{key}.{details['ctx']['discriminator'].strip(chr(39))}"
        if kind == "extra_forbidden":
            message = _unexpected(details["loc"], model)
        else:
            message = _message(kind, details["input"], details["msg"], details.get("ctx", {}))
        yield f"{key or 'top level'}: {message}"


def _message(kind: str, value: Any, message: str, context: dict) -> str:
    """The message of a pydantic error, in plain words."""
    if value is None and kind.endswith("_type"):
        return "has no value"
    if kind == "string_type" and isinstance(value, list | dict):
        return f"{shown(value)} is not text"
    if kind == "literal_error":
        context = {"expected": context["expected"].replace("None", "null")}
    known = MESSAGES.get(kind, "{value}: {message}")
    return known.format(**{"value": shown(value), "message": message} | context)


def _key(location: Key, content: Any) -> str:
    """The key as the file has it, without the names of models that pydantic adds."""
    parts, at = [], content
    for i, part in enumerate(location):
        there = part in at if isinstance(at, dict) else isinstance(part, int)
        if isinstance(at, dict):
            at = at.get(part, at)
        elif isinstance(part, int):
            at = at[part] if isinstance(at, list) else None
        if part != "[key]" and (there or i == len(location) - 1):
            parts.append(str(part))
    return ".".join(parts)


def _unexpected(location: Key, model: type[Model]) -> str:
    """The message for an unexpected key, with the key that may be meant."""

    def fits(part: str, place: str | int) -> bool:
        if part == "[]":
            return isinstance(place, int)
        return part in ("*", f"={place}", place)

    *before, last = location
    known = [
        key[-1]
        for key, _ in keys(model)
        if len(key) == len(location) and all(map(fits, key[:-1], before))
    ]
    there = ", ".join(known)
    if near := difflib.get_close_matches(last, known, 1):
        return f"'{last}' was unexpected: is `{near[0]}` meant, of {there}?"
    return f"'{last}' was unexpected: {f'the keys here are {there}' if known else 'it has no keys'}"
