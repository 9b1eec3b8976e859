"""Camera sources as texts."""

from __future__ import annotations

import pytest

from world2act_core.cameras.uri import CameraUri, CameraUriError, parse_camera_uri


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("topic:/wrist/image_raw", CameraUri("topic", "/wrist/image_raw")),
        ("topic:wrist?stamp=arrival&delay=0.05", CameraUri("topic", "wrist", "arrival", 0.05)),
        ("topic:/a/b?type=compressed", CameraUri("topic", "/a/b", options={"type": "compressed"})),
        ("v4l2:/dev/video0", CameraUri("v4l2", "/dev/video0")),
        (
            "v4l2:/dev/v4l/by-id/cam?size=640x480&fps=30&format=mjpeg",
            CameraUri("v4l2", "/dev/v4l/by-id/cam", options={"size": "640x480", "fps": "30", "format": "mjpeg"}),
        ),
        ("rtsp://host:554/a?channel=1&x=2", CameraUri("rtsp", "rtsp://host:554/a?channel=1&x=2")),
        (
            "rtsp://u:p@host/a?c=1#transport=udp&stamp=arrival",
            CameraUri("rtsp", "rtsp://u:p@host/a?c=1", "arrival", options={"transport": "udp"}),
        ),
        ("file:clip.mp4?loop=1", CameraUri("file", "clip.mp4", options={"loop": "1"})),
        ("file:///data/clip.mp4", CameraUri("file", "/data/clip.mp4")),
        (
            "file:c.mp4?crop=0.1,0,0.8,1&frozen=off",
            CameraUri("file", "c.mp4", crop=(0.1, 0, 0.8, 1), frozen_check=False),
        ),
    ],
)
def test_is_read(text: str, expected: CameraUri) -> None:
    assert parse_camera_uri(text) == expected


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "is not a camera source: write one like topic:"),
        ("/dev/video0", "is not a camera source"),
        ("http://host/video", "is not a camera source"),
        ("v4l2:", "names nothing after 'v4l2:'"),
        ("topic:/bad name", "not a topic name"),
        ("rtsp:host/path", "has no host: write rtsp://"),
        ("file:a.mp4?speed=2", "no option 'speed'; options of file: crop, delay, frozen, loop, stamp"),
        ("file:a.mp4?loop=yes", "loop=yes: must be one of: 0, 1"),
        ("topic:/a?stamp=now", "stamp=now: must be one of: device, arrival"),
        ("topic:/a?delay=-1", "must be seconds from 0 to 5"),
        ("topic:/a?delay=nan", "must be seconds from 0 to 5"),
        ("topic:/a?delay=soon", "delay=soon: could not convert"),
        ("v4l2:/dev/video0?size=640", "must be WIDTHxHEIGHT"),
        ("v4l2:/dev/video0?fps=0", "must be pictures per second"),
        ("topic:/a?crop=0,0,1", "must be x,y,width,height"),
        ("topic:/a?crop=0.5,0,0.6,1", "must lie within the picture"),
    ],
)
def test_what_is_wrong_is_said(text: str, wrong: str) -> None:
    with pytest.raises(CameraUriError) as caught:
        parse_camera_uri(text)
    assert wrong in str(caught.value) and repr(text) in str(caught.value)


def test_a_password_is_not_shown() -> None:
    assert parse_camera_uri("rtsp://admin:secret@host/a").shown == "rtsp://admin:***@host/a"
    assert parse_camera_uri("v4l2:/dev/video0?fps=30").shown == "v4l2:/dev/video0"
