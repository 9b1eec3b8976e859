"""Made-up commands for recipes: they write a file, and do on request what a real one may do in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from training.cli import COMMANDS, Command
from training.common.errors import TrainingError
from training.common.interrupt import Interrupted
from training.recipes.pipeline.step import Step

BUSY = "import time\nwhile time.process_time() < 0.3: pass"
RAN: list[str] = []
"""Files written, in order; a test empties it."""


@dataclass(frozen=True)
class Inner:
    """A part of a configuration."""

    rate: float = 1.0
    names: tuple[str, ...] = ("a",)


@dataclass(frozen=True)
class WriteConfig:
    """Write ``text`` into ``out``; more of it when something is there already."""

    out: Path
    text: str = "x"
    reads: tuple[Path, ...] = ()
    trouble: str = ""
    workers: int = 2
    switch: bool = False
    inner: Inner = field(default_factory=Inner)


def write(config: WriteConfig) -> None:
    """The command. trouble: "error", "bug", "ctrl-c", "asked" (a signal that is handled), "nothing" (no output);
    "busy" (whatever STEP_TROUBLE says): a process of its own computes for 0.3 s."""
    for path in config.reads:
        assert path.exists(), f"{path} should have been made before"
    RAN.append(config.out.name)
    present = os.environ.get("STEP_TROUBLE") == config.out.name
    trouble = config.trouble if present else ""
    if trouble == "error":
        raise TrainingError("the disk is made of cheese")
    if trouble == "bug":
        raise ZeroDivisionError("one over nothing")
    if trouble == "ctrl-c":
        os.kill(os.getpid(), signal.SIGINT)
    if trouble == "terminated":
        os.kill(os.getpid(), signal.SIGTERM)
    if trouble == "asked":
        with Interrupted() as interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupted
    if config.trouble == "busy":
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    if trouble != "nothing":
        before = config.out.read_text() if config.out.exists() else ""
        config.out.write_text(before + config.text)


def step(root: Path, name: str, *needs: str, **changes: object) -> Step:
    """A step that writes ``root/name`` after reading what ``needs`` wrote."""
    step_changes = {key: changes.pop(key) for key in ("uses", "extends", "overwrites", "command") if key in changes}
    config = WriteConfig(root / name, reads=tuple(root / other for other in needs), **changes)  # type: ignore[arg-type]
    command = str(step_changes.pop("command", "write"))
    return Step(name, command, config, (root / name,), needs=needs, **step_changes)  # type: ignore[arg-type]


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the command known for one test."""
    monkeypatch.setitem(COMMANDS, "write", Command(__name__, "WriteConfig", "write", "made up"))
    RAN.clear()
