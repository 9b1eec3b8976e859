"""The command: runs the sections one after the other, each in a process of its own; shows and stores the result."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from tests.bench.results import Section, bench_json
from tests.bench.settings import ROOT, SECTIONS, Settings
from tests.bench.table import show
from world2act.supervision.interrupts import EXIT_INTERRUPTED, raise_on_signals
from world2act_core.files import atomic_write_text

LOG_WIDTH = 150
SECTION_TIMEOUT_S = 240.0
ENDING_S = 30.0
"""How long a section that was told to end may take: it has a graph to bring down."""


def main() -> int:
    """Returns the exit status: 0 when every section was measured, whether targets were met or not."""
    raise_on_signals()
    try:
        return _main()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _main() -> int:
    os.chdir(ROOT)
    settings = tyro.cli(Settings, prog="python -m tests.bench")
    console = _console()
    names = [name for name in settings.only.split(",") if name]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown or not names:
        console.print(f"--only {settings.only!r}: choose from {','.join(SECTIONS)}", markup=False)
        return 2
    settings = replace(settings, work=settings.work.absolute(), out=settings.out.absolute())
    began = time.monotonic()
    sections = [_run(name, settings, console) for name in names]
    environment = _environment(settings)
    atomic_write_text(settings.out, bench_json(sections, environment))
    show(console, sections)
    console.print(f"{settings.out} after {time.monotonic() - began:.0f} s on {environment['machine']}", markup=False)
    return 1 if any(section.error for section in sections) else 0


def _console() -> Console:
    """A console that is wide enough for the tables where nothing says how wide it is, as in a log file."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_WIDTH)


def _run(name: str, settings: Settings, console: Console) -> Section:
    """One section in its process; a failure becomes the section's error."""
    console.print(f"measuring: {name}", style="bold")
    limit_s = SECTION_TIMEOUT_S * settings.patience
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "section.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.run_section", name, settings.to_text(), str(out)], cwd=ROOT
        )
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return Section(name, error=f"took longer than {limit_s:g} s (--patience N waits longer)", seconds=limit_s)
        except BaseException:
            _end(process)
            raise
        if out.is_file():
            return Section.load(out)
    return Section(name, error=f"its process ended with status {process.returncode}; what it printed is above")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(settings: Settings) -> dict[str, Any]:
    from training.common.machine import describe_machine, git_commit

    return {
        "machine": describe_machine(),
        "commit": git_commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "quick": settings.quick,
    }
