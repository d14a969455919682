"""Renew requirements.txt and cuda.txt from pyproject.toml, as uv resolves it: `make lock`.

Versions stay where they can, or are the newest with `--upgrade`. Each package stands there with the
checksums of all its files; torch also with those of its CPU builds, which lie on an index of their
own. Where that is out of reach, the checksums that stand there already are kept.
"""

import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from set_up import CPU_INDEX, CUDA, LOCK, requirements

# The one package that has no wheel: it is built with the lock's setuptools.
BUILT = "connection-pool"
LOCK_HEADER = f"""\
# Made from pyproject.toml by `make lock`, for Linux and macOS; every file by its sha256.
--only-binary :all:
--no-binary {BUILT}
"""
CUDA_HEADER = """\
# Made by `make lock`: what torch needs besides where it is the package index's build for Linux.
# Read after requirements.txt, whose options it shares.
"""


def resolved(arguments):
    """Requirements, by name, of Linux and macOS together: the same versions everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "requirements.txt"
        # without checksums, which uv would keep; there may be more files today
        pins = re.findall(r"^[a-z].*==\S+", LOCK.read_text() + CUDA.read_text(), flags=re.M)
        output.write_text("\n".join(pins))
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
        command += ["--python-version", "3.11", "--all-extras", "--generate-hashes", "--no-header"]
        command += ["--only-binary", ":all:", "--no-binary", BUILT]
        command += ["--output-file", str(output), *arguments, "pyproject.toml"]
        subprocess.run(command, check=True, cwd=LOCK.parents[1], stdout=subprocess.DEVNULL)
        text, lines = re.subn(r"(==\S+)(?: ; .*)? \\$", r"\1 \\", output.read_text(), flags=re.M)
    found = requirements(text)
    if lines != len(found):
        sys.exit("a package would have several versions: the lock has no place for markers")
    return found


def cpu_builds(version):
    """Checksums of torch's CPU builds for Linux."""
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=60) as answer:
            page = answer.read().decode()
    except OSError as error:
        print(f"{CPU_INDEX}: {error}; the checksums in the lock are kept")
        return set()
    build = re.escape(version) + r"(?:\+|%2B)cpu-cp31[123]-[^\s#]*manylinux[^\s#]*"
    return set(re.findall(rf"torch-{build}#sha256=([0-9a-f]{{64}})", page))


def with_cpu_builds(torch):
    """torch's requirement with the checksums of its CPU builds as well."""
    (version,) = re.findall(r"^torch==(\S+)", torch)
    known = requirements(LOCK.read_text())["torch"]
    if not known.startswith(f"torch=={version} "):
        known = ""
    pattern = r"--hash=sha256:([0-9a-f]{64})"
    hashes = cpu_builds(version) | {*re.findall(pattern, known), *re.findall(pattern, torch)}
    lines = [f"torch=={version}", *(f"    --hash=sha256:{digest}" for digest in sorted(hashes))]
    return " \\\n".join(lines) + "\n    # via spectralunmix (pyproject.toml)\n"


def main(arguments):
    found = resolved(arguments)
    found["torch"] = with_cpu_builds(found["torch"])
    cuda = {name for name in found if re.match(r"(cuda|nvidia)-|triton$", name)}
    CUDA.write_text(CUDA_HEADER + "".join(found[name] for name in found if name in cuda))
    LOCK.write_text(LOCK_HEADER + "".join(found[name] for name in found if name not in cuda))


if __name__ == "__main__":
    main(sys.argv[1:])
