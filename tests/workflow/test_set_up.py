"""The set-up makes a whole environment or says why it cannot; with an index of tiny packages."""

import ast
import contextlib
import functools
import hashlib
import http.server
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "envs/set_up.py"


def wheel(name, version):
    """A package of one module, as the bytes of its wheel."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = '{version}'\n" + "# something to fetch\n" * 5000,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(file), content)
    return buffer.getvalue()


# One for the CPU that PyTorch's index has, one that the package index has, and what that needs.
WHEELS = {
    ("cpu", "torch"): ("2.13.0+cpu", wheel("torch", "2.13.0+cpu")),
    ("simple", "torch"): ("2.13.0", wheel("torch", "2.13.0")),
    ("simple", "tiny"): ("1.0", wheel("tiny", "1.0")),
    ("simple", "triton"): ("3.0", wheel("triton", "3.0")),
}


def requirement(name):
    """With the checksums of both indexes."""
    found = {key: value for key, value in WHEELS.items() if key[1] == name}
    hashes = [hashlib.sha256(content).hexdigest() for _, content in found.values()]
    version = found["simple", name][0]
    return f"{name}=={version}" + "".join(f" \\\n    --hash=sha256:{h}" for h in hashes) + "\n"


class Index(http.server.ThreadingHTTPServer):
    """`ailing[path]` is how answers fail, and how many of them."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.ailing, self.asked, self.ended = {}, [], threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"

    def content(self, path):
        kind, name, *file = path.strip("/").split("/")
        if (kind, name) not in WHEELS:
            return None
        version, content = WHEELS[kind, name]
        if file:
            return content
        link = f"{name}-{version}-py3-none-any.whl"
        return f'<!DOCTYPE html><html><body><a href="{link}">{link}</a></body></html>'.encode()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.content(self.path)
        for part, (ailment, times) in self.server.ailing.items():
            if part in self.path and times > 0:
                self.server.ailing[part] = ailment, times - 1
                break
        else:
            ailment = None
        self.send_response(200 if content else 404)
        kind = "application/zip" if self.path.endswith(".whl") else "text/html"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.answer(content or b"", ailment)

    def answer(self, content, ailment):
        if ailment == "hangs":
            self.server.ended.wait()
        elif ailment == "drips":
            for byte in content:
                self.wfile.write(bytes([byte]))
                if self.server.ended.wait(0.2):
                    return
        elif ailment == "dies":
            self.wfile.write(content[: len(content) // 2])
        elif ailment == "is another's":
            self.wfile.write(content[:-1] + b"?")
        else:
            self.wfile.write(content)

    def log_message(self, *_):
        """Keep the tests' output clean."""


@pytest.fixture
def index():
    with Index() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.ended.set()
        server.shutdown()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    venv = tmp_path_factory.mktemp("template") / "venv"
    subprocess.run([sys._base_executable, "-m", "venv", venv], check=True)
    return venv


@pytest.fixture
def set_up(tmp_path, monkeypatch):
    """The script as a module, in an empty folder, with a lock of tiny packages."""
    spec = importlib.util.spec_from_file_location("set_up", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "LOCK", tmp_path / "requirements.txt")
    monkeypatch.setattr(module, "CUDA", tmp_path / "cuda.txt")
    monkeypatch.setattr(module, "PROJECT", tmp_path / "pyproject.toml")  # most tests have none
    module.LOCK.write_text(requirement("tiny") + requirement("torch"))
    module.CUDA.write_text(requirement("triton"))
    return module


@pytest.fixture
def quick(set_up, index, template, monkeypatch):
    """With real pip and an index at hand; impatient."""
    copy = functools.partial(shutil.copytree, template, symlinks=True)
    monkeypatch.setattr(set_up, "create", copy)
    monkeypatch.setattr(set_up, "STALLED_SECONDS", 4)
    monkeypatch.setattr(set_up, "CPU_INDEX", f"{index.address}/cpu")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple")
    return set_up


def installed(name, venv=".venv"):
    """The version in an environment, None where it is not there."""
    found = list(Path(venv).glob(f"lib/python*/site-packages/{name}-*.dist-info"))
    return found[0].name[len(name) + 1 : -len(".dist-info")] if found else None


def test_a_python_that_is_too_old_is_told_so_in_a_sentence(tmp_path):
    """And nothing is made; the syntax is one that it reads."""
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))
    old = "import runpy, sys; sys.version_info = (3, 9, 6); sys.argv = ['', '.venv']; "
    old += f"sys.version = '3.9.6 (Apple)'; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", old], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11 to 3.13 is needed" in done.stderr
    assert "is 3.9.6" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_users_other_settings_of_pip_and_python(quick, index, tmp_path, monkeypatch, capsys):
    """Of them the index is kept; all else could lead packages elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    settings = tmp_path / "pip.conf"
    settings.write_text(
        f"[global]\nindex-url = {index.address}/simple\nuser = true\nquiet = 2\n"
        f"[install]\ntarget = {elsewhere}\n"
    )
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow/pip.py").write_text("raise SystemExit('not pip')")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONUSERBASE"):
        monkeypatch.setenv(name, str(elsewhere))
    monkeypatch.setenv("PIP_DRY_RUN", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    quick.main()
    assert (installed("tiny"), installed("torch")) == ("1.0", "2.13.0+cpu")
    assert not elsewhere.exists()
    assert "/simple/torch/" not in index.asked
    assert quick.is_ready(Path(".venv"))
    assert capsys.readouterr().out.endswith(".venv: ready\n")
    assert not Path(".venv/downloads").exists()


@pytest.mark.parametrize("ailment", ["drips", "is another's"])
def test_an_ailing_index_of_cpu_builds(quick, index, ailment, monkeypatch, capsys):
    """The package index's build takes its place, with what that needs, and this is said."""
    monkeypatch.setattr(quick, "ATTEMPTS", 1)
    index.ailing["/cpu/torch/"] = ailment, 100
    quick.main()
    assert (installed("torch"), installed("triton")) == ("2.13.0", "3.0")
    assert quick.is_ready(Path(".venv"))
    said = capsys.readouterr().out
    assert "This build of torch is for CUDA" in said
    assert ("Nothing more came for 4 s" in said) == (ailment == "drips")


@pytest.mark.parametrize("ailment", ["hangs", "dies"])
def test_a_package_index_that_ails_once(quick, index, ailment, capsys):
    quick.LOCK.write_text(requirement("tiny"))
    index.ailing["tiny-1.0"] = ailment, 1
    quick.main()
    assert quick.is_ready(Path(".venv"))
    assert "once more" in capsys.readouterr().out


def test_a_package_that_is_not_the_locks(quick, index):
    quick.LOCK.write_text(requirement("tiny"))
    index.ailing["tiny-1.0"] = "is another's", 100
    with pytest.raises(SystemExit, match="DO NOT MATCH THE HASHES"):
        quick.main()
    assert installed("tiny") is None
    assert not quick.is_ready(Path(".venv"))


def test_killed_in_the_middle(quick, index, template, tmp_path):
    """pip ends with the set-up, and the next one makes the environment."""
    index.ailing["tiny-1.0"] = "hangs", 1
    driver = f"""
import shutil, sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import set_up
from pathlib import Path
set_up.create = lambda venv: shutil.copytree({str(template)!r}, venv, symlinks=True)
set_up.LOCK, set_up.CUDA = Path("requirements.txt"), Path("cuda.txt")
set_up.PROJECT = Path("pyproject.toml")
set_up.CPU_INDEX = {quick.CPU_INDEX!r}
set_up.main({str(tmp_path / ".venv")!r})
"""
    with subprocess.Popen([sys.executable, "-c", driver], stdout=subprocess.PIPE) as process:
        while not any("tiny-1.0" in path for path in index.asked):
            assert process.poll() is None
            time.sleep(0.05)
        assert str(tmp_path / ".venv") in commands()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    deadline = time.monotonic() + 5
    while str(tmp_path / ".venv") in commands():
        assert time.monotonic() < deadline, "pip goes on"
        time.sleep(0.05)
    assert Path(".venv/pyvenv.cfg").exists()
    assert not quick.is_ready(Path(".venv"))
    quick.main()
    assert quick.is_ready(Path(".venv"))
    assert installed("tiny") == "1.0"


def commands():
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_what_is_not_there_is_not_ready(quick, monkeypatch):
    monkeypatch.setattr(quick, "install", lambda *_: None)
    with pytest.raises(SystemExit, match="tiny is not there"):
        quick.main()
    assert not quick.is_ready(Path(".venv"))


def test_the_project_itself_is_installed(quick):
    """In the end, without the index; one that cannot be installed is an error."""
    quick.LOCK.write_text(requirement("tiny"))
    built = quick.PROJECT.with_name("ours-1.0-py3-none-any.whl")
    built.write_bytes(wheel("ours", "1.0"))
    quick.PROJECT.write_text("[build-system]\nrequires = []\nbuild-backend = 'backend'\n")
    with quick.PROJECT.open("a") as file:
        file.write("backend-path = ['.']\n")
    backend = "import shutil\ndef build_editable(folder, *_):\n"
    backend += f"    return shutil.copy({built.name!r}, folder).rpartition('/')[2]\n"
    quick.PROJECT.with_name("backend.py").write_text(backend)
    quick.main()
    assert quick.is_ready(Path(".venv"))
    assert installed("ours") == "1.0"
    shutil.rmtree(".venv")
    quick.PROJECT.with_name("backend.py").unlink()
    with pytest.raises(SystemExit, match="the project could not be installed"):
        quick.main()
    assert not quick.is_ready(Path(".venv"))


@pytest.fixture
def made(set_up, monkeypatch):
    """The set-up without pip: how often an environment was made."""
    count = []

    def create(venv):
        count.append(venv)
        (venv / "bin").mkdir(parents=True)
        (venv / "bin/python").symlink_to(sys._base_executable)
        (venv / "pyvenv.cfg").write_text("")

    class Pip:
        def __init__(self, venv):
            self.downloads = venv / "downloads"
            self.downloads.mkdir()

    for name, stub in {"create": create, "Pip": Pip}.items():
        monkeypatch.setattr(set_up, name, stub)
    for name in ("install", "verify"):
        monkeypatch.setattr(set_up, name, lambda *_: None)
    return count


def no_python():
    Path(".venv/bin/python").unlink()
    Path(".venv/bin/python").symlink_to("/nowhere/python3.10")


def another_python():
    Path(".venv/bin/python").unlink()
    Path(".venv/bin/python").symlink_to("/bin/sh")


def half_made():
    shutil.rmtree(".venv")
    Path(".venv/lib").mkdir(parents=True)


def an_older_set_up():
    Path(".venv/ready").write_text("")


def another_lock():
    with Path("requirements.txt").open("a") as lock:
        lock.write(requirement("triton"))


@pytest.mark.parametrize(
    "change", [no_python, another_python, half_made, an_older_set_up, another_lock]
)
def test_an_environment_that_is_not_whole_is_made_anew(set_up, made, change):
    set_up.main()
    Path(".venv/bin/left").write_text("of the one before")
    set_up.main()
    assert len(made) == 1
    change()
    set_up.main()
    assert len(made) == 2
    assert not Path(".venv/bin/left").exists()
    set_up.main()
    assert len(made) == 2


def test_a_folder_that_was_moved(set_up, made, tmp_path, monkeypatch):
    """Its programs name the place where they were made."""
    Path("before").mkdir()
    set_up.main("before/.venv")
    Path("before").rename("after")
    set_up.main("after/.venv")
    assert len(made) == 2


def test_what_is_no_environment_is_left_alone(set_up, made):
    Path(".venv").mkdir()
    Path(".venv/thesis.tex").write_text("mine")
    with pytest.raises(SystemExit, match=r"\.venv is no Python environment"):
        set_up.main()
    assert Path(".venv/thesis.tex").read_text() == "mine"
    Path(".venv").rename("elsewhere")
    Path(".venv").symlink_to("elsewhere")
    with pytest.raises(SystemExit, match="is a link"):
        set_up.main()
    assert Path("elsewhere/thesis.tex").read_text() == "mine"
    assert not made


def test_two_set_ups_at_once(set_up, made, capsys):
    """The second waits for the first, and finds all done."""
    with set_up.alone(Path(".venv")):
        other = threading.Thread(target=set_up.main)
        other.start()
        time.sleep(0.3)
        assert not made
        set_up.set_up(Path(".venv"))
    other.join()
    assert len(made) == 1
    assert "waiting" in capsys.readouterr().out
