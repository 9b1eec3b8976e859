"""`python -m world2act.cameras v4l2:/dev/video0` looks at a device without ROS and says what it gives."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Annotated

import tyro

from world2act.cameras.device_reader import DeviceFrame, DeviceReader
from world2act_core.cameras.hand import NOWHERE
from world2act_core.cameras.health import CameraHealth, HealthLimits
from world2act_core.cameras.uri import CameraUriError, parse_camera_uri

POLL_S = 0.002


@dataclass(frozen=True)
class Options:
    """Reads a camera for a while, and prints its size, rate, stamps and faults."""

    source: Annotated[str, tyro.conf.Positional]
    """v4l2:DEVICE, rtsp://HOST/PATH or file:PATH, with options."""
    seconds: float = 5.0
    """How long to look."""


def look(options: Options) -> int:
    """Print what the source gives; 0 when it gave good pictures."""
    try:
        uri = parse_camera_uri(options.source)
    except CameraUriError as error:
        print(error, file=sys.stderr)
        return 2
    if uri.scheme == "topic":
        print("a topic is looked at with `ros2 topic hz`, and by camera_ingest itself", file=sys.stderr)
        return 2
    reader = DeviceReader(uri, lambda: None)
    tally = Tally()
    reader.start()
    deadline = time.monotonic() + options.seconds
    while time.monotonic() < deadline:
        if frame := reader.take():
            tally.add(frame)
        time.sleep(POLL_S)
    reader.stop()
    print(tally.text() or f"no picture in {options.seconds:g} s")
    if reader.problem:
        print(reader.problem)
    return 0 if tally.is_good else 1


class Tally:
    """What has come so far."""

    def __init__(self) -> None:
        self._health = CameraHealth(HealthLimits())
        self._times_s: list[float] = []
        self._good = 0
        self._size = ""

    def add(self, frame: DeviceFrame) -> None:
        """Judge a frame that came just now."""
        self._times_s.append(time.monotonic())
        self._good += self._health.check(frame.image, frame.stamp_ns, time.time_ns(), NOWHERE)
        self._size = f"{frame.image.shape[1]} x {frame.image.shape[0]}"

    @property
    def is_good(self) -> bool:
        """Whether there were good pictures, and no fault at the end."""
        return self._good > 0 and self._health.fault is None

    def text(self) -> str:
        """Size, rate and faults; empty before the first frame."""
        if not self._times_s:
            return ""
        spent_s = max(1e-9, self._times_s[-1] - self._times_s[0])
        fault = self._health.fault
        lines = [
            f"{self._size}, {(len(self._times_s) - 1) / spent_s:.1f} Hz, {self._good} of {len(self._times_s)} good"
        ]
        return "\n".join([*lines, f"{fault.name}: {fault.text}"] if fault else lines)


if __name__ == "__main__":
    sys.exit(look(tyro.cli(Options)))
