"""Pages of the report, from their templates."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from spectralunmix.files import replacing

TEMPLATES = Path(__file__).parent / "templates"
# Columns of selection.ecsv that are not parameters of the stars
BOOKKEEPING = ("file", "class", "class_rank", "class_size", "divisor", "n_filled", "n_clipped")


def write_page(path: str, template: str, **values: object) -> None:
    """The template of that name, filled in; a value that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    with replacing(path) as part:
        part.write_text(environment.get_template(template).render(**values), encoding="utf-8")
