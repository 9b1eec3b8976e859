"""Real video files read in a thread: order, stamps, looping, and files that are missing, broken, ended and replaced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from world2act.cameras.__main__ import Options, look
from world2act.cameras.device_reader import DeviceFrame, DeviceReader
from world2act_core.cameras.uri import parse_camera_uri

Start = Callable[..., "Watched"]


def write_clip(path: Path, greys: list[int], rate: int = 20) -> None:
    """A video whose frame n is grey with the value greys[n]; appears whole or not at all."""
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate, options={"preset": "ultrafast", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in greys:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    os.replace(part, path)


class Watched:
    """A reader and every frame it gave, taken in its own thread so that none is overwritten."""

    def __init__(self, uri: str) -> None:
        self.frames: list[DeviceFrame] = []
        self.news = threading.Event()
        self.reader = DeviceReader(parse_camera_uri(uri), self.news.set, longest_wait_s=0.3)

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.news.wait(0.02)
            self.news.clear()
            if frame := self.reader.take():
                self.frames.append(frame)
        return True

    @property
    def greys(self) -> list[int]:
        return [round(float(frame.image.mean())) for frame in self.frames]


@pytest.fixture
def start() -> Iterator[Start]:
    watched: list[Watched] = []

    def begin(uri: str) -> Watched:
        watched.append(Watched(uri))
        watched[-1].reader.start()
        return watched[-1]

    yield begin
    for each in watched:
        each.reader.stop()
        assert not any(thread.name.startswith("camera ") and thread.is_alive() for thread in threading.enumerate())


def test_a_file_plays_once_at_its_own_speed(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, list(range(50, 110, 6)))
    began = time.monotonic()
    seen = start(f"file:{path}")
    assert seen.until(lambda: "has ended" in seen.reader.problem)
    assert time.monotonic() - began > 0.4, "ten frames at 20 Hz"
    # A busy machine may skip frames, never turn them round.
    greys = seen.greys
    assert greys == sorted(greys) and abs(greys[-1] - 104) <= 2
    assert all(frame.image.shape == (48, 64, 3) and frame.image.dtype == np.uint8 for frame in seen.frames)
    stamps = [frame.stamp_ns for frame in seen.frames]
    assert all(later > earlier for earlier, later in zip(stamps, stamps[1:], strict=False))
    assert seen.reader.stamps == "device" and abs(stamps[0] - time.time_ns()) < 60e9


def test_a_loop_goes_on(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, [60, 80, 100], rate=30)
    seen = start(f"file:{path}?loop=1&stamp=arrival")
    assert seen.until(lambda: sum(grey < 70 for grey in seen.greys) >= 3)
    assert seen.reader.problem == "" and seen.reader.stamps == "arrival"


def test_delay_is_taken_off_the_stamp(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, [60] * 5)
    began_ns = time.time_ns()
    seen = start(f"file:{path}?stamp=arrival&delay=5")
    assert seen.until(lambda: bool(seen.frames))
    assert -5e9 <= seen.frames[0].stamp_ns - began_ns < time.time_ns() - began_ns - 4.9e9


def test_missing_then_there_then_ended_then_replaced(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    seen = start(f"file:{path}")
    assert seen.until(lambda: f"there is no file {path}" in seen.reader.problem)
    path.write_bytes(b"no video at all" * 100)
    assert seen.until(lambda: "cannot open" in seen.reader.problem and "Invalid data" in seen.reader.problem)
    write_clip(path, [60] * 8)
    assert seen.until(lambda: bool(seen.frames) and seen.reader.problem == "")
    assert seen.until(lambda: "put another in its place" in seen.reader.problem)
    write_clip(path, [150] * 8)
    assert seen.until(lambda: seen.greys[-1] > 140 and seen.reader.problem == "")


def test_only_the_newest_frame_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, [60, 80, 100, 120], rate=50)
    reader = DeviceReader(parse_camera_uri(f"file:{path}"), lambda: None)
    reader.start()
    deadline = time.monotonic() + 20
    while "ended" not in reader.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    frame = reader.take()
    assert frame is not None and abs(frame.image.mean() - 120) < 3 and reader.overwritten == 3
    assert reader.take() is None
    reader.stop()


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("v4l2:/dev/video-not-there", "cannot open v4l2:/dev/video-not-there: No such file or directory"),
        ("rtsp://me:secret@127.0.0.1:9/x", "cannot open rtsp://me:***@127.0.0.1:9/x: Connection refused"),
    ],
)
def test_a_device_that_is_not_there_is_named_without_its_password(start: Start, uri: str, problem: str) -> None:
    seen = start(uri)
    assert seen.until(lambda: seen.reader.problem == problem), seen.reader.problem


def test_a_look_at_a_device_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, [60, 90, 120, 150])
    assert look(Options(f"file:{path}?loop=1", 1.5)) == 0
    assert capsys.readouterr().out.startswith("64 x 48, ")
    write_clip(path, [0] * 20)
    assert look(Options(f"file:{path}?loop=1", 1.5)) == 1
    assert "CAMERA_BLACK: its picture is black" in capsys.readouterr().out
    assert look(Options(f"file:{path}.mp4", 0.3)) == 1
    assert f"no picture in 0.3 s\ncannot open file:{path}.mp4" in capsys.readouterr().out
    assert look(Options("usb:0")) == 2 and "write one like" in capsys.readouterr().err
    assert look(Options("topic:/a")) == 2 and "ros2 topic hz" in capsys.readouterr().err
