"""V4L2 devices, RTSP streams and video files through PyAV: one frame after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from world2act_core.cameras.uri import CameraUri
from world2act_core.types import ImageArray

PATIENCE_S = 5.0
"""An RTSP server that says nothing for this long is given up, and tried again."""


class VideoError(Exception):
    """A device or stream that cannot be opened or ended; the message says which and why."""


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """image: rgb uint8 [H, W, 3]. device_ns: the source's own time, any zero; None: it has none."""

    image: ImageArray
    device_ns: int | None


def video_frames(uri: CameraUri, sleep: Callable[[float], object]) -> Iterator[VideoFrame]:
    """Frames as they come, of a file at its own speed (`sleep` waits in between, and may return early).

    Raises VideoError when the source cannot be opened, fails or sends no video. A stream that ends just stops.
    """
    import av  # here, because robots whose cameras are topics need none of it

    errors = (av.error.FFmpegError, OSError, ValueError)
    try:
        container = _open(av, uri)
    except errors as error:
        raise VideoError(f"cannot open {uri.shown}: {_reason(error)}") from error
    with container:
        if not container.streams.video:
            raise VideoError(f"{uri.shown} has no video stream")
        stream = container.streams.video[0]
        # Decoding several frames at once, the default, holds each back until the next ones have come.
        stream.thread_type = "SLICE"
        pace = _Pace(sleep) if uri.scheme == "file" else None
        try:
            for frame in container.decode(stream):
                device_ns = None if frame.pts is None else int(frame.pts * stream.time_base * 1_000_000_000)
                if pace is not None and device_ns is not None:
                    pace.wait_for(device_ns)
                yield VideoFrame(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8), device_ns)
        except errors as error:
            raise VideoError(f"{uri.shown} failed: {_reason(error)}") from error


def _open(av: Any, uri: CameraUri) -> Any:
    if uri.scheme == "v4l2":
        names = {"size": "video_size", "fps": "framerate", "format": "input_format"}
        options = {names[name]: value for name, value in uri.options.items()}
        return av.open(uri.target, format="v4l2", options=options)
    if uri.scheme == "rtsp":
        options = {"rtsp_transport": uri.options.get("transport", "tcp"), "fflags": "nobuffer", "flags": "low_delay"}
        return av.open(uri.target, options=options, timeout=PATIENCE_S)
    if not Path(uri.target).is_file():
        raise FileNotFoundError(f"there is no file {Path(uri.target).absolute()}")
    return av.open(uri.target)


def _reason(error: Exception) -> str:
    # av's texts repeat the address, which may hold a password.
    return str(getattr(error, "strerror", None) or error)


class _Pace:
    """Lets each frame of a file pass when it is due."""

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep
        self._began: tuple[float, int] | None = None

    def wait_for(self, device_ns: int) -> None:
        """Return when `device_ns` is as far from the first frame as now is."""
        if self._began is None:
            self._began = (time.monotonic(), device_ns)
        began_s, first_ns = self._began
        ahead_s = (device_ns - first_ns) / 1e9 - (time.monotonic() - began_s)
        if ahead_s > 0:
            self._sleep(ahead_s)
