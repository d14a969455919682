"""What is made from the project itself: a page for each step, and the cards of the gallery."""

import ast
import html
import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from spectralunmix import workflow as steps
from spectralunmix.configuration import Configuration
from spectralunmix.cubes import entry as of_cubes
from spectralunmix.errors import ConfigurationError
from spectralunmix.libraries import entry as of_libraries
from spectralunmix.models import keys

RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", re.M | re.S)
# setting("part", "key"), config["part"]["key"] and, where a function of the workflow takes the
# part as a whole, config["part"]
SETTING = re.compile(
    r'(?:setting\(|(?:config|settings|settings\(w\))\[)"(\w+)"(?:(?:, |\]\[)"(\w+)"|\])'
)
PICTURES = ("figure.png", "cube.png")
LIVE = {"report.html": "report", "interactive.html": "zoom in", "cube.html": "every spaxel"}
KINDS = {
    "libraries": ("Libraries", "LIBRARY", of_libraries.read_entry),
    "cubes": ("Cubes", "CUBE", of_cubes.read_entry),
}


def meanings() -> dict[str, str]:
    """What each key of the configuration means."""
    return {".".join(key): field.description or "" for key, field in keys(Configuration)}


def settings_of(text: str) -> Iterator[tuple[str, str]]:
    """Part and key, or part and "", of the settings that a rule takes, or a function it calls."""
    yield from SETTING.findall(text)
    for name in re.findall(r"steps\.(\w+)\(", text):
        yield from SETTING.findall(inspect.getsource(getattr(steps, name)))


def step_page(name: str, text: str, root: Path) -> str:
    """The page of a step: what it does, the files it takes and makes, its settings, its code."""
    script = re.search(r'"\.\./scripts/(\w+\.py)"', text)[1]
    source = (root / "workflow/scripts" / script).read_text(encoding="utf-8")
    made = re.findall(r'"(results/[^"]+)"', text[text.index("output:") :])
    lines = [f"# {name}", "", ast.get_docstring(ast.parse(source)) or "", ""]
    lines += ["**Writes**", "", *(f"- `{path}`" for path in dict.fromkeys(made)), ""]
    taken = [f"{part}.{key}" for part, key in settings_of(text)]
    described = [
        f"- `{key}`: {meaning}"
        for key, meaning in meanings().items()
        if key in taken or ("." in key and f"{key.split('.')[0]}." in taken)
    ]
    if described:
        lines += ["**Settings** ([all of them](../configuration.md))", "", *described, ""]
    lines += ["**Rule**", "", "```python", f"rule {name}:", text.rstrip(), "```", ""]
    lines += [f"**Script**, `workflow/scripts/{script}`", "", "```python", source.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def write_steps(root: Path) -> None:
    """A page for each rule, and their list by the files of rules."""
    folder = root / "docs/workflow/steps"
    folder.mkdir(parents=True, exist_ok=True)
    index, names = ["# Steps", "", "Each step is a rule with a short script. "], []
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        found = RULE.findall(text)
        if found:
            index += ["", f"**{text.splitlines()[0].lstrip('# ').rstrip('.')}**", ""]
        for name, body in found:
            page = step_page(name, body, root)
            write_text(folder / f"{name}.md", page)
            index.append(f"- [{name}]({name}.md): {page.splitlines()[2]}")
            names.append(name)
    write_text(
        folder / "index.md", "\n".join([*index, "", "```{toctree}", ":hidden:", "", *names, "```"])
    )
    for path in folder.glob("*.md"):
        if path.stem not in {"index", *names}:
            path.unlink()


def as_text(text: str) -> str:
    """An entry's text for a page in Markdown: no character of it is markup."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def files_to_show(made: Path) -> list[str]:
    """Pictures and live pages of a run that ended, but for pages of an earlier fit than its own."""
    if not (made / "manifest.json").is_file():
        return []
    of_fit = [made / file for file in ("nmf_components.ecsv", "assignments.ecsv")]
    fitted = max((path.stat().st_mtime for path in of_fit if path.is_file()), default=0.0)
    pages = [made / file for file in LIVE if (made / file).is_file()]
    current = [path.name for path in pages if path.stat().st_mtime >= fitted]
    return [*(file for file in PICTURES if (made / file).is_file()), *current]


def card(root: Path, kind: str, name: str, entry: dict) -> list[str]:
    """The gallery's card of a library or a cube: its picture and its live pages."""
    made, site = root / "results" / name, root / "docs/_site/gallery" / name
    option = KINDS[kind][1]
    lines = [f":::{{grid-item-card}} {as_text(entry['name'])}"]
    there = files_to_show(made)
    for file in there:
        site.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / file, site / file)
    address, title = f"gallery/{name}", html.escape(entry["name"])
    for file in [file for file in there if file in PICTURES][:1]:
        image = f'<img alt="{title}" loading="lazy" src="{address}/{file}">'
        lines += [f'<a href="{address}/{file}">{image}</a>', ""]
    lines += [as_text(entry["citation"]), ""]
    links = [f'<a href="{address}/{file}">{LIVE[file]}</a>' for file in there if file in LIVE]
    if links:
        lines += [" | ".join(links), ""]
    addresses = [a for of in entry["sources"] for file in of["files"] for a in file["addresses"]]
    own = "" if any(":" in address for address in addresses) else f" {option}_PATH=<file>"
    said = "Run on files in its layout, not yet on its own. " if entry["run_on"] == "layout" else ""
    return [*lines, f"{said}`make report {option}={name}{own}`", ":::"]


def entries(root: Path, kind: str) -> dict[str, dict]:
    """By name, those with results first. What is no valid entry is left out, and that is said."""
    found = {}
    for path in sorted((root / "config" / kind).glob("*.yaml"), key=lambda path: path.stem):
        try:
            if path.stem != "mine":  # an entry to fill in
                found[path.stem] = KINDS[kind][2](path)
        except ConfigurationError as error:
            print(f"left out of the gallery: {str(error).splitlines()[0]}", file=sys.stderr)
    return dict(sorted(found.items(), key=lambda of: not files_to_show(root / "results" / of[0])))


def write_gallery(root: Path) -> None:
    """The cards of docs/gallery.md, of the results that there are."""
    shutil.rmtree(root / "docs/_site", ignore_errors=True)
    (root / "docs/_site").mkdir()
    text = []
    for kind, (title, *_) in KINDS.items():
        found = entries(root, kind)
        if found:
            text += [f"## {title}", "", "::::{grid} 1 1 2 2", ":gutter: 3", ""]
            for name, entry in found.items():
                text += [*card(root, kind, name, entry), ""]
            text += ["::::", ""]
    write_text(root / "docs/_cards.md", "\n".join(text))


def write_text(path: Path, text: str) -> None:
    """Write a file, unless it has that text: Sphinx reads again what is newer."""
    text = text.rstrip() + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def write(root: Path) -> None:
    """All pages that are made."""
    write_steps(root)
    write_gallery(root)
