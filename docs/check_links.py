"""Check every link and picture of the built site that leads to a file of it.

    check_links.py docs/_build/html

Addresses of other sites are not asked for: the site is made without a network.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links, pictures and anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if value and key in ("id", "name"):
                self.anchors.add(value)
            elif value and key in ("href", "src"):
                self.links.add(value)


def parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def broken(folder: Path) -> list[str]:
    """Links of the site's pages that lead to no file of it, the gallery's own pages left out."""
    pages = {
        path: parsed(path)
        for path in folder.rglob("*.html")
        if path.relative_to(folder).parts[0] != "gallery"
    }
    if not pages:
        return [f"{folder}: no pages"]
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = target.is_relative_to(folder) and target.is_file()
            if there and parts.fragment and target in pages:
                there = unquote(parts.fragment) in pages[target].anchors
            if not there:
                found.append(f"{path.relative_to(folder)}: {link}")
    return found


if __name__ == "__main__":
    lines = broken(Path(sys.argv[1]).resolve())
    print("\n".join(lines) or "every link of the site leads somewhere")
    sys.exit(bool(lines))
