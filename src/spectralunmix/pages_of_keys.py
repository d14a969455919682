"""The tables of keys in the pages, and the JSON schemas for editors, made from the models.

Run in the folder of the repository, as `make keys`:

    python -m spectralunmix.pages_of_keys
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from spectralunmix.configuration import Configuration
from spectralunmix.cubes.entry import CubeEntry
from spectralunmix.libraries.entry import Entry
from spectralunmix.models import Model, keys

TABLE = re.compile(
    r"(?<=^\| key \| default \| meaning \|\n\| --- \| --- \| --- \|\n)(\|.*\n)+", re.M
)
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class ForEditors(GenerateJsonSchema):
    """Without titles that repeat the keys, and without defaults that are no values."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        inner = self.generate_inner(schema["schema"])
        takes_null = {"type": "null"} in inner.get("anyOf", []) or None in inner.get("enum", [])
        if schema.get("default") is None and "default_factory" not in schema and not takes_null:
            return inner
        return super().default_schema(schema)


def json_schema(model: type[Model]) -> str:
    """The JSON schema of a model, as a file has it."""
    schema = model.model_json_schema(schema_generator=ForEditors)
    return json.dumps({"$schema": DIALECT} | schema, indent=2, ensure_ascii=False) + "\n"


def rows(model: type[Model]) -> Iterator[str]:
    """The lines of a table of keys; a key that readers differ in has one for each meaning."""
    children: dict[str, dict[str, dict[tuple[str, str], Row]]] = {}
    readers: dict[str, None] = {}
    for key, field in keys(model):
        *above, name = (part for part in key if not part.startswith("="))
        meanings = children.setdefault(".".join(above), {}).setdefault(name, {})
        row = meanings.setdefault((default(field), field.description or ""), Row([], []))
        row.choices.extend(c for c in choices_of(field) if c not in row.choices)
        row.readers.extend(part[1:] for part in key if part.startswith("="))
        readers |= dict.fromkeys(row.readers)

    def lines(above: str) -> Iterator[str]:
        for name, meanings in children.get(above, {}).items():
            key = f"{above}.{name}".lstrip(".").replace(".[]", "[]")
            for (value, description), row in meanings.items():
                yield f"| `{key}` | {value} | {row.meaning(description, len(readers))} |"
            for inside in ("", ".[]", ".*"):
                yield from lines(f"{above}.{name}{inside}".lstrip("."))

    yield from lines("")


class Row(NamedTuple):
    """What a line of the table says beside the key."""

    choices: list[str]
    readers: list[str]

    def meaning(self, description: str, n_readers: int) -> str:
        some = self.readers and len(self.readers) < n_readers
        start = f"{', '.join(f'`{reader}`' for reader in self.readers)}: " if some else ""
        end = f" ({', '.join(f'`{choice}`' for choice in self.choices)})" if self.choices else ""
        return f"{start}{description}{end}"


def default(field: FieldInfo) -> str:
    """The default as a table shows it; `-` where the key is required."""
    if field.is_required():
        return "-"
    if field.exclude_if is not None:
        return "see meaning"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Model):
        return "`{}`"
    return f"`{value if isinstance(value, str) else re.sub('e-0', 'e-', json.dumps(value))}`"


def choices_of(field: FieldInfo) -> list[str]:
    """The values of which a key takes one, where it has such a list."""
    if get_origin(field.annotation) is not Literal:
        return []
    return ["null" if choice is None else choice for choice in get_args(field.annotation)]


def generated(root: Path) -> dict[Path, str]:
    """Every file that has something of the models in it, with the text that it should have."""
    texts = {}
    for page, model, schema in (
        ("docs/workflow/configuration.md", Configuration, "config"),
        ("docs/workflow/libraries.md", Entry, "library"),
        ("docs/workflow/cube_entries.md", CubeEntry, "cube"),
    ):
        text, table = (root / page).read_text(encoding="utf-8"), "\n".join(rows(model)) + "\n"
        found = list(TABLE.finditer(text))
        if len(found) != 1:
            raise ValueError(f"{page}: one table of key, default and meaning is expected")
        texts[root / page] = text[: found[0].start()] + table + text[found[0].end() :]
        texts[root / f"config/schema/{schema}.schema.json"] = json_schema(model)
    return texts


def main() -> None:
    for path, text in generated(Path()).items():
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{path}: renewed")


if __name__ == "__main__":
    main()
