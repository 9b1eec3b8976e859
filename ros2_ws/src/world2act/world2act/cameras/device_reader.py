"""Reads one device in a thread of its own: newest frame only, and again and again when the device goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from world2act.cameras.video import VideoError, VideoFrame, video_frames
from world2act_core.cameras.stamps import StampMapper
from world2act_core.cameras.uri import CameraUri
from world2act_core.types import ImageArray

FIRST_WAIT_S = 0.25
LOOP_GAP_S = 1 / 30
JOIN_S = 2.0


@dataclass(frozen=True, eq=False)
class DeviceFrame:
    """rgb uint8 [H, W, 3], and when it was taken [ns, wall clock]."""

    image: ImageArray
    stamp_ns: int


class DeviceReader:
    """Keeps the newest frame of a V4L2, RTSP or file source until `take` asks for it.

    on_news: called in the reader's thread after each frame and each new problem; must return at once. longest_wait_s:
    between attempts to open a device that is away; the first is after 0.25 s, then twice as long each time.
    """

    def __init__(self, uri: CameraUri, on_news: Callable[[], None], longest_wait_s: float = 5.0) -> None:
        self._uri = uri
        self._on_news = on_news
        self._longest_wait_s = longest_wait_s
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._newest: DeviceFrame | None = None
        self._finished_file: tuple[int, int] | None = None
        self._has_stamps = True
        self._problem = ""
        self.overwritten = 0
        self._thread = threading.Thread(target=self._run, name=f"camera {uri.shown}", daemon=True)

    @property
    def problem(self) -> str:
        """Why the device gives no frames; empty while it does, and before the first attempt has failed."""
        return self._problem

    @property
    def stamps(self) -> str:
        """Which stamps the frames have: "device" or "arrival"."""
        return "device" if self._uri.stamp == "device" and self._has_stamps else "arrival"

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, at once unless the device itself is stuck; `on_news` is not called any more."""
        with self._lock:
            self._stopping.set()
        self._thread.join(JOIN_S)

    def take(self) -> DeviceFrame | None:
        """The newest frame, once; None when there was none since the last time."""
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            try:
                if self._read_to_the_end():
                    wait_s = FIRST_WAIT_S
                    if self._uri.options.get("loop") == "1":
                        self._stopping.wait(LOOP_GAP_S)
                        continue
                self._fail(f"{self._uri.shown} has ended")
            except VideoError as error:
                self._fail(str(error))
            except Exception as error:  # whatever a broken stream breaks: the thread must go on trying
                self._fail(f"{self._uri.shown} failed: {type(error).__name__}: {error}")
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, self._longest_wait_s)

    def _read_to_the_end(self) -> bool:
        """Read until the source ends or we are to stop; whether there was a frame at all."""
        identity = self._file_identity()
        if identity is not None and identity == self._finished_file:
            raise VideoError(f"{self._uri.shown} has ended: write ?loop=1 to repeat it, or put another in its place")
        mapper = StampMapper()
        any_frame = False
        for frame in video_frames(self._uri, self._stopping.wait):
            if self._stopping.is_set():
                return any_frame
            any_frame = True
            self._keep(frame, mapper)
        if self._uri.options.get("loop") != "1":
            self._finished_file = identity
        return any_frame

    def _keep(self, frame: VideoFrame, mapper: StampMapper) -> None:
        arrival_ns = stamp_ns = time.time_ns()
        self._has_stamps = frame.device_ns is not None
        if self._uri.stamp == "device" and frame.device_ns is not None:
            stamp_ns = mapper.stamp_ns(frame.device_ns, arrival_ns)
        with self._lock:
            if self._stopping.is_set():
                return
            self.overwritten += self._newest is not None
            self._newest = DeviceFrame(frame.image, stamp_ns - round(self._uri.delay_s * 1e9))
            self._problem = ""
            self._on_news()

    def _fail(self, problem: str) -> None:
        with self._lock:
            if not self._stopping.is_set() and problem != self._problem:
                self._problem = problem
                self._on_news()

    def _file_identity(self) -> tuple[int, int] | None:
        if self._uri.scheme != "file" or not Path(self._uri.target).is_file():
            return None
        status = Path(self._uri.target).stat()
        return status.st_ino, status.st_mtime_ns
