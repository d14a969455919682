"""An environment whose package is that of a folder, over the packages that are installed."""

import subprocess
import sys
from pathlib import Path


def environment(folder: Path, *paths: Path) -> Path:
    """The interpreter of a new .venv in the folder, which imports spectralunmix from its src.

    paths : where it is looked for in place of that
    """
    base = Path(sys.base_prefix) / f"bin/python3.{sys.version_info.minor}"
    subprocess.run([base, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (packages,) = (folder / ".venv").glob("lib/python*/site-packages")
    installed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "here.pth").write_text(
        "\n".join([*map(str, paths or [folder / "src"]), *installed]) + "\n"
    )
    return folder / ".venv/bin/python"
