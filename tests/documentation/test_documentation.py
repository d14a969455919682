"""Every command that the pages give is run, in their order, as a new user does."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/start.md",
    "docs/workflow/results.md",
    "docs/workflow/index.md",
    "docs/workflow/cluster.md",
    "docs/workflow/configuration.md",
    "docs/workflow/libraries.md",
    "docs/workflow/cube_entries.md",
    "docs/choosing.md",
    "docs/cubes.md",
    "docs/dask.md",
    "docs/method.md",
    "docs/benchmarks.md",
]
# Run by other means: what runs this, what takes an hour and makes the README's picture, and what
# takes minutes and is run on a small library.
ELSEWHERE = {"make test", "make benchmark", "make choose LIBRARY=pickles1998"}
ELSEWHERE |= {"make scan LIBRARY=pickles1998 PROFILE=profiles/slurm"}  # by tests/slurm
ELSEWHERE |= {
    "make choose CUBE=abell478",
    "make largecube",
    "make cube CUBE=mine CUBE_PATH=/data/ngc1275.fits N_COMPONENTS=4",
    "make cube CUBE=samson CUBE_PATH=/data/samson_1.mat",
}


def commands():
    """Lines of the blocks without a language, and `make ...` with settings in the text."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text()
        blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.S | re.M)
        typed = [line for kind, block in blocks if not kind for line in block.splitlines()]
        lines = [line.split("  #")[0].strip() for line in typed]
        lines += re.findall(r"`(make (?:paper|[a-z]+ [^`]+))`", text)
        found += [line for line in lines if line and line not in ELSEWHERE]
    return list(dict.fromkeys(found))


def test_commands_are_found():
    assert {"make demo", "make paper", "pip install ."} < set(commands())
    assert any(command.startswith("spectralunmix fit ") for command in commands())
    assert "make verify LIBRARY=coelho2014 REFERENCE=tests/reference/coelho2014" in commands()
    assert "make test" in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if ":" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path
        assert target.exists(), link
        if anchor:
            page_text = (target if path else ROOT / page).read_text()
            headings = re.findall(r"^#+ (.*)$", page_text, flags=re.M)
            assert anchor in [re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings]
    for target in re.findall(r"`make ([a-z]+)", text):
        assert re.search(
            rf"^(?:[a-z ]+ )?{target}(?: [a-z ]+)?:", (ROOT / "Makefile").read_text(), re.M
        )


class User:
    """Someone in a folder of the project that is set up."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Makefile", "README.md", "LICENSE", "pyproject.toml"):
            shutil.copyfile(ROOT / name, folder / name)
        shutil.copytree(ROOT / "tests/reference", folder / "tests/reference")

    def types(self, command, **environment):
        if command.startswith("make "):
            set_up = f"VENV='{sys.prefix}' -o '{sys.prefix}/ready'"
            command = command.replace("make ", f"make {set_up} ", 1)
        for name, module in (("spectralunmix", "spectralunmix.cli"), ("snakemake", "snakemake")):
            if command.startswith(f"{name} "):
                command = command.replace(name, f"'{sys.executable}' -I -m {module}", 1)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment
        return subprocess.run(
            command, shell=True, cwd=self.folder, env=environment, capture_output=True, text=True
        )


@pytest.mark.slow
def test_every_command(own):
    user = User(own.folder)
    paper = "COELHO2014" in os.environ
    for command in commands():
        if "coelho2014" in command and not paper:
            continue
        if command == "make paper":
            done = user.types(command)
            if done.returncode:  # out of reach from here: then it says what to do
                assert "LIBRARY_PATH=<path>" in done.stderr
            continue
        if "<file or folder>" in command:
            if not paper:
                continue
            command = command.replace("<file or folder>", f"'{os.environ['COELHO2014']}'")
        if command == "pip install .":
            command = f"'{sys.executable}' -m pip install --no-deps --target installed ."
        done = user.types(command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if command == "make demo":
            assert "nmf     component_4  hot_star" in done.stdout
            assert "figure: results/pickles1998/figure.pdf, .png and .svg" in done.stdout
    for name in ("pickles1998", "miles", "mystars", "comparison"):
        assert (own.results(name) / "figure.png").exists()
    assert (own.results("pickles1998") / "report.html").exists()
    fits = own.folder / "spectra_fit/fit.json", own.results("pickles1998") / "nmf_fit.json"
    ours, theirs = (json.loads(path.read_text())["objective"] for path in fits)
    assert ours == pytest.approx(theirs, rel=1e-5)  # to the looser tolerance of the command
    assert (own.results("pickles1998") / "scan.png").exists()

    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)[1]
    shown = "\nimport spectralunmix; print(spectralunmix.__file__, result.weights.shape)"
    (own.folder / "block.py").write_text(block + shown)
    done = user.types(f"'{sys.executable}' block.py", PYTHONPATH=str(own.folder / "installed"))
    assert done.returncode == 0, done.stderr
    assert f"{own.folder}/installed/spectralunmix" in done.stdout
    assert "(80, 4)" in done.stdout


@pytest.mark.slow
def test_a_home_that_cannot_be_written_to(own):
    """Nothing of a run lies outside its folder."""
    user = User(own.folder)
    done = user.types(
        "make figure LIBRARY=mystars",
        HOME="/proc/nowhere",
        XDG_CACHE_HOME="/proc/nowhere",
        MPLCONFIGDIR="/proc/nowhere",
    )
    assert done.returncode == 0, done.stderr
    assert (own.results("mystars") / "figure.png").exists()
