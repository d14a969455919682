"""A small library of text files, and a workflow that draws it in seconds."""

import contextlib
import os
import signal
import subprocess
import time

import numpy as np
import yaml

ENTRY = {
    "name": "Tiny",
    "citation": "nobody",
    "licence": "none",
    "medium": "air",
    "sources": [
        {
            "description": "text files",
            "files": [{"addresses": ["spectra"]}],
            "reader": "text",
            "members": ["t*.txt"],
        }
    ],
    "parameters": {"file_name": r"t(?P<teff>\d+)\.txt", "columns": {}},
    "classes": {
        "hot": {"label": "Hot", "where": {"teff": {"min": 6000}}},
        "cool": {"label": "Cool", "where": {"teff": {"max": 5999}}},
    },
    "selection": {"per_class": 5, "order": ["teff"]},
}
WAVE = np.linspace(4000, 7000, 60)


def flux(teff):
    return 1 + np.sin(WAVE / 300) ** 2 * (teff / 6000) + np.exp(-(((WAVE - teff) / 500) ** 2))


class Tiny:
    """The project with the library `tiny`, run as a user does."""

    def __init__(self, folder):
        self.folder = folder
        self.entry = yaml.safe_load(yaml.safe_dump(ENTRY))

    @property
    def python(self):
        """The interpreter of the project's environment."""
        return self.folder / ".venv/bin/python"

    @property
    def spectra(self):
        return self.folder / "spectra"

    def create(self, n_resamples=0):
        """The library and its settings, in a copy of the project."""
        self.spectra.mkdir()
        for teff in range(4000, 8000, 300):
            self.write(f"t{teff}.txt", flux(teff))
        self.save()
        text = (self.folder / "config/config.yaml").read_text()
        text = text.replace("n_components: 4", "n_components: 2").replace(
            "library: coelho2014", "library: tiny"
        )
        text = text.replace("n_resamples: 100", f"n_resamples: {n_resamples}")
        (self.folder / "config/config.yaml").write_text(text)
        return self

    def write(self, name, values, wave=WAVE):
        np.savetxt(self.spectra / name, np.transpose([wave, values]))

    def save(self):
        path = self.folder / "config/libraries/tiny.yaml"
        path.write_text(yaml.safe_dump(self.entry, sort_keys=False))

    def source(self, reader=None, members=None, **file):
        """Another source than the folder."""
        source = self.entry["sources"][0]
        source["files"] = [file]
        source["reader"], source["members"] = (
            reader or source["reader"],
            members or source["members"],
        )
        self.save()

    @property
    def results(self):
        return self.folder / "results/tiny"

    def start(self, *target, **environment):
        """A run, by the command that `make` calls."""
        command = [self.python, "-I", "-m", "spectralunmix.cli", "run"]
        return subprocess.Popen(
            [*command, *(target or ["figure"])],
            cwd=self.folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # a shell's background jobs ignore Ctrl-C, and so would what they start
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *target, **environment):
        """Exit status and what was printed."""
        process = self.start(*target, **environment)
        printed, _ = process.communicate(timeout=300)
        return process.returncode, printed

    def run_figure(self):
        """Exit status and what a user sees of `make figure`."""
        return self._done([self.python, "-I", "-m", "spectralunmix.cli", "figure"])

    def snakemake(self, *arguments, **environment):
        """Exit status of Snakemake alone, and what was printed."""
        command = [self.python, "-m", "snakemake", "--cores", "1", *arguments]
        return self._done(command, **environment)

    def run_dry(self, *target):
        return self.snakemake("--dry-run", *target)

    def verify(self, *arguments):
        command = [self.python, "-I", "-m", "spectralunmix.cli", "verify"]
        return self._done([*command, "--library", "tiny", *arguments])

    def _done(self, command, **environment):
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    def kill(self, process, how=None):
        """The run, the jobs it started and all: as a machine that goes down. What was printed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how or signal.SIGKILL)
        return process.communicate(timeout=60)[0]

    def wait_for(self, path, seconds=60):
        end = time.time() + seconds
        while not (self.folder / path).exists():
            assert time.time() < end, f"{path} did not come"
            time.sleep(0.02)

    def half_written(self):
        """Temporary files that a run left among its results."""
        return [p for p in self.results.rglob(".part-*")] + [
            p for p in self.results.rglob("*.part-*")
        ]
