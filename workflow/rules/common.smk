# Checks of the configuration, and the functions that rules share.
import os
import re
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate


def checked(content, schema, file):
    """The content of a configuration file, or one error that names file and key."""
    try:
        validate(content, workflow.source_path(f"../schemas/{schema}.schema.yaml"))
    except WorkflowError as error:
        cause = error.__cause__ or error.__context__
        key = ".".join(str(part) for part in getattr(cause, "absolute_path", [])) or "top level"
        message = getattr(cause, "message", str(error))
        raise WorkflowError(f"{file}: {key}: {message}") from None
    return content


def library_entry(name):
    """The library's entry, config/libraries/<name>.yaml."""
    folder = Path("config/libraries")
    file = folder / f"{name}.yaml"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise WorkflowError(f"library: no {file}; there are {', '.join(known)}")
    entry = checked(yaml.safe_load(file.read_text()), "library", file)
    if unknown := set(entry["selection"]["classes"]) - set(entry["classes"]):
        raise WorkflowError(f"{file}: selection.classes: no rule for {', '.join(unknown)}")
    return entry


def check_ranks(config, library):
    """More components than spectra cannot be found."""
    n_spectra = config["select"]["per_class"] * len(library["selection"]["classes"])
    for step in ("pca", "smooth_nmf"):
        rank = config[step]["n_components"]
        if rank > n_spectra:
            raise WorkflowError(
                f"{step}.n_components: {rank} is more than the {n_spectra} spectra selected"
            )


def local_copies(library_path, sources):
    """Files that library_path names: inputs, so that another copy there is noticed."""
    if not library_path:
        return []
    paths = [Path(library_path), *(Path(library_path) / source["file"] for source in sources)]
    return [str(path) for path in paths if path.is_file()]


def package(name):
    """Sources of a package under workflow/scripts: inputs, so that an edit reruns its users."""
    folder = Path(workflow.current_basedir) / "../scripts" / name
    return sorted(os.path.relpath(path) for path in folder.glob("*.py"))


def closing_words(name):
    """The assignment and where the figure is, for the terminal; none where another target ran."""
    results = Path("results") / name
    if not (results / "figure.pdf").exists():
        return ""
    table = (results / "assignments.ecsv").read_text().splitlines()
    rows = [line.split() for line in table if not line.startswith("#")]
    width = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(map(str.ljust, row, width)) for row in rows]
    return "\n".join(["", *lines, "", f"figure: {results}/figure.pdf and .png", ""])


checked(config, "config", "config/config.yaml or --config")
LIBRARY = library_entry(config["library"])
check_ranks(config, LIBRARY)


# The settings are those of one library: another's results are not made with them.
wildcard_constraints:
    library=re.escape(config["library"]),
