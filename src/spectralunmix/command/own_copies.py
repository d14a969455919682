"""Results that are of the user's own copy: a run that is not told of the copy would lose them."""

import json
import shlex
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
    from spectralunmix.workflow import own_copy  # with pydantic, which help does without

    paths = {key: given.get(key) for key in ("library_path", "cube_path")}
    config = paths | {"library": given.get("library") or "".join(libraries[:1]), "cube": cube}
    for name in [*libraries, *([cube] if cube else [])]:
        option = "cube_path" if name == cube else "library_path"
        copy = _recorded(RESULTS / name / "records/download.json")
        asked_for_addresses = changes.get(option, copy) is None
        if copy and not asked_for_addresses and not own_copy(config, name):
            value = json.dumps(copy if name == cube else {name: copy}, ensure_ascii=False)
            ways = [f"write `{option}: {value}` in config/config.yaml"]
            if name in (cube, config["library"]):  # an option is for one library
                ways.insert(0, f"give {option.upper()}={shlex.quote(copy)} again")
            raise RunError(
                f"{RESULTS / name} is of your own copy: {', or '.join(ways)}. To have the "
                f"addresses of the entry in its place, remove {RESULTS / name}"
            )


def _recorded(record: Path) -> str | None:
    """The path of the copy that a download was made from; None where there is none."""
    try:
        copy = json.loads(record.read_text(encoding="utf-8"))["settings"]["library_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return copy if isinstance(copy, str) else None
