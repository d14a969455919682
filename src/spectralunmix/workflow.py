"""What the rules of the workflow ask for: checksums of code, copies of the user's, labels."""

import functools
import hashlib
import time
from pathlib import Path

from spectralunmix.errors import ConfigurationError

CODE = ("*.py", "*.html")
ALWAYS = ("errors", "files", "provenance", "steps")  # of every step


def package_files(*parts: str, without: tuple[str, ...] = ()) -> dict[str, Path]:
    """The files of sub-packages and modules of this package, by their path in it.

    Nothing is imported: an edit is seen without running it.

    Parameters
    ----------
    *parts : str
        Modules and sub-packages, such as "files" or "libraries.readers", and paths of other
        files, such as "figures/templates/base.html".
    without : tuple of str, default ()
        What of these is left out.

    Returns
    -------
    dict of Path

    Raises
    ------
    ValueError
        A name is no part of the package.
    """
    root = Path(__file__).parent
    found: dict[str, Path] = {}
    for part in parts:
        found |= _files_of(root, part)
    for part in without:
        for name in _files_of(root, part):
            del found[name]
    return dict(sorted(found.items()))


def _files_of(root: Path, part: str) -> dict[str, Path]:
    folder = root / part.replace(".", "/")
    alone = [path for path in (root / part, folder.with_suffix(".py")) if path.is_file()]
    files = alone or [file for pattern in CODE for file in folder.rglob(pattern)]
    if not files:
        raise ValueError(f"{part} is no part of the package")
    return {str(file.relative_to(root)): file for file in files}


@functools.cache
def checksum(script: Path, lock: Path, *parts: str, without: tuple[str, ...] = ()) -> str:
    """Of a script, the lock file and the parts of the package that a rule uses."""
    files = [script, lock, *package_files(*ALWAYS, *parts, without=without).values()]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def class_labels(libraries: list[dict]) -> dict[str, str]:
    """Labels by selected class of these entries, in the order of the first that has a class."""
    labels: dict[str, str] = {}
    for library in libraries:
        for name in library["selection"]["classes"]:
            labels.setdefault(name, library["classes"][name]["label"])
    return labels


def index_file(library: dict) -> list[str]:
    """The table of parameters, which is fetched beside the spectra."""
    index = library["parameters"].get("index")
    return [index["file"]] if index else []


def local_copies(library: dict, library_path: str | None) -> list[str]:
    """Files of the user's that are read: inputs, so that another copy there is noticed.

    Raises
    ------
    ConfigurationError
        Snakemake cannot take one of them for an input; the message says why, and the way out.
    """
    found = []
    for source in library["sources"]:
        names = [Path(pattern).name for pattern in [*source["members"], *index_file(library)]]
        names += [file["name"] for file in source["files"] if "name" in file]
        names += [Path(a).name for file in source["files"] for a in file["addresses"]]
        places = [a for file in source["files"] for a in file["addresses"] if ":" not in a]
        for place in filter(None, [library_path, *places]):
            path = Path(place).expanduser()
            files = [path] if path.is_file() else [p for n in names if n for p in path.rglob(n)]
            found += [file for file in files if file.is_file()]
    for file in found:
        if "{" in str(file) or "}" in str(file):
            raise ConfigurationError(
                f"{file}: Snakemake cannot read a file with {{ or }} in its path: rename the "
                "folder, or name a link to it"
            )
        if file.stat().st_mtime > time.time() + 60:
            raise ConfigurationError(
                f"{file}: its date lies in the future, so that all that is made of it would look "
                f"outdated: touch '{file}'"
            )
    return sorted(set(map(str, found)))
