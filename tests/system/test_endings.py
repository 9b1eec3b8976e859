"""Ctrl-C or SIGTERM, anywhere, leaves nothing: no process, no shared memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.system.conftest import new_domain
from world2act.soak.meters import shared_memory_files
from world2act.supervision.shared_memory import dead_segments, remove_dead_segments


def start_up(bundle: Path, folder: Path, domain: int) -> subprocess.Popen[str]:
    """`world2act up sim` in a terminal of its own."""
    command = [sys.executable, "-u", "-m", "world2act.cli.main", "up", "sim", "--bundle", str(bundle), "--lockstep"]
    return subprocess.Popen(
        [*command, "--domain", str(domain)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def wait_for(process: subprocess.Popen[str], words: str, seconds: float = 180.0) -> str:
    """Read its output until `words` appear."""
    assert process.stdout is not None
    seen = ""
    deadline = time.monotonic() + seconds
    while words not in seen and time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        seen += line
    assert words in seen, seen
    return seen


@pytest.mark.parametrize(
    ("moment", "number", "status"),
    [
        pytest.param("sim_bridge      configuring", signal.SIGINT, 130, marks=pytest.mark.long),
        ("Up on domain", signal.SIGINT, 130),
        pytest.param("sim_bridge      starting", signal.SIGTERM, 130, marks=pytest.mark.long),
        pytest.param("Up on domain", signal.SIGTERM, 130, marks=pytest.mark.long),
        ("Up on domain", signal.SIGKILL, -signal.SIGKILL),
    ],
    ids=["bring-up", "running", "terminated while starting", "terminated", "killed"],
)
def test_nothing_is_left(bundle: Path, tmp_path: Path, moment: str, number: signal.Signals, status: int) -> None:
    process = start_up(bundle, tmp_path, new_domain())
    try:
        wait_for(process, moment)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 5
        mapped = shared_memory_files([process.pid, *(child.pid for child in children)])
        assert mapped
        os.kill(process.pid, number)
        process.communicate(timeout=30)
        assert process.returncode == status
        gone, alive = psutil.wait_procs(children, timeout=15)
        assert alive == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if number == signal.SIGKILL:
        remove_dead_segments()  # what the next `up` does first
    # This graph's only: others may end on this machine at the same time.
    assert {str(path).removesuffix("_el") for path in dead_segments()} & mapped == set()
