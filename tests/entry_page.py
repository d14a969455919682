"""The entry that the page on libraries shows."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def page_entry():
    page = (ROOT / "docs/workflow/libraries.md").read_text()
    return re.search(r"```yaml\n(.*?)```", page, flags=re.S)[1]
