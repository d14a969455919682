"""Results that are of the user's own copy: a run that is not told of the copy would lose them."""

import json
from pathlib import Path

from spectralunmix.command.altered import RESULTS
from spectralunmix.errors import RunError


def check_own_copies(given: dict, changes: dict, libraries: list[str], cube: str | None) -> None:
    """Check that the run is told of the copies that the results so far are of.

    Without them Snakemake would remove what was taken from a copy, to have it from the addresses
    of the entry, which may be out of reach.

    Parameters
    ----------
    given : dict
        The content of config/config.yaml, with the changes that the options make.
    changes : dict
        These changes. `library_path` or `cube_path` of None asks for the addresses.
    libraries : list of str
        The libraries of the run.
    cube : str or None
        The cube of the run, if there is one.

    Raises
    ------
    RunError
        Results are of a copy that the run does not name.
    """
    paths = given.get("library_path")
    if not isinstance(paths, dict):
        paths = {(given.get("library") or libraries[0]): paths} if paths and libraries else {}
    for name in libraries if changes.get("library_path", paths) is not None else []:
        if paths.get(name) is None:
            _check(name, "library_path")
    if cube and given.get("cube_path") is None and "cube_path" not in changes:
        _check(cube, "cube_path")


def _check(name: str, option: str) -> None:
    copy = _recorded(RESULTS / name / "records/download.json")
    if copy:
        value = f"{{{name}: {copy}}}" if option == "library_path" else copy
        raise RunError(
            f"{RESULTS / name} is of your own copy: give {option.upper()}={copy} again, or write "
            f"`{option}: {value}` in config/config.yaml. To have the addresses of the entry in its "
            f"place, remove {RESULTS / name}"
        )


def _recorded(record: Path) -> str | None:
    """The path of the copy that a download was made from; None where there is none."""
    try:
        copy = json.loads(record.read_text(encoding="utf-8"))["settings"]["library_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return copy if isinstance(copy, str) else None
