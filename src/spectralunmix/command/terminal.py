"""What a run shows: a line a step, live on a terminal; all other output goes to a file.

Snakemake takes `StepLines` for one of its logger plugins.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

TAIL = 4096  # bytes at the end of a log that are read for its last line
PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%$")  # as long work ends the lines of its progress
NAME_WIDTH = 15
# What Snakemake puts around the message of an error in the configuration or a rule
AROUND = re.compile(
    r'^ *\w*(?:Error|Exception)(?: in rule \w+)?(?: in file "[^"]*", line \d+)?:[\n ]'
    r'|\n? *\(rule \w+, line \d+, [^()]*\)$|\n +File "[^"]*", line \d+, in .*$',
    re.M,
)


class Output:
    """The terminal, while everything else that is written to stdout and stderr goes to a file.

    Parameters
    ----------
    file : str or Path
        Takes what Snakemake and the jobs write, which would tear the live lines apart.
    """

    def __init__(self, file: str | Path):
        self.file = Path(file)

    def __enter__(self) -> TextIO:
        sys.stdout.flush()
        sys.stderr.flush()
        self._kept = [os.dup(1), os.dup(2)]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.file, "w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        self.terminal = os.fdopen(os.dup(self._kept[1]), "w", encoding="utf-8", errors="replace")
        return self.terminal

    def __exit__(self, *_: object) -> None:
        self.terminal.close()
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, number)
            os.close(kept)


@dataclass
class Step:
    """A job of the run: its name, its log, when it began, and its line on the terminal."""

    name: str
    log: str
    began: float = field(default_factory=time.monotonic)
    line: TaskID | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def last_line(log: str) -> str:
    """The last line of a log that is not empty."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:  # not there yet
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def tail(log: str | Path, lines: int = 20) -> str:
    """The last lines of a log; none where it is not there."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def error_in(log: str) -> str:
    """The log from its error on; its end where none was named."""
    text = tail(log, 10_000)
    at = text.rfind("ERROR: ")
    return text[at:].strip() if at >= 0 else tail(log)


def warnings_in(log: str) -> list[str]:
    """The lines of a log that are warnings."""
    return [line for line in tail(log, 10_000).splitlines() if line.startswith("WARNING: ")]


class LastLine(ProgressColumn):
    """What a running step last wrote to its log."""

    def render(self, task: Task) -> Text:
        return Text(last_line(task.fields["log"]), overflow="ellipsis", no_wrap=True)


class Share(ProgressColumn):
    """A bar where the step's last line has a percentage."""

    def __init__(self, bar_width: int):
        super().__init__()
        self.bar = BarColumn(bar_width)

    def render(self, task: Task) -> Text | ProgressBar:
        found = PERCENT.findall(last_line(task.fields["log"]))
        if not found:
            return Text("")
        task.total, task.completed = 100, float(found[-1])
        return self.bar.render(task)


class StepLines(LogHandlerBase):
    """A line for each step that ended, and on a terminal one for each that runs.

    Its `error` is the message of a run that failed, which has to come last; `stopped` says
    whether the user stopped it.
    """

    writes_to_stream = True  # so that Snakemake does not write there itself
    writes_to_file = needs_rulegraph = False
    has_filter = has_formatter = True

    def __init__(
        self,
        terminal: TextIO,
        output: str | Path,
        begun: Callable[[], None] = lambda: None,  # called once Snakemake has its locks
        console: Console | None = None,
    ):
        logging.Handler.__init__(self)
        self.begun = begun
        self.output = output  # what the jobs print besides
        self.steps: dict[int, Step] = {}
        self.failures: list[str] = []
        self.errors: list[str] = []
        self.stopped = False
        self.total = self.done = 0
        self.console = console or Console(file=terminal, highlight=False, markup=False)
        self.live = None
        if self.console.is_terminal:
            self.live = Progress(
                SpinnerColumn(),
                TextColumn(f"{{task.description:<{NAME_WIDTH}}}"),
                TimeElapsedColumn(),
                Share(bar_width=20),
                LastLine(),
                console=self.console,
                refresh_per_second=4,
                transient=True,
                redirect_stdout=False,  # Output has them
                redirect_stderr=False,
            )

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    @property
    def error(self) -> str:
        """Of the steps that failed; else Snakemake's own, as of a configuration at fault."""
        return "\n".join(dict.fromkeys(self.failures or self.errors))

    def emit(self, record: logging.LogRecord) -> None:
        fields: Any = record  # which Snakemake gives attributes by event
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                self.begun()
                jobs = fields.stats
                self.total = sum(n for rule, n in jobs.items() if rule not in UNCOUNTED)
            case LogEvent.JOB_INFO if fields.log:
                self.begin(fields.jobid, fields.log[0])
            case LogEvent.JOB_FINISHED:
                self.end(fields.job_id)
            case LogEvent.JOB_ERROR:
                self.fail(fields.jobid, fields.rule_name)
            case None if record.getMessage().startswith("Terminating processes on user request"):
                self.stopped = True
            case None if record.levelno >= logging.ERROR and record.getMessage():
                self.errors.append(record.getMessage())
            case None if record.getMessage().startswith("Nothing to be done"):
                self.console.print("nothing to be done: all of it is there and up to date")
            case LogEvent.ERROR:
                message = re.split(r"\n *(?:Wildcards|Traceback):\n", record.getMessage())[0]
                self.errors.append(dedent(AROUND.sub("", message)).strip())

    def begin(self, job: int, log: str) -> None:
        step = self.steps[job] = Step(Path(log).stem, log)
        if self.live:
            step.line = self.live.add_task(step.name, total=None, log=log)

    def end(self, job: int) -> None:
        if job in self.steps:
            self.done += 1
            step = self.steps[job]
            self.say(self.steps.pop(job), f"{step.seconds:4.0f} s  {last_line(step.log)}")
            for line in warnings_in(step.log):
                self.console.print(line, soft_wrap=True)

    def fail(self, job: int, rule: str) -> None:
        if job in self.steps:
            step = self.steps.pop(job)
            if self.stopped:
                self.say(step, f"stopped after {step.seconds:.0f} s")
                return
            self.say(step, f"failed after {step.seconds:.0f} s; its log: {step.log}")
            self.failures.append(error_in(step.log) or f"{rule} was killed, or could not start:")
            if not error_in(step.log):
                self.failures += [*self.errors, tail(self.output)]

    def say(self, step: Step, what: str) -> None:
        if self.live and step.line is not None:
            self.live.remove_task(step.line)
        line = f"[{self.done}/{self.total}] {step.name:<{NAME_WIDTH}} {what}"
        cut = {"overflow": "ellipsis", "no_wrap": True} if self.live else {"soft_wrap": True}
        self.console.print(line, **cut)


UNCOUNTED = {"total", "all", "figure", "report"}  # in Snakemake's table of jobs: no work of theirs
