"""Workers of a pool do not outlive whoever wanted their work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from world2act_core.worker_process import begin_worker

if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), begin_worker) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        if "busy" in sys.argv:
            pool.submit(time.sleep, 60)
        time.sleep(60 if "wait" in sys.argv else 0)
"""


def there(process: int) -> bool:
    """Whether a process is there, and not only its entry."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("busy", [[], ["busy"]])
def test_a_killed_parent_leaves_no_worker(tmp_path: Path, busy: list[str]) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py"), "wait", *busy]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, signal.SIGINT)  # as a terminal would: not the worker's business
        time.sleep(0.2)
        assert there(worker)
        parent.kill()
    deadline = time.monotonic() + 20.0
    while there(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not there(worker)


def test_a_pool_that_has_done_its_work_ends_well(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, str(tmp_path / "program.py")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr and not there(int(done.stdout))
