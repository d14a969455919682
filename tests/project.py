"""A copy of the project to run in."""

import shutil
import subprocess
from pathlib import Path

from environment import environment

ROOT = Path(__file__).parent.parent


class Project:
    """A copy of the project in a folder of its own, and its workflow as a user runs it."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("Snakefile", "workflow", "config", "envs", "profiles", "src"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, folder / name)
        self.python = environment(folder)

    def run(self, *config: str, target: str = "figure") -> subprocess.CompletedProcess:
        command = [self.python, "-I", "-m", "spectralunmix.cli", "run", target]
        for setting in config:
            command += ["--set", setting]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new))

    def verify(self, library: str, reference: bool = True) -> subprocess.CompletedProcess:
        """Against the manifest, and the kept reference."""
        command = [self.python, "-I", "-m", "spectralunmix.cli", "verify"]
        command += ["--library", library]
        if reference:
            command += ["--reference", str(ROOT / "tests/reference" / library)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True)

    def results(self, library: str) -> Path:
        return self.folder / "results" / library
