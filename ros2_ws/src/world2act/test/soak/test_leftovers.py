"""What is left after an end: processes, threads and shared memory, and nobody else's."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
import time

import psutil

from world2act.soak.leftovers import Before, find_leftovers
from world2act.supervision.shared_memory import SHARED_MEMORY


def wait_for_threads() -> None:
    """Until the middleware of the tests before has ended its threads: none has for half a second, or ten are over."""
    counts, end_s = [0], time.monotonic() + 10.0
    while len(counts) < 10 and time.monotonic() < end_s:
        now = psutil.Process().num_threads()
        counts = [*counts, now] if now == counts[-1] else [now]
        time.sleep(0.05)


def test_a_process_and_threads_that_are_left_are_found() -> None:
    """And a process id that somebody else has by now is not."""
    wait_for_threads()
    there, end = Before.now(), threading.Event()
    # Several: the middleware of a test before may end a thread of its own at this very moment.
    threads = [threading.Thread(target=end.wait) for _ in range(8)]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        born_s = psutil.Process(process.pid).create_time()
        for thread in threads:
            thread.start()
        try:
            found = find_leftovers(there, {(process.pid, born_s)}, set())
            assert found.processes == (process.pid,) and 0 < found.threads <= len(threads)
            assert len(found.problems) == 2
        finally:
            end.set()
            for thread in threads:
                thread.join()
    assert find_leftovers(there, {(process.pid, born_s), (1, 0.0)}, set()).problems == []


def test_a_child_that_was_never_measured_is_found() -> None:
    there = Before.now()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert find_leftovers(there, set(), set()).processes == (process.pid,)
        assert find_leftovers(Before.now(), set(), set()).processes == (), "it was there before"


def test_shared_memory_that_is_still_mapped_here_is_left() -> None:
    path, there = SHARED_MEMORY / f"fastdds_left_{os.getpid()}", Before.now()
    try:
        with open(path, "w+b") as stream:
            stream.truncate(4096)
            with mmap.mmap(stream.fileno(), 4096):
                assert find_leftovers(there, set(), {str(path)}).shm_files == (str(path),)
                assert find_leftovers(there, set(), set()).shm_files == (), "the graph did not have it"
                assert find_leftovers(Before.now(), set(), {str(path)}).shm_files == (), "it was there before"
    finally:
        path.unlink(missing_ok=True)


def test_shared_memory_of_another_process_is_not_ours() -> None:
    path, there = SHARED_MEMORY / f"fastdds_other_{os.getpid()}", Before.now()
    hold = "import sys; stream = open(sys.argv[1], 'w+b'); print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(path)]
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"up\n"
            assert path.exists() and find_leftovers(there, set(), {str(path)}).shm_files == ()
    finally:
        path.unlink(missing_ok=True)
