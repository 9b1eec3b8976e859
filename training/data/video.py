"""Video of camera frames: encode, decode, and join and cut with next to no re-encoding.

Every GOP is short, for random access.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
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


def cut_video(path: Path, start: int, stop: int, fps: int) -> bytes:
    """Frames ``[start, stop)`` of a file written here, as the bytes of an mp4 file.

    Packets are copied from the first key frame in the range on; only the frames before it (fewer than GOP) are encoded
    again. All of them are when the file was made with other encoder settings. Raises ValueError when the file has no
    such frames.
    """
    settings, packets = _packets_between(path, start, stop, fps)
    if not 0 <= start < stop or any(number not in packets for number in range(start, stop)):
        raise ValueError(f"{path} holds no frames {start} to {stop - 1}")
    copied = next((number for number in range(start, stop) if packets[number].is_keyframe), stop)
    head: list[av.Packet] = []
    if copied > start:
        encoded = encode_frames(_frames_between(path, start, copied, fps), fps)
        with av.open(io.BytesIO(encoded)) as again:
            stream = again.streams.video[0]
            if bytes(stream.codec_context.extradata or b"") != settings:
                return encode_frames(_frames_between(path, start, stop, fps), fps)
            head = [packet for packet in again.demux(stream) if packet.dts is not None]
    buffer = io.BytesIO()
    with av.open(str(path)) as source, av.open(buffer, "w", format="mp4") as output:
        target = output.add_stream_from_template(source.streams.video[0])
        for position, packet in enumerate([*head, *(packets[number] for number in range(copied, stop))]):
            packet.stream = target
            packet.pts = packet.dts = position
            packet.duration = 1
            packet.time_base = Fraction(1, fps)
            output.mux(packet)
    return buffer.getvalue()


def _packets_between(path: Path, start: int, stop: int, fps: int) -> tuple[bytes, dict[int, av.Packet]]:
    """The codec's settings, and packets by frame number from the last key frame not after ``start`` up to ``stop``."""
    packets: dict[int, av.Packet] = {}
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        ticks = _ticks_per_frame(stream, fps)
        source.seek(int(start * ticks), stream=stream, backward=True)
        for packet in source.demux(stream):
            number = stop if packet.pts is None else round(packet.pts / ticks)
            if number >= stop:
                break
            packets[number] = packet
        return bytes(stream.codec_context.extradata or b""), packets


def _frames_between(path: Path, start: int, stop: int, fps: int) -> list[NDArray[np.uint8]]:
    frames: list[NDArray[np.uint8]] = []
    rgb = RgbConverter()
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        stream.thread_type = "NONE"
        ticks = _ticks_per_frame(stream, fps)
        source.seek(int(start * ticks), stream=stream, backward=True)
        for frame in source.decode(stream):
            number = round((frame.pts or 0) / ticks)
            if number >= stop:
                break
            if number >= start:
                frames.append(rgb.convert(frame))
    return frames


def _ticks_per_frame(stream: av.VideoStream, fps: int) -> Fraction:
    return 1 / (fps * (stream.time_base or Fraction(1, fps)))


class RgbConverter:
    """Decoded frames to RGB arrays, with one scaler for all: to set one up takes longer than to decode a frame."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def convert(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """The picture uint8 [H, W, 3]."""
        return np.asarray(self._scaler.reformat(frame, format="rgb24").to_ndarray(), dtype=np.uint8)


def decode_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Every frame of a file in order, uint8 [H, W, 3] RGB."""
    rgb = RgbConverter()
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        for frame in container.decode(video=0):
            yield rgb.convert(frame)
