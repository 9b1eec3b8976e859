"""The demonstration's video: both cameras side by side, large enough to watch, the current skill written on top."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np

from world2act_core.types import ImageArray

SIDE = 384
BANNER = 72
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _GREY, _GREEN, _RED = (255, 255, 255), (170, 170, 170), (120, 230, 120), (255, 120, 120)


def compose(scene: ImageArray, wrist: ImageArray, title: str, skill: str, mark: bool | None = None) -> ImageArray:
    """One frame uint8 [BANNER + SIDE, 2 * SIDE, 3]: title and skill above scene and wrist pictures.

    mark: None while the episode runs, then whether it succeeded.
    """
    frame = np.full((BANNER + SIDE, 2 * SIDE, 3), 24, dtype=np.uint8)
    for index, (name, picture) in enumerate((("scene", scene), ("wrist", wrist))):
        large = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        frame[BANNER:, index * SIDE : (index + 1) * SIDE] = large
        _write(frame, name, (index * SIDE + 8, BANNER + SIDE - 10), 0.5, _WHITE)
    _write(frame, title, (10, 27), 0.58, _GREY)
    colour = _WHITE if mark is None else _GREEN if mark else _RED
    _write(frame, skill, (10, 57), 0.72, colour)
    return frame


def _write(frame: ImageArray, text: str, where: tuple[int, int], scale: float, colour: tuple[int, int, int]) -> None:
    # Shrink what does not fit, rather than cut the end of an instruction off.
    width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    room = frame.shape[1] - where[0] - 10
    cv2.putText(frame, text, where, _FONT, min(scale, scale * room / max(width, 1)), colour, 1, cv2.LINE_AA)


class VideoWriter:
    """Writes frames to an h264 mp4 that browsers and players open."""

    def __init__(self, path: Path, frames_per_second: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container: Any = av.open(str(path), "w", options={"movflags": "faststart"})
        self._stream: Any = self._container.add_stream("libx264", rate=frames_per_second)
        self._stream.width, self._stream.height = 2 * SIDE, BANNER + SIDE
        self._stream.pix_fmt = "yuv420p"
        # One thread: the demonstration shares its cores with the graph it shows.
        self._stream.codec_context.thread_count = 1
        self._stream.options = {"preset": "veryfast", "crf": "23"}
        self._stream.time_base = Fraction(1, frames_per_second)
        self.frames = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, frame: ImageArray) -> None:
        """Append one frame as `compose` makes it; what comes after `close`, while the graph ends, is left out."""
        if self._closed:
            return
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        for packet in self._stream.encode(picture):
            self._container.mux(packet)
        self.frames += 1

    def close(self) -> None:
        """Finish the file; it is playable however few frames it has."""
        self._closed = True
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
