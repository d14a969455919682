"""Make the environment that `make` runs in: .venv, with the packages of requirements.txt alone.

One that is whole is left as it is. Any other is made anew from scratch, so that nothing has to be
known about an interrupted set-up, another Python or a changed lock. Every file that is installed
has a sha256 in the lock.

The syntax is that of Python 3.6: a Python that is too old is told so in one sentence.
"""

import ast
import contextlib
import fcntl
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

LOCK = Path(__file__).resolve().parent / "requirements.txt"
CUDA = LOCK.with_name("cuda.txt")
PROJECT = LOCK.parents[1] / "pyproject.toml"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# The lock has wheels for these: from the first, and below the second.
PYTHONS = (3, 11), (3, 14)

# pip is stopped where it says nothing and gets less than this for so long. Its own time-out is for
# a single read: an index that sends a byte now and then would keep it waiting for ever.
STALLED_BYTES = 100_000
STALLED_SECONDS = 120
ATTEMPTS = 2
REPORT_SECONDS = 10

# The settings of pip that say where packages come from; any other could lead them elsewhere.
SOURCES = re.compile(
    "PIP_((EXTRA_)?INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|(CLIENT_)?CERT|PROXY|(DEFAULT_)?TIMEOUT"
    "|RETRIES|(NO_)?CACHE_DIR|KEYRING_PROVIDER|USE_FEATURE)$"
)

# How pip begins the line of a package.
PACKAGE = ("Collecting ", "Processing ", "Requirement already satisfied")

# A folder that holds nothing else is an environment, however little of it is there.
PARTS = {"bin", "include", "lib", "lib64", "share", "etc", "downloads"}
PARTS |= {"pyvenv.cfg", "ready", "ready.new", ".gitignore"}

# Packages that have to be importable, where the lock has them.
IMPORTED = ["astropy", "numpy", "pandas", "scipy", "snakemake", "torch"]

# pip that ends when the set-up does, by whatever end: its standard input is closed then.
PIP = """
import os, runpy, threading
def end(stream=os.dup(0)):
    os.read(stream, 1)
    os._exit(1)
threading.Thread(target=end, daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""

CHECK = """
import importlib, json, sys
from importlib.metadata import PackageNotFoundError, version
pins, imported = json.loads(sys.argv[1])
for name, pinned in pins.items():
    try:
        found = version(name)
    except PackageNotFoundError:
        sys.exit(f"{name} is not there")
    if found.split("+")[0] != pinned:
        sys.exit(f"{name} is {found}, not {pinned}")
for name in imported:
    importlib.import_module(name)
"""


class Failed(Exception):
    """What the user is told."""


def say(text):
    print(text, flush=True)


def requirements(text):
    """The requirements of a lock: name and lines."""
    blocks = re.findall(r"^[a-z0-9].*\n(?:[ \t].*\n)*", text, flags=re.M)
    return {block.split("==")[0]: block for block in blocks}


def stamp(venv):
    """What an environment is made of, which stands in it when it is ready."""
    locks = hashlib.sha256(LOCK.read_bytes() + CUDA.read_bytes()).hexdigest()
    return f"{locks}\n{venv.resolve()}\n{os.path.realpath(str(venv / 'bin/python'))}\n"


def is_ready(venv):
    try:
        return (venv / "bin/python").exists() and (venv / "ready").read_text() == stamp(venv)
    except OSError:
        return False


def check_python():
    if not PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]:
        (major, first), (_, end) = PYTHONS
        raise Failed(
            f"Python {major}.{first} to {major}.{end - 1} is needed and {sys.executable} is "
            f"{sys.version.split()[0]}: name another, `make demo PYTHON=python{major}.{first}`"
        )


@contextlib.contextmanager
def alone(venv):
    """Without another set-up in the same folder at the same time."""
    folder = os.open(str(venv.parent), os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{venv}: waiting for another set-up")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def remove(venv):
    """Remove an environment, or what there is of it, and nothing else."""
    if venv.is_symlink():
        raise Failed(f"{venv} is a link to an environment that is not this one: remove the link")
    if not venv.exists():
        return
    if not venv.is_dir() or not (
        (venv / "pyvenv.cfg").exists() or PARTS.issuperset(os.listdir(str(venv)))
    ):
        raise Failed(f"{venv} is no Python environment: move it elsewhere, its place is needed")
    shutil.rmtree(str(venv))


def own_environment():
    """The user's environment variables without those that lead Python or pip elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if SOURCES.match(name)
        or name == "PIP_CONFIG_FILE"
        or not name.startswith(("PIP_", "PYTHON", "__PYVENV"))
    }


def output_of(command, complaint, **variables):
    """What a command writes, or a message."""
    done = subprocess.run(
        command,
        env={**own_environment(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = done.stdout.decode(errors="replace").strip()
    if done.returncode:
        raise Failed(f"{complaint}:\n{output}")
    return output


def create(venv):
    # not the Python of an active environment, which may be the very one that was just removed
    python = getattr(sys, "_base_executable", None) or sys.executable
    say(f"{venv}: Python {sys.version.split()[0]}")
    output_of([python, "-I", "-m", "venv", str(venv)], f"{python} cannot make {venv}")


class Pip:
    """pip of an environment, which takes the user's index and none of the user's other settings."""

    def __init__(self, venv):
        self.python = str(venv / "bin/python")
        self.downloads = venv.resolve() / "downloads"
        self.downloads.mkdir()
        self.environment = {
            **own_environment(),
            **self.sources(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "TMPDIR": str(self.downloads),
        }

    def sources(self):
        """Where packages come from, by the user's files and environment variables."""
        command = [self.python, "-I", "-m", "pip", "config", "list"]
        # a `user` or `quiet` in a file is one of this command too, unless the environment has it
        plain = {"PIP_USER": "0", "PIP_QUIET": "0"}
        listed = output_of(command, "pip cannot read its settings", **plain)
        found = {}
        for section in ("global", "install", ":env:"):
            for name, value in re.findall(rf"^{section}\.([\w-]+)=(.*)$", listed, flags=re.M):
                variable = "PIP_" + name.upper().replace("-", "_")
                if SOURCES.match(variable):
                    found[variable] = ast.literal_eval(value)
        return found

    def install(self, title, files, options=()):
        """Install what the files name, by its checksums, at the second attempt if need be."""
        command = [self.python, "-I", "-c", PIP, "install", "--require-hashes", "--no-deps"]
        command += ["--no-build-isolation", "--use-pep517", "--progress-bar", "off", *options]
        for file in files:
            command += ["--requirement", str(file)]
        total = sum(len(requirements(Path(file).read_text())) for file in files)
        for attempt in range(ATTEMPTS):
            say(f"{title}, once more" if attempt else title)
            said = self.attempt(command, Progress(self.downloads, total))
            if not said:
                return
        raise Failed(f"{title}: pip ended with\n  " + "\n  ".join(said[-10:]))

    def attempt(self, command, progress):
        """Run pip to its end, or until it stalls; what it said where it failed."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        said, rest = [], b""
        with subprocess.Popen(command, env=self.environment, **pipes) as process:
            try:
                while not progress.stalled():
                    if not select.select([process.stdout], [], [], 0.5)[0]:
                        continue
                    chunk = os.read(process.stdout.fileno(), 1 << 16)
                    if not chunk:
                        status = process.wait()
                        return [*said, f"status {status}"] if status else []
                    *lines, rest = (rest + chunk).split(b"\n")
                    said += progress.read([line.decode(errors="replace") for line in lines])
            finally:
                process.kill()
        return [*said, f"Nothing more came for {STALLED_SECONDS} s."]


class Progress:
    """How far pip is, by what it says and by the size of what it has fetched."""

    def __init__(self, downloads, total):
        self.downloads, self.total = downloads, total
        self.packages = self.received = 0
        self.installing = False
        self.started = self.moved = self.reported = time.monotonic()

    def read(self, lines):
        """Take note of lines; those that are worth showing where pip fails."""
        self.moved = time.monotonic()
        self.packages += sum(line.startswith(PACKAGE) for line in lines)
        self.installing |= any(line.startswith("Installing ") for line in lines)
        dull = (*PACKAGE, "Looking in ", "  Downloading", "  Using cached")
        return [line for line in lines if not line.startswith(dull)]

    def stalled(self):
        now, received = time.monotonic(), size(self.downloads)
        if abs(received - self.received) >= STALLED_BYTES:
            self.moved, self.received = now, received
        if now - self.reported >= REPORT_SECONDS:
            doing = "installing" if self.installing else f"{received / 1e6:.0f} MB fetched"
            seconds = int(now - self.started)
            say(f"  {seconds} s: {self.packages} of {self.total} packages, {doing}")
            self.reported = now
        # nothing is fetched any more once packages are installed
        return not self.installing and now - self.moved > STALLED_SECONDS


def size(folder):
    """Bytes in the files of a folder, some of which may be removed meanwhile."""
    total = 0
    for where, _, names in os.walk(str(folder)):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def install(pip, venv):
    """Install the lock: first what builds others, then torch, then all."""
    text = LOCK.read_text()
    packages = requirements(text)
    options = "".join(re.findall(r"^--.*\n", text, flags=re.M))

    def only(name):
        file = pip.downloads / f"{name}.txt"
        file.write_text(options + packages[name])
        return [file]

    files = [LOCK]
    if "setuptools" in packages:
        pip.install("setuptools", only("setuptools"))
    if "torch" in packages and sys.platform == "linux":
        try:
            own_index = ["--index-url", CPU_INDEX, "--retries", "0", "--timeout", "15"]
            pip.install(f"torch from {CPU_INDEX}", only("torch"), own_index)
        except Failed as failed:
            say(f"It is not to be had there:\n{failed}")
            pip.install("torch from the package index, whose build may be for CUDA", only("torch"))
        if not list(venv.glob("lib/python*/site-packages/torch-*+cpu.dist-info")):
            say("This build of torch is for CUDA: with what it needs it takes about 5 GB.")
            files.append(CUDA)
    pip.install("the other packages", files)


def install_project(pip):
    """The project itself, as it stands here: an edit of its code needs no new set-up."""
    if not PROJECT.exists():
        return
    command = [pip.python, "-I", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--editable", str(PROJECT.parent)]
    output_of(command, "the project could not be installed")


def verify(pip):
    """Is all of the lock there, and does it work?"""
    pins = dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", LOCK.read_text(), flags=re.M))
    imported = [name for name in IMPORTED if name in pins]
    command = [pip.python, "-I", "-c", CHECK, json.dumps([pins, imported])]
    output_of(command, "the environment is not what it should be")


def set_up(venv):
    remove(venv)
    create(venv)
    pip = Pip(venv)
    install(pip, venv)
    install_project(pip)
    verify(pip)
    shutil.rmtree(str(pip.downloads))
    (venv / "ready.new").write_text(stamp(venv))
    os.replace(str(venv / "ready.new"), str(venv / "ready"))
    say(f"{venv}: ready")


def main(folder=".venv"):
    venv = Path(folder)
    try:
        if is_ready(venv):
            return
        check_python()
        with alone(venv):
            # another set-up may have made it meanwhile
            if not is_ready(venv):
                set_up(venv)
    except (Failed, OSError) as error:
        sys.exit(f"Set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("Set-up: interrupted; the next `make` starts it anew")


if __name__ == "__main__":
    main(*sys.argv[1:])
