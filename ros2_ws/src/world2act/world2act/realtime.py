"""Real-time priority for the thread that commands the arm, as ros2_control's controller_manager takes it."""

from __future__ import annotations

import contextlib
import os

ALLOW = (
    "allow it with `<user> - rtprio 80` in /etc/security/limits.conf (docker: --ulimit rtprio=80), or set "
    "realtime_priority to 0"
)


def take_priority(priority: int) -> str:
    """Give the calling thread the SCHED_FIFO `priority`, 1 to 99; returns why it has none, "" when it has it.

    Threads and processes that it starts later do not inherit it. Without it, another process that has the processor
    delays a command by a slice of the kernel's scheduler, some milliseconds.
    """
    if not hasattr(os, "sched_setscheduler"):
        return "this system has no SCHED_FIFO: commands may be late when the machine is busy"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        late = "commands may be late when the machine is busy"
        return f"no real-time priority {priority}: {error.strerror}; {late}: {ALLOW}"
    return ""


def run_first(nice: int) -> None:
    """Give all present threads of the process the `nice` value -20 to -1, where the system allows it.

    For what stands in for a device with a processor of its own, and must not wait for its users.
    """
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), nice)
