"""What a run shows: a line a step, the error last, all else in a file."""

import io
import logging
import os
import subprocess
import sys

import pytest
from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from spectralunmix.command.terminal import Output, Share, StepLines, error_in, last_line


def record(event=None, message="", level=logging.INFO, **fields):
    made = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    vars(made).update(fields | ({"event": event} if event else {}))
    return made


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "select.log"
    path.write_text("124 spectra read\n80 spectra selected\n\n")
    return str(path)


def test_a_line_a_step(log):
    shown = io.StringIO()
    with StepLines(shown, "none") as lines:
        lines.emit(
            record(LogEvent.RUN_INFO, stats={"select": 1, "pca": 1, "figure": 1, "total": 3})
        )
        lines.emit(record(LogEvent.JOB_INFO, jobid=4, log=[log]))
        lines.emit(record(LogEvent.JOB_INFO, jobid=0, log=[]))  # the target has no work of its own
        assert shown.getvalue() == ""
        lines.emit(record(LogEvent.JOB_FINISHED, job_id=4))
        lines.emit(record(LogEvent.JOB_FINISHED, job_id=0))
    assert shown.getvalue() == "[1/2] select             0 s  80 spectra selected\n"
    assert lines.error == ""


def test_the_error_of_a_step_is_all_that_is_kept(log, tmp_path):
    with open(log, "a") as file:
        file.write("ERROR: tiny.yaml does not fit the library:\n  t1.txt: no flux\n")
    lines = StepLines(io.StringIO(), "none")
    lines.emit(record(LogEvent.JOB_INFO, jobid=4, log=[log]))
    lines.emit(record(LogEvent.ERROR, "RuleException:\nCommand 'x' failed", logging.ERROR))
    lines.emit(record(LogEvent.JOB_ERROR, jobid=4, rule_name="select"))
    lines.emit(record(None, "Exiting because a job execution failed", logging.ERROR))
    assert lines.error == "ERROR: tiny.yaml does not fit the library:\n  t1.txt: no flux"
    assert error_in(str(tmp_path / "none")) == ""


@pytest.mark.parametrize(
    "message",
    [
        'WorkflowError in file "/a b/common.smk", line 3:\nlibrary: no such entry\n'
        '  File "/a b/common.smk", line 9, in <module>\n  File "/c.smk", line 1, in entry_file',
        'Error:\n  WorkflowError:\n    library: no such entry (rule download, line 1, "/a/b.smk")',
        'WildcardError in rule download in file "/a.smk", line 9:\nlibrary: no such entry',
    ],
)
def test_an_error_of_the_configuration_is_its_message_alone(message):
    lines = StepLines(io.StringIO(), "none")
    lines.emit(record(LogEvent.ERROR, message, logging.ERROR))
    assert lines.error == "library: no such entry"


def test_a_terminal_shows_the_steps_that_run(log):
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=60)
    with StepLines(shown, "none", console=terminal) as lines:
        lines.emit(record(LogEvent.JOB_INFO, jobid=4, log=[log]))
        lines.live.refresh()
        assert "80 spectra selected" in shown.getvalue()
        with open(log, "a") as file:
            file.write("8.4 of 20.9 MB, 40 %\n")
        bar = Share(bar_width=20)
        task = lines.live.tasks[0]
        bar.render(task)
        assert (task.completed, task.total) == (40, 100)
        lines.emit(record(LogEvent.JOB_FINISHED, job_id=4))
        assert lines.live.tasks == []


def test_the_last_line_of_a_log_that_is_not_there(tmp_path):
    assert last_line(str(tmp_path / "none")) == ""
    (tmp_path / "empty").write_text("\n\n")
    assert last_line(str(tmp_path / "empty")) == ""


def test_output_of_the_jobs_goes_to_a_file(tmp_path):
    program = f"""
import os, subprocess, sys
sys.path.insert(0, {os.path.dirname(Output.__init__.__code__.co_filename)!r})
from spectralunmix.command.terminal import Output
print("before")
with Output("output.log") as terminal:
    print("of python")
    subprocess.run(["sh", "-c", "echo of a job; echo of its errors >&2"])
    print("shown", file=terminal)
print("after")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("before\nafter\n", "shown\n")
    kept = (tmp_path / "output.log").read_text().splitlines()
    assert sorted(kept) == ["of a job", "of its errors", "of python"]
