"""What is made from the project itself: a page for each step, and the cards of the gallery."""

import ast
import re
import shutil
from pathlib import Path

import yaml

from spectralunmix.configuration import Configuration
from spectralunmix.models import keys

RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", re.M | re.S)
SETTING = re.compile(r'(?:setting\(|config\[)"(\w+)"(?:, |\]\[)"(\w+)"')
LIVE = ("figure.png", "report.html", "interactive.html", "cube.png", "cube.html")


def meanings() -> dict[str, str]:
    """What each key of the configuration means."""
    return {".".join(key): field.description or "" for key, field in keys(Configuration)}


def step_page(name: str, text: str, root: Path) -> str:
    """The page of a step: what it does, the files it takes and makes, its settings, its code."""
    script = re.search(r'"\.\./scripts/(\w+\.py)"', text)[1]
    source = (root / "workflow/scripts" / script).read_text(encoding="utf-8")
    made = re.findall(r'"(results/[^"]+)"', text[text.index("output:") :])
    lines = [f"# {name}", "", ast.get_docstring(ast.parse(source)) or "", ""]
    lines += ["**Writes**", "", *(f"- `{path}`" for path in dict.fromkeys(made)), ""]
    known = meanings()
    settings = [f"{section}.{key}" for section, key in SETTING.findall(text)]
    described = [f"- `{key}`: {known[key]}" for key in dict.fromkeys(settings) if key in known]
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


def card(root: Path, kind: str, entry_path: Path) -> list[str]:
    """The gallery's card of a library or a cube: its picture and its live pages."""
    name, entry = entry_path.stem, yaml.safe_load(entry_path.read_text(encoding="utf-8"))
    made, site = root / "results" / name, root / "docs/_site/gallery" / name
    there = [file for file in LIVE if (made / file).is_file()]
    lines = [f":::{{grid-item-card}} {entry['name']}"]
    for file in there:
        site.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / file, site / file)
    pictures = [file for file in there if file.endswith(".png")]
    if pictures:
        image = f"gallery/{name}/{pictures[0]}"
        lines += [
            f'<a href="{image}"><img alt="{entry["name"]}" loading="lazy" src="{image}"></a>',
            "",
        ]
    lines += [f"{entry['citation']}", ""]
    words = {"report.html": "report", "interactive.html": "zoom in", "cube.html": "every spaxel"}
    links = [
        f'<a href="gallery/{name}/{file}">{words[file]}</a>' for file in there if file in words
    ]
    if links:
        lines += [" | ".join(links), ""]
    option = {"libraries": "LIBRARY", "cubes": "CUBE"}[kind]
    of_layout = entry.get("run_on") != "original"
    said = "Not run on its own files here. " if of_layout else ""
    lines += [f"{said}`make report {option}={name}`", ":::"]
    return lines


def write_gallery(root: Path) -> None:
    """The cards of docs/gallery.md, of the results that there are."""
    shutil.rmtree(root / "docs/_site", ignore_errors=True)
    (root / "docs/_site").mkdir()
    text = []
    for kind, title in (("libraries", "Libraries"), ("cubes", "Cubes")):
        text += [f"## {title}", "", "::::{grid} 1 1 2 2", ":gutter: 3", ""]
        entries = sorted((root / "config" / kind).glob("*.yaml"), key=lambda path: path.stem)
        pictured = [p for p in entries if (root / "results" / p.stem / "manifest.json").is_file()]
        for path in [*pictured, *(path for path in entries if path not in pictured)]:
            if path.stem != "mine":  # an entry to fill in
                text += [*card(root, kind, path), ""]
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
