# Checks of the configuration, and the functions that rules share.
import ast
import hashlib
import math
import os
import re
import time
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# The modules that scripts may import.  Listed, because a workflow that is loaded from an
# address cannot look into its own folders.
MODULES = """
figures.py pages.py provenance.py published.py spectra_files.py step.py
libraries/__init__.py libraries/archives.py libraries/downloads.py libraries/expressions.py
libraries/grids.py libraries/parameters.py libraries/quality.py libraries/selection.py
libraries/sources.py libraries/survey.py
libraries/readers/__init__.py libraries/readers/files.py libraries/readers/fits_image.py
libraries/readers/fits_table.py libraries/readers/layouts.py libraries/readers/r_subset.py
libraries/readers/spectrum.py libraries/readers/text.py libraries/readers/votable.py
spectralunmix/__init__.py spectralunmix/arrays.py spectralunmix/comparison.py
spectralunmix/compression.py spectralunmix/estimator.py spectralunmix/objective.py
spectralunmix/progress.py spectralunmix/response.py spectralunmix/scale.py spectralunmix/solver.py
spectralunmix/spectra.py spectralunmix/starts.py spectralunmix/updates.py
""".split()


def source_file(file):
    """A file of the workflow by its path, here or, where it was loaded from afar, a copy."""
    local = Path(str(workflow.current_basedir)) / "../.." / file
    return local if local.exists() else Path(workflow.source_path(f"../../{file}"))


def imported(file):
    """Those of MODULES that a script or module imports, with the packages they lie in."""
    package = list(Path(file).parent.parts)
    names = set()
    for node in ast.walk(ast.parse(source_file(f"workflow/scripts/{file}").read_bytes())):
        if isinstance(node, ast.Import):
            names |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = (*base, *(node.module or "").split(".")) if node.module else tuple(base)
            names |= {base} | {(*base, alias.name) for alias in node.names}
    paths = {"/".join(name[:i]) for name in names for i in range(1, len(name) + 1)}
    return {m for m in MODULES if re.sub(r"(/__init__)?\.py$", "", m) in paths}


def code(script, *templates):
    """Checksum of a script, its templates, imports and the lock: an edit reruns its rule."""
    found, new = {script}, imported(script)
    while new:
        found |= new
        new = set().union(*map(imported, new)) - found
    digest = hashlib.sha256(source_file("envs/requirements.txt").read_bytes())
    for file in [*sorted(found), *templates]:
        digest.update(source_file(f"workflow/scripts/{file}").read_bytes())
    return digest.hexdigest()


MOST_VALUES = 100_000  # of a configuration or an entry


class Yaml(yaml.SafeLoader):
    """YAML with 1e4 for a number, and errors where a key stands twice or is no text, as `no`."""

    def construct_mapping(self, node, deep=False):
        where, seen = f"line {node.start_mark.line + 1} on", set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.YAMLError(f"<<, {where}: keys are not merged here: write them out")
            key = self.construct_object(key)
            if not isinstance(key, str):
                raise yaml.YAMLError(f"the key {key} is not text: put it in quotes, {where}")
            if key in seen:
                raise yaml.YAMLError(f"{key} is there twice, {where}")
            seen.add(key)
        return super().construct_mapping(node, deep)


Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def as_numbers(content):
    """Numbers that Snakemake took for text: 1e-8, and any in --config smooth_nmf='{tol: 0.1}'."""
    if isinstance(content, dict):
        return {key: as_numbers(value) for key, value in content.items()}
    if isinstance(content, list):
        return [as_numbers(value) for value in content]
    if not isinstance(content, str):
        return content
    try:
        value = yaml.load(content, Yaml)
    except yaml.YAMLError:
        return content
    return value if isinstance(value, int | float) else content


def size(content):
    """How many values there are; a YAML alias counts each time that it stands for something."""
    waiting, count = [content], 0
    while waiting and count <= MOST_VALUES:
        value, count = waiting.pop(), count + 1
        waiting += value.values() if isinstance(value, dict) else ()
        waiting += value if isinstance(value, list) else ()
    return count


def read_yaml(file):
    try:
        content = yaml.load(Path(file).read_text(encoding="utf-8"), Yaml)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WorkflowError(f"{file}: {error}") from None
    if size(content) > MOST_VALUES:
        raise WorkflowError(f"{file}: more than {MOST_VALUES} values, aliases counted in full")
    return content


def check_numbers(content, file, key=""):
    """A schema's limits let NaN pass."""
    if isinstance(content, float) and not math.isfinite(content):
        raise WorkflowError(f"{file}: {key}: {content} is not a number to work with")
    items = content.items() if isinstance(content, dict) else ()
    for name, value in items if not isinstance(content, list) else enumerate(content):
        check_numbers(value, file, f"{key}.{name}".lstrip("."))


def checked(content, schema, file):
    """The content of a configuration file with its defaults, or an error that names the key."""
    try:
        validate(content, workflow.source_path(f"../schemas/{schema}.schema.yaml"))
    except WorkflowError as error:
        cause = error.__cause__ or error.__context__
        key = ".".join(str(part) for part in getattr(cause, "absolute_path", [])) or "top level"
        message = getattr(cause, "message", str(error))
        raise WorkflowError(f"{file}: {key}: {message}") from None
    check_numbers(content, file)
    return content


def entry_file(name):
    """The library's entry: the user's own in the working directory, else the workflow's."""
    if name in ("comparison", "downloads"):
        raise WorkflowError(f"library: results/{name} is for something else: choose another name")
    own = Path(f"config/libraries/{name}.yaml")
    if own.exists():
        return own
    try:
        shipped = source_file(own)
        shipped.read_bytes()
    except (WorkflowError, OSError):
        known = {path.stem for path in Path("config/libraries").glob("*.yaml")}
        there = f"; there are {', '.join(sorted(known))}" if known else ""
        raise WorkflowError(f"library: no {own}{there}") from None
    return shipped


def library_entry(name):
    file = entry_file(name)
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise WorkflowError(f"{file}: top level: keys and values are expected")
    entry = checked(content, "library", file)
    selected = entry["selection"].setdefault("classes", list(entry["classes"]))
    if unknown := set(selected) - set(entry["classes"]):
        raise WorkflowError(f"{file}: selection.classes: no rule for {', '.join(unknown)}")
    try:
        re.compile(entry["parameters"].get("file_name", ""))
    except (re.error, OverflowError, RecursionError) as error:
        raise WorkflowError(f"{file}: parameters.file_name: not a regular expression: {error}")
    check_names(file, entry)
    for i, source in enumerate(entry["sources"]):
        for file_entry in source["files"]:
            check_addresses(file, f"sources.{i}.files", file_entry)
    return entry


# Columns of the workflow's own tables, beside those that parameters and classes name.
OF_SELECTION = {"file", "class", "class_rank", "class_size", "divisor", "n_filled", "n_clipped"}
OF_PROTOTYPES = {"wavelength"}


def check_names(file, entry):
    """Parameters and classes that would take the place of a column of the workflow's own."""
    of = entry["parameters"]
    parameters = {*of["header"], *of["derived"], *of["columns"]}
    parameters |= {*of.get("index", {}).get("columns", {})}
    parameters |= {*re.compile(of.get("file_name", "")).groupindex}
    for key, taken in (
        ("parameters", parameters & OF_SELECTION),
        ("classes", entry["classes"].keys() & OF_PROTOTYPES),
    ):
        if taken:
            raise WorkflowError(
                f"{file}: {key}: {', '.join(sorted(taken))}: the workflow's tables have a column "
                "of that name: choose another"
            )


def check_addresses(file, key, entry):
    """What the schema cannot say: of wheels, of names of files, and of {fields} and their values."""

    def wrong(what, why):
        raise WorkflowError(f"{file}: {key}: {what}: {why}")

    addresses, over = entry["addresses"], entry["over"]
    name = entry.get("name")
    for address in addresses:
        if ":" not in address:
            place = Path(os.path.abspath(Path(address).expanduser()))
            if not place.is_relative_to(Path.cwd()):
                why = "lies outside the folder of the run: an entry may not look there: write its "
                why += (
                    "last part alone here, and name the whole path as LIBRARY_PATH or library_path"
                )
                wrong(address, why)
        if address.startswith("pypi:"):
            wheel = re.fullmatch(r"pypi:[\w.-]+==[\w.!+]+", address, re.ASCII)
            if not (wheel and entry["sha256"] and (name or "").endswith(".whl")):
                wrong(address, "a wheel is pypi:name==version, with `name`, a .whl, and sha256")
    if name is None and ":" in addresses[0]:
        name = addresses[0].split("?")[0].rpartition("/")[2]
    if name is not None and not name.strip("."):
        wrong(addresses[0], "`name` has to say the name of the file")
    values = [value for values in over.values() for value in values]
    for part in [*([] if name is None else [name]), *values]:
        if re.search(r"[/\\\x00-\x1f\x7f]", str(part)):
            wrong(repr(part), "no name of a file, or part of one, which has no folders")
    for text in [*addresses, *([] if name is None else [name])]:
        fields = re.findall(r"{(\w+)(?::(0?\d?\d?(?:\.\d\d?)?[df]?))?}", text)
        if missing := {field for field, _ in fields} - set(over):
            wrong(text, f"no values over {', '.join(missing)}")
        if len(fields) < max(text.count("{"), text.count("}")):
            wrong(text, "a field is as {teff}, {teff:05d} or {log_g:.2f}")
        for field, form in fields:
            for value in over[field]:
                try:
                    format(value, form)
                except ValueError:
                    wrong(text, f"{value!r} cannot be written as {form}")


def check_ranks(ranks, name, library):
    """More components than spectra cannot be found."""
    selection = library["selection"]
    n_spectra = {
        "all": None,
        "list": len(selection["files"]),
    }.get(selection["mode"], selection["per_class"] * len(selection["classes"]))
    for step, rank in ranks.items():
        if n_spectra is not None and rank > n_spectra:
            raise WorkflowError(
                f"{step}.n_components: {rank} is more than the {n_spectra} spectra of {name}"
            )


def of_library(key):
    """That part of the entry of the library that a job is for."""
    return lambda wildcards: LIBRARIES[wildcards.library][key]


def citations(wildcards):
    return [LIBRARIES[wildcards.library]["citation"]]


def class_labels(names):
    """Labels by selected class of these libraries, in the order of the first that has a class."""
    labels = {}
    for library in map(LIBRARIES.get, names):
        for name in library["selection"]["classes"]:
            labels.setdefault(name, library["classes"][name]["label"])
    return labels


def labels(wildcards):
    """Those of the library that a job is for."""
    return class_labels([wildcards.library])


def compared(file):
    """That result of each library that is compared."""

    def files(_):
        names = config["compare"]
        if len(names) < 2:
            named = ", ".join(names) or "none"
            raise WorkflowError(f"compare: two libraries or more are needed, not {named}")
        return [f"results/{name}/{file}" for name in names]

    return files


def scanned(file):
    """That result of every job of the scan."""

    def files(wildcards):
        scan, name = config["scan"], wildcards.library
        check_ranks({"scan": max(scan["n_components"])}, name, LIBRARIES[name])
        first = range(0, scan["n_starts"], scan["starts_per_job"])
        return expand(file, library=name, n_components=scan["n_components"], first=first)

    return files


def starts_of_job(wildcards):
    """How many starts the job of the scan fits that begins with the first."""
    scan = config["scan"]
    return min(scan["starts_per_job"], scan["n_starts"] - int(wildcards.first))


def library_path(wildcards):
    """The user's own copy of the library that a job is for."""
    path = config["library_path"]
    if isinstance(path, dict):
        return path.get(wildcards.library)
    return path if wildcards.library == config["library"] else None


def index_file(wildcards):
    """The table of parameters, which is fetched beside the spectra."""
    index = LIBRARIES[wildcards.library]["parameters"].get("index")
    return [index["file"]] if index else []


def local_copies(wildcards):
    """Files of the user's that are read: inputs, so that another copy there is noticed."""
    found = []
    for source in LIBRARIES[wildcards.library]["sources"]:
        names = [Path(pattern).name for pattern in [*source["members"], *index_file(wildcards)]]
        names += [file["name"] for file in source["files"] if "name" in file]
        names += [Path(a).name for file in source["files"] for a in file["addresses"]]
        places = [a for file in source["files"] for a in file["addresses"] if ":" not in a]
        for place in filter(None, [library_path(wildcards), *places]):
            path = Path(place).expanduser()
            files = [path] if path.is_file() else [p for n in names for p in path.rglob(n)]
            found += [file for file in files if file.is_file()]
    for file in found:
        if "{" in str(file) or "}" in str(file):
            raise WorkflowError(
                f"{file}: Snakemake cannot read a file with {{ or }} in its path: rename the "
                "folder, or name a link to it"
            )
        if file.stat().st_mtime > time.time() + 60:
            raise WorkflowError(
                f"{file}: its date lies in the future, so that all that is made of it would look "
                f"outdated: touch '{file}'"
            )
    return sorted(set(map(str, found)))


for file in map(Path, workflow.configfiles):
    if file.is_file():
        read_yaml(file)
for step, settings in config.items():
    if isinstance(settings, dict) and step != "library_path":
        config[step] = as_numbers(settings)
checked(config, "config", "config/config.yaml or --config")
LIBRARIES = {name: library_entry(name) for name in [config["library"], *config["compare"]]}
for name, library in LIBRARIES.items():
    check_ranks({s: config[s]["n_components"] for s in ("pca", "smooth_nmf")}, name, library)


# The settings are those of these libraries: another's results are not made with them.
wildcard_constraints:
    library="|".join(map(re.escape, LIBRARIES)),
