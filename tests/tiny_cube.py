"""A small cube of two components, and a workflow that unmixes it in seconds."""

import subprocess

import numpy as np
import yaml

import cube_layouts

ENTRY = {
    "name": "Tiny cube",
    "citation": "nobody",
    "sources": [
        {
            "description": "a cube in the folder of the run",
            "files": [{"addresses": ["tiny.fits"]}],
            "reader": "fits_cube",
            "members": ["tiny.fits"],
        }
    ],
    "redshift": 0.0,
}
N_WAVE, Y, X = 60, 6, 7


def components():
    steps = np.arange(N_WAVE)
    made = np.array([0.5 + 0.5 * steps / N_WAVE, np.exp(-0.5 * ((steps - 30) / 3) ** 2)])
    return made / made.max(axis=1, keepdims=True)


def values():
    """Flux, sigma and which values are bad, (n_wave, y, x)."""
    random = np.random.default_rng(5)
    W = random.uniform(1, 30, (2, Y, X))
    sigma = random.uniform(0.1, 0.3, (N_WAVE, Y, X))
    flux = np.einsum("kyx,kw->wyx", W, components()) + sigma * random.normal(size=sigma.shape)
    bad = np.zeros(flux.shape, bool)
    bad[:, 0, 0] = True
    return flux, sigma, bad


class TinyCube:
    """The project with the cube `tinycube`, run as a user does."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder / "tiny.fits"
        self.entry = yaml.safe_load(yaml.safe_dump(ENTRY))

    def create(self):
        cube_layouts.muse(self.path, *values(), first=5000.0, step=1.25)
        self.save()
        return self

    def save(self):
        path = self.folder / "config/cubes/tinycube.yaml"
        path.write_text(yaml.safe_dump(self.entry, sort_keys=False))

    @property
    def results(self):
        return self.folder / "results/tinycube"

    def run(self, command="cube", *arguments, n_resamples=4, name="tinycube"):
        """Exit status and what was printed."""
        python = self.folder / ".venv/bin/python"
        words = [python, "-I", "-m", "spectralunmix.cli", command]
        if command != "verify":
            words += ["--cube", name, "--cores", "2"]
            words += ["--set", "cubes.smooth_nmf.smoothness=0.01"]
            words += ["--set", "cubes.smooth_nmf.n_components=2"]
            words += ["--set", f"cubes.bootstrap.n_resamples={n_resamples}"]
            words += ["--set", "cubes.bootstrap.resamples_per_job=2"]
        done = subprocess.run(
            [*words, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        return done.returncode, done.stdout
