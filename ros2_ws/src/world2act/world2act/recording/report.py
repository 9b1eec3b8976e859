"""What the recorder says about itself, from where its parts are."""

from __future__ import annotations

import time
from pathlib import Path

from world2act.conversions import ns_to_stamp
from world2act.health import DEGRADED, Condition
from world2act.recording.thread import Progress
from world2act_core.recording.layout import finished
from world2act_interfaces.msg import RecorderStatus

DROPPED = "MESSAGES_DROPPED"
BUFFER_LOST = "BUFFER_LOST"


def state_of(progress: Progress, recording: bool, buffering: bool) -> int:
    """RecorderStatus.state."""
    if progress.error:
        return int(RecorderStatus.FAILED)
    if recording:
        return int(RecorderStatus.RECORDING)
    return int(RecorderStatus.BUFFERING if buffering else RecorderStatus.IDLE)


def status_message(folder: Path, progress: Progress, state: int) -> RecorderStatus:
    """The whole RecorderStatus, stamped now."""
    status = RecorderStatus(
        state=state, folder=str(folder), episode=progress.number, finished_episodes=len(finished(folder)),
        messages=progress.messages, bytes=progress.size, dropped=progress.dropped, message=progress.message,
    )  # fmt: skip
    status.header.stamp = ns_to_stamp(time.time_ns())
    return status


def condition_of(progress: Progress, buffer_error: str) -> Condition:
    """The node's condition. The arm need not hold because nothing is recorded: never worse than DEGRADED."""
    if progress.error:
        return Condition(DEGRADED, progress.error, f"nothing is recorded: {progress.message}")
    if buffer_error:
        return Condition(DEGRADED, BUFFER_LOST, buffer_error)
    if progress.lost_now:
        text = f"{progress.lost_now} messages of this episode are lost: the disk or this machine is too slow"
        return Condition(DEGRADED, DROPPED, text)
    return Condition()
