"""A folder with a command's results, which replaces earlier ones but no other file."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from spectralunmix.errors import LibraryError
from spectralunmix.files import write_json
from spectralunmix.provenance import sha256

SUMMARY = "fit.json"
PART = ".part-"  # begins the name of files that are not finished


class Folder:
    """A folder of results, which are written to `part` inside, and moved when all are finished.

    Parameters
    ----------
    path : Path
        The folder, which need not exist.
    names : sequence of str
        The files that will be made, beside the summary.
    made_by : str
        The command, as the summary names it.

    Raises
    ------
    LibraryError
        On entering, where the folder has files that this command did not make.
    """

    def __init__(self, path: Path, names: Sequence[str], made_by: str):
        self.path, self.names, self.made_by = path, names, made_by

    def __enter__(self) -> Self:
        self.check()
        self.path.mkdir(parents=True, exist_ok=True)
        self._holder = tempfile.TemporaryDirectory(dir=self.path, prefix=PART)
        self.part = Path(self._holder.name)
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.cleanup()
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def check(self) -> None:
        """Raise a LibraryError where other files are in the way."""
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            raise self._in_the_way("is there, and is no folder")
        there = sorted(path.name for path in self.path.iterdir())
        there = [name for name in there if not name.startswith(PART)]
        if not there:
            return
        made = self._made_before()
        if made is None:
            raise self._in_the_way(f"holds {there[0]}, which `{self.made_by}` did not make")
        for name in self.names:
            if name in there and made.get(name) != sha256(self.path / name):
                raise self._in_the_way(f"holds a {name} that was altered since it was made")

    def finish(self, content: dict) -> None:
        """Move the files to their place, and write the summary with their checksums.

        content : the rest of the summary, in types of JSON
        """
        outputs = {name: sha256(self.part / name) for name in self.names}
        whole = {"made_by": self.made_by, **content, "outputs": outputs}
        write_json(str(self.part / SUMMARY), whole)
        for name in [*self.names, SUMMARY]:
            os.replace(self.part / name, self.path / name)

    def _made_before(self) -> dict | None:
        """Checksums, by name, of files that this command made there; None where it made none."""
        try:
            content = json.loads((self.path / SUMMARY).read_text(encoding="utf-8"))
            return dict(content["outputs"]) if content["made_by"] == self.made_by else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def _in_the_way(self, what: str) -> LibraryError:
        return LibraryError(
            f"{self.path} {what}: move it away, or name another folder with --output"
        )
