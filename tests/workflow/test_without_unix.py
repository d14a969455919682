"""The factorisation and `fit` need nothing that only Unix has: a stand-in for Windows."""

import os
import subprocess
import sys
from pathlib import Path

# Modules and functions that Python has on Unix alone.
WITHOUT_UNIX = """
import os, signal, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("sched_getaffinity", "posix_fallocate", "fchmod", "getuid", "O_DIRECTORY"):
    if hasattr(os, name):
        delattr(os, name)
del signal.SIGALRM, signal.SIGKILL
import conftest  # of the tests, which run there too
import spectralunmix
for name in spectralunmix.__all__:
    getattr(spectralunmix, name)
from spectralunmix.cli import main
sys.argv = ["spectralunmix", "fit", "spectra.csv", "-k", "2"]
main()
"""


def test_a_fit_from_a_file(tmp_path):
    table = "wavelength,a,b,c\n5000,1,0,1\n5001,2,1,3\n5002,0,3,3\n5003,1,1,2\n"
    (tmp_path / "spectra.csv").write_text(table)
    command = [sys.executable, "-c", WITHOUT_UNIX]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "spectra_fit/components.ecsv").is_file()
