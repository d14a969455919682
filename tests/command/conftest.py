"""Fixtures: the command `fit`, in a folder of the test's own."""

import sys

import pytest

from spectralunmix import cli


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fit(monkeypatch, capsys):
    """Run `spectralunmix fit` with these words; what it printed, or its message if it failed."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["spectralunmix", "fit", *map(str, words)])
        try:
            cli.main()
        except SystemExit as end:
            return str(end.code)
        return capsys.readouterr().out

    return run
