"""A real RTSP session over TCP: pictures, stamps, and a camera that is unplugged and plugged in again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.system.rtsp_server import RtspCamera
from world2act.cameras.device_reader import DeviceFrame, DeviceReader
from world2act_core.cameras.uri import parse_camera_uri


class Viewer:
    """Takes what the reader gives."""

    def __init__(self, url: str) -> None:
        self.news = threading.Event()
        self.reader = DeviceReader(parse_camera_uri(url), self.news.set, longest_wait_s=0.5)
        self.reader.start()

    def next_frame(self, seconds: float = 30.0) -> DeviceFrame:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if frame := self.reader.take():
                return frame
            self.news.wait(0.05)
            self.news.clear()
        pytest.fail(f"no frame: {self.reader.problem}")


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    camera = RtspCamera()
    yield camera
    camera.close()


def test_frames_come_in_order_with_the_streams_own_stamps(camera: RtspCamera) -> None:
    viewer = Viewer(camera.url)
    frames = [viewer.next_frame() for _ in range(10)]
    viewer.reader.stop()
    greys = [float(frame.image.mean()) for frame in frames]
    stamps = [frame.stamp_ns for frame in frames]
    assert frames[0].image.shape == (48, 64, 3)
    # The codec may lose the step from one grey to the next, but not ten of them.
    assert greys == sorted(greys) and greys[-1] - greys[0] >= 7, greys
    assert all(later > earlier for earlier, later in zip(stamps, stamps[1:], strict=False))
    assert viewer.reader.stamps == "device" and viewer.reader.problem == ""


def test_an_unplugged_camera_is_named_and_found_again(camera: RtspCamera) -> None:
    viewer = Viewer(camera.url)
    viewer.next_frame()
    camera.close()
    deadline = time.monotonic() + 30
    while not viewer.reader.problem and time.monotonic() < deadline:
        time.sleep(0.05)
    assert camera.url in viewer.reader.problem
    viewer.reader.take()
    again = RtspCamera(camera.port)
    try:
        assert viewer.next_frame().image.shape == (48, 64, 3) and viewer.reader.problem == ""
    finally:
        viewer.reader.stop()
        again.close()
