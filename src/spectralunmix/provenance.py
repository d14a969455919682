"""What a step was made of and made: the records that a manifest gathers and `verify` checks."""

import hashlib
import importlib.metadata
import platform
import sys
from pathlib import Path

SCRIPTS = ("workflow", "scripts")
PACKAGES = [
    "astropy",
    "matplotlib",
    "numpy",
    "pandas",
    "plotly",
    "pooch",
    "rdata",
    "scikit-learn",
    "scipy",
    "snakemake",
    "torch",
]


READ = []  # files of the workflow's own, other than modules, that this process has read


def sha256(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record(snakemake, script: str) -> dict:
    """The step's record, all of its files by sha256; equal for equal runs on one machine."""
    settings = {key: value for key, value in snakemake.params.items() if key != "code"}
    outputs = [path for path in snakemake.output if path != snakemake.output.record]
    return {
        "step": snakemake.rule,
        "inputs": {path: sha256(path) for path in snakemake.input},
        "outputs": {path: sha256(path) for path in outputs},
        "sources": sources(script),
        "settings": settings,
        "versions": versions(),
        "platform": machine(),
    }


def sources(script: str) -> dict[str, str]:
    """The workflow's own files that this process has run or read, by path below workflow/scripts.

    script : its path, or its address where the workflow was loaded from one; that is kept
    """
    modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    files = [script, *READ, *modules]
    found = {}
    for file in filter(None, files):
        parts = Path(file).resolve().parts
        for i in range(len(parts) - len(SCRIPTS)):
            if parts[i : i + 2] == SCRIPTS:
                found["/".join(parts[i + 2 :])] = sha256(file) if Path(file).is_file() else file
    return dict(sorted(found.items()))


def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def machine() -> dict[str, str]:
    return {"system": platform.system(), "machine": platform.machine(), "cpu": _cpu()}


def _cpu() -> str:
    """Its model, where the system says it: numbers differ in the last digits between them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
