"""The command line: its help is enough to use it, comes at once, and is what the code does."""

import argparse
import shlex
import subprocess
import sys

import pytest

import spectralunmix
from spectralunmix import cli
from spectralunmix.command import run
from spectralunmix.command.parser import parsed, parser
from spectralunmix.command.run import settings
from spectralunmix.configuration import Configuration
from spectralunmix.errors import RunError

(SUBPARSERS,) = (
    action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
)
NO_NAME = "is not the name of an entry: give it without folders and .yaml"
COMMANDS = SUBPARSERS.choices
OF_LIBRARIES = ["figure", "report", "scan", "validate", "compare", "run"]
SMALLEST = {"compare": ["--libraries", "a", "b"], "run": ["figure"]}  # what each command needs


def shown(capsys, *words):
    """What the command prints with these words, in a terminal of 80 columns."""
    with pytest.raises(SystemExit) as end:
        parsed(words)
    assert end.value.code in (0, None)
    return capsys.readouterr().out


def test_without_words_the_help_is_shown(capsys):
    assert shown(capsys) == shown(capsys, "--help")


def test_the_version(capsys):
    assert shown(capsys, "--version") == f"spectralunmix {spectralunmix.__version__}\n"


def test_the_help_names_every_command(capsys):
    text = shown(capsys)
    for command in COMMANDS:
        assert f"\n    {command}" in text


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_fits_a_terminal_and_has_an_example(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(capsys, *command.split(), "--help")
    assert max(map(len, text.splitlines())) <= 80
    examples = text.split("example")[-1].splitlines()[1:]
    assert examples
    for line in examples:
        words = line.split("#")[0].replace('"', "").split()
        assert words[:2] == ["spectralunmix", command or words[1]]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_is_understood(command):
    for line in COMMANDS[command].epilog.splitlines()[1:]:
        name, *words = shlex.split(line)
        assert name == "spectralunmix"
        assert parsed(words).command == command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_its_default(command):
    needed = {"--help", "--set", "--libraries"}  # of these there is none to say
    for action in COMMANDS[command]._actions:
        if action.option_strings and not needed & set(action.option_strings):
            assert "(default: " in action.help, action.option_strings


@pytest.mark.parametrize("command", OF_LIBRARIES)
def test_the_defaults_of_the_help_are_those_of_the_configuration(command):
    configuration = Configuration()
    defaults = {
        "--library": configuration.library,
        "--n-components": configuration.smooth_nmf.n_components,
        "--smoothness": configuration.smooth_nmf.smoothness,
        "--metric": configuration.assign.metric,
    }
    assert configuration.pca.n_components == configuration.smooth_nmf.n_components
    found = {s: a.help for a in COMMANDS[command]._actions for s in a.option_strings}
    for option in set(defaults) & set(found):
        if (command, option) != ("compare", "--library"):  # that of --library-path
            assert f"in config/config.yaml, or {defaults[option]})" in found[option]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("validate", ["--metric", "angle"]),
        ("validate", ["--n-components", "5"]),
        ("validate", ["--smoothness", "5"]),
        ("scan", ["--n-components", "5"]),
        ("scan", ["--smoothness", "5"]),
        ("verify", ["--cores", "2"]),
        ("figure", ["--libraries", "a", "b"]),
        ("figure", ["--lib", "a"]),  # whole words alone
        ("run", ["--reference", "a"]),
    ],
)
def test_an_option_without_a_meaning_is_refused(command, option, capsys):
    with pytest.raises(SystemExit) as end:
        parsed([command, *SMALLEST.get(command, []), *option])
    assert end.value.code == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize("command", OF_LIBRARIES)
def test_without_options_the_configuration_is_as_it_is(command):
    changes = settings(parsed([command, *SMALLEST.get(command, [])]))
    assert changes == ({"library": "a", "compare": ["a", "b"]} if command == "compare" else {})


def test_options_change_the_configuration():
    options = ["--library", "x", "--library-path", "p", "--n-components", "5", "--smoothness", "0"]
    options += ["--metric", "angle", "--set", "smooth_nmf.tol=1e-6", "--set", "plot={width: 9}"]
    assert settings(parsed(["figure", *options])) == {
        "library": "x",
        "library_path": "p",
        "pca": {"n_components": 5},
        "smooth_nmf": {"n_components": 5, "smoothness": 0.0, "tol": 1e-6},
        "assign": {"metric": "angle"},
        "plot": {"width": 9},
    }


def main(monkeypatch, *words):
    """The message that a command ends with."""
    monkeypatch.setattr(sys, "argv", ["spectralunmix", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_settings_that_contradict_each_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").write_text("")
    monkeypatch.setattr("spectralunmix.command.isolation.environment_of_its_own", lambda: None)
    said = main(monkeypatch, "figure", "--set", "plot=3", "--set", "plot.width=9")
    assert said == "ERROR: --set plot.width: another option sets plot as a whole"


@pytest.mark.parametrize("command", ["figure", "verify"])
def test_outside_a_clone(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spectralunmix.command.isolation.environment_of_its_own", lambda: None)
    said = main(monkeypatch, command)
    assert said.startswith("ERROR: ")
    assert ("work in a clone of the project" in said) or ("make a figure first" in said)
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spectralunmix.command.isolation.environment_of_its_own", lambda: None)
    monkeypatch.delitem(sys.modules, "spectralunmix.command.run", raising=False)
    monkeypatch.setitem(sys.modules, "ruamel", None)
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)
    monkeypatch.delitem(sys.modules, "spectralunmix.yaml_files", raising=False)
    assert main(monkeypatch, "figure") == (
        "ERROR: figure needs the package ruamel.yaml, which is not installed: "
        "pip install '.[workflow]' in a clone of the project"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "x.csv", "--smothness", "3"], "no option --smothness: is --smoothness meant?"),
        (["verify", "--xyz"], "no option --xyz"),
        (["figure", "--library", ""], f"'' {NO_NAME}"),
        (["figure", "--library", "../x"], f"'../x' {NO_NAME}"),
        (["figure", "--cores", "0"], "'0': a whole number of at least 1 is needed"),
        (["figure", "--profile", "nothere"], "'nothere': there is no such folder"),
        (["figure", "--set", "a..b=1"], "a..b=1: neither a target nor KEY=VALUE"),
    ],
)
def test_a_wrong_word_is_told_with_the_commands_own_usage(words, message, capsys):
    with pytest.raises(SystemExit) as end:
        parsed(words)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.endswith(f"{message}\n")


def test_the_help_imports_nothing_that_takes_long():
    program = (
        "import sys; from spectralunmix.cli import main\n"
        "sys.argv = ['spectralunmix', 'fit', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "spectralunmix.command.parser" in loaded
    for package in ("torch", "numpy", "astropy", "snakemake", "matplotlib", "pydantic", "ruamel"):
        assert package not in loaded


def test_an_executor_that_is_not_installed_is_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    profile, lock = tmp_path / "profile", tmp_path / "envs/far.txt"
    profile.mkdir()
    (profile / "config.yaml").write_text("executor: far-away\n")
    with pytest.raises(RunError, match=r"executor far-away .* snakemake-executor-plugin-far-away$"):
        run.check_executor(str(profile))
    (profile / "config.yaml").write_text("executor: far\n")
    lock.parent.mkdir()
    lock.touch()
    with pytest.raises(RunError, match=r"pip install --no-deps --requirement envs/far\.txt$"):
        run.check_executor(str(profile))
    for content in ("executor: local", "jobs: 2", "[", ""):
        (profile / "config.yaml").write_text(content)
        run.check_executor(str(profile))
    run.check_executor(None)
