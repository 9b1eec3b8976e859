"""What every worker of a process pool does first: signals are its parent's business, and it ends with its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess


def begin_worker() -> None:
    """Call this first in a pool's initializer, before anything that takes long.

    Ctrl-C reaches every process of a terminal; the parent decides what becomes of the work. A parent that is killed
    cannot say anything: its workers would wait for the next job for ever, each with a simulator in memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), name="ends with its parent", daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
