"""Runs that are stopped, killed, doubled, or have no room: the next one ends well by itself."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest

SELECTION = "results/tiny/selection.ecsv"
SLOW = pytest.mark.slow


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=SLOW)])
def test_a_run_that_is_stopped(tiny, how):
    process = tiny.start()
    tiny.wait_for("results/tiny/records/select.json")
    printed = tiny.kill(process, how)
    if how == signal.SIGINT:
        assert "stopped; the next run goes on from here" in printed
        assert "ERROR" not in printed
    assert tiny.half_written() == [] or how == signal.SIGKILL
    code, printed = tiny.run()
    assert code == 0, printed
    assert tiny.verify()[0] == 0
    assert tiny.half_written() == []


@pytest.mark.slow
def test_a_job_that_is_killed(tiny):
    script = tiny.folder / "workflow/scripts/pca.py"
    text = script.read_text()
    script.write_text("import os\nos.kill(os.getpid(), 9)\n" + text)
    code, printed = tiny.run()
    assert code != 0
    assert "pca was killed, or could not start:" in printed
    assert "SIGKILL" in printed
    assert not (tiny.results / "pca_fit.json").exists()
    script.write_text(text)
    assert tiny.run()[0] == 0
    assert tiny.verify()[0] == 0


def test_two_runs_at_once(tiny):
    first = tiny.start()
    tiny.wait_for("results/tiny/logs/select.log")
    code, printed = tiny.run()
    assert code != 0
    assert "another run is at work" in printed
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert tiny.run()[0] == 0
    assert tiny.verify()[0] == 0


def test_beside_a_plain_snakemake_nothing_is_touched(made):
    """Its lock is its own, also where a run of ours left the note of an older one."""
    (made.folder / ".snakemake/spectralunmix_locks").write_text("0.input.lock 1 1")
    locks = made.folder / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.input.lock").write_text("results/tiny/selection.ecsv\n")
    part, altered = made.results / ".part-mine", made.results / "selection.ecsv"
    part.touch()
    altered.write_text("# edited")
    code, printed = made.run()
    assert code != 0
    assert "ERROR: a plain `snakemake` is at work in" in printed
    assert "`snakemake --unlock`" in printed
    assert part.exists()
    assert altered.read_text() == "# edited"
    assert (locks / "0.input.lock").exists()
    (locks / "0.input.lock").unlink()
    assert made.run()[0] == 0
    assert not part.exists()


def test_a_folder_with_the_name_of_a_half_written_file(made):
    (made.results / "mine/.part-ab").mkdir(parents=True)
    code, printed = made.run()
    assert code == 0, printed
    assert (made.results / "mine/.part-ab").is_dir()


def mounted(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True)
    if done.returncode:
        pytest.skip("mounting needs privileges")


@pytest.mark.slow
def test_disk_full(tiny):
    results = tiny.folder / "results"
    results.mkdir()
    mounted("-t", "tmpfs", "-o", "size=100k", "tmpfs", results)
    try:
        code, printed = tiny.run()
        assert code != 0
        assert "No space left on device" in printed
        assert "Traceback" not in printed
        subprocess.run(["mount", "-o", "remount,size=100m", results], check=True)
        code, printed = tiny.run()
        assert code == 0, printed
        assert tiny.verify()[0] == 0
    finally:
        subprocess.run(["umount", results], check=True)


@pytest.mark.slow
def test_read_only_results(tiny):
    assert tiny.run(SELECTION)[0] == 0
    results = tiny.folder / "results"
    mounted("--bind", results, results)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", results], check=True)
        code, printed = tiny.run()
        assert code != 0
        assert "Read-only file system" in printed
    finally:
        subprocess.run(["umount", results], check=True)
    assert tiny.run()[0] == 0
    assert tiny.verify()[0] == 0


@pytest.mark.slow
def test_an_unwritable_home_and_cache(tiny):
    nowhere = {
        "HOME": "/proc/nowhere",
        "XDG_CACHE_HOME": "/proc/nowhere",
        "MPLCONFIGDIR": "/proc/x",
    }
    code, printed = tiny.run(**nowhere)
    assert code == 0, printed
    assert tiny.verify()[0] == 0


RIGHT = {}  # what the first of the runs below ended in, by file


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get("KILLS", "2"))))
def test_killed_at_any_moment(tiny, seed):
    """KILLS=100 for the load that the project was tried with."""
    rng = np.random.default_rng(seed)
    process = tiny.start()
    time.sleep(rng.uniform(0.5, 14))
    tiny.kill(process, rng.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
    code, printed = tiny.run()
    assert code == 0, printed
    code, printed = tiny.verify()
    assert code == 0, printed
    assert tiny.half_written() == []
    for path in [*tiny.results.glob("*.ecsv"), *tiny.results.glob("figure.*")]:
        content = RIGHT.setdefault(path.name, path.read_bytes())
        assert path.read_bytes() == content, path
