"""Video of camera frames: encode, join without re-encoding, decode. Every GOP is short, for random access."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CODEC = "h264"
PIXEL_FORMAT = "yuv420p"
GOP = 8  # frames between key frames: a random frame costs at most eight decodes
OPTIONS = {"crf": "14", "g": str(GOP), "keyint_min": str(GOP), "bf": "0", "preset": "veryfast", "sc_threshold": "0"}


def encode_frames(frames: Sequence[NDArray[np.uint8]], fps: int) -> bytes:
    """Encode uint8 [H, W, 3] RGB frames to the bytes of an mp4 file (H and W even)."""
    height, width = frames[0].shape[:2]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={**OPTIONS, "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, PIXEL_FORMAT
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def join_videos(paths: Sequence[Path], fps: int) -> bytes:
    """Join files written by :func:`encode_frames` into the bytes of one mp4, packet by packet, without re-encoding."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = None
        position = 0
        for path in paths:
            with av.open(str(path)) as source:
                if stream is None:
                    stream = output.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is None:  # the demuxer's end marker
                        continue
                    packet.stream = stream
                    packet.pts = packet.dts = position
                    packet.duration = 1
                    packet.time_base = Fraction(1, fps)
                    output.mux(packet)
                    position += 1
    return buffer.getvalue()


def decode_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Every frame of a file in order, uint8 [H, W, 3] RGB."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")
