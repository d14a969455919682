"""Reads the cube that an entry describes from its archive."""

import contextlib
import tempfile
from pathlib import Path

from spectralunmix.cubes import fits_file, images
from spectralunmix.cubes.contents import Contents, Said
from spectralunmix.cubes.cube import Cube
from spectralunmix.cubes.layouts import Layout
from spectralunmix.cubes.reader import Selection, selected
from spectralunmix.errors import LibraryError
from spectralunmix.libraries import archives
from spectralunmix.libraries.sources import at_work_in

PART = ".download-"  # begins the names of temporary folders
OF_SELECTION = ("window", "leave_out", "bin_spaxels", "bin_channels")


def read(archive: Path, source: dict, entry: dict) -> Cube:
    """Read the cube of an entry.

    Parameters
    ----------
    archive : Path
        What was fetched.
    source : dict
        Whence: reader, options, members.
    entry : dict
        The keys of the entry that say what is taken of the cube.

    Raises
    ------
    LibraryError
        It is not what the entry says.
    """
    wanted = [*source["members"], source["options"].get("wavelength_file")]
    with (
        at_work_in(archive.parent, f"{PART}*"),  # this first removes what a killed run left
        tempfile.TemporaryDirectory(dir=archive.parent, prefix=PART) as folder,
    ):
        patterns = [pattern for pattern in wanted if pattern]
        paths = archives.extract(archive, patterns, source["largest_member"], Path(folder))
        selection = Selection(
            scratch=folder,
            **{key: entry[key] for key in OF_SELECTION},
        )
        with _opened(paths, source, entry, folder) as contents:
            medium = entry["medium"] or contents.medium
            return selected(contents._replace(medium=medium), selection)


def _opened(
    paths: list[Path], source: dict, entry: dict, folder: str
) -> contextlib.AbstractContextManager[Contents]:
    options = source["options"]
    if source["reader"] == "envi":
        return images.opened_envi(paths, options)
    if source["reader"] == "matrix":
        return images.opened_matrix(paths, options)
    if len(paths) != 1:
        named = ", ".join(path.name for path in paths) or "none"
        raise LibraryError(
            f"members: {named} match {', '.join(source['members'])}: one cube is needed"
        )
    said = Said(entry["medium"], options.get("wavelength_unit"), paths[0].name)
    largest = source["largest_member"]
    return fits_file.opened(paths[0], layout_of(options), said, folder, largest)


def layout_of(options: dict) -> str | Layout | None:
    """The layout that the options of an entry name."""
    if "flux" not in options:
        return options.get("layout")
    keys = ("flux", "uncertainty", "uncertainty_kind", "mask", "mask_bits", "wavelength")
    return Layout(**{key: options[key] for key in keys if key in options})
