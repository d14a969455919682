"""The records of steps: inputs, code and outputs, which a manifest gathers and `verify` checks."""

import hashlib
import importlib.metadata
import platform
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
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


def sha256(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record(snakemake: Any, script: str) -> dict:
    """The record of a step, with the sha256 of its files; equal for equal runs on a machine."""
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
    """Checksums of the script, of imported files of this package, and of the figures' templates.

    The keys are `scripts/<name>`, or the path in the package. Where the workflow was loaded from
    an address, the address of the script takes the place of its checksum.
    """
    found = {f"scripts/{Path(script).name}": sha256(script) if Path(script).is_file() else script}
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    ours = [Path(file) for file in files if file and Path(file).is_relative_to(PACKAGE)]
    if PACKAGE / "figures/pages.py" in ours:
        ours += (PACKAGE / "figures/templates").glob("*.html")
    found |= {f"spectralunmix/{file.relative_to(PACKAGE)}": sha256(file) for file in ours}
    return dict(sorted(found.items()))


def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def machine() -> dict[str, str]:
    return {"system": platform.system(), "machine": platform.machine(), "cpu": _cpu()}


def _cpu() -> str:
    """The kind of CPU, if the system tells it, because last digits of numbers depend on it.

    A virtual machine may give CPUs of several generations the same name. Family, model and a
    checksum of the instructions distinguish them.
    """
    info = Path("/proc/cpuinfo")
    first, *_ = info.read_text().split("\n\n") if info.exists() else [""]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    known = {key.strip(): value.strip() for key, value in pairs}
    if "model name" not in known:
        return ""
    flags = " ".join(sorted(known.get("flags", "").split()))
    digest = hashlib.sha256(flags.encode()).hexdigest()[:8]
    return (
        f"{known['model name']} (family {known.get('cpu family')}, model {known.get('model')}, "
        f"instructions {digest})"
    )
