"""The parameters that say where each camera's pictures come from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from world2act.cameras.settings import camera_settings
from world2act.errors import ConfigurationError
from world2act_core.contract import CameraSpec

SPECS = (
    CameraSpec(name="scene", view="scene", width=128, height=96),
    CameraSpec(name="wrist", view="wrist", width=128, height=128, crop=(0.0, 0.25, 1.0, 0.5)),
)


def test_a_camera_that_is_not_listed_is_the_usual_topic() -> None:
    settings = camera_settings(SPECS, ["wrist = v4l2:/dev/video2?fps=30"], ["wrist=topic:/wrist/camera_info"])
    assert list(settings) == ["scene", "wrist"]
    assert settings["scene"].uri.shown == "topic:camera/scene/image_raw"
    assert settings["wrist"].uri.shown == "v4l2:/dev/video2" and settings["wrist"].lens_topic == "/wrist/camera_info"
    assert settings["scene"].lens is None and settings["scene"].lens_topic == ""


def test_both_crops_count_for_the_smallest_picture() -> None:
    settings = camera_settings(SPECS, ["wrist=file:a.mp4?crop=0,0,0.5,1"], [])
    assert settings["scene"].smallest == (128, 96) and settings["wrist"].smallest == (256, 256)


@pytest.mark.parametrize(
    ("cameras", "calibrations", "wrong"),
    [
        (["topic:/a"], [], "parameter 'cameras' has the item 'topic:/a'. What to do: write each as NAME=SOURCE"),
        (["wrist="], [], "has the item 'wrist='"),
        (["hand=topic:/a"], [], "names the camera 'hand'; the bundle's contract has: scene, wrist"),
        (["wrist=topic:/a", "wrist=topic:/b"], [], "names the camera 'wrist' twice"),
        (["wrist=usb:0"], [], "camera 'wrist': 'usb:0' is not a camera source: write one like topic:"),
        ([], ["wrist=topic:a b"], "camera 'wrist': 'topic:a b': 'a b' is not a topic name"),
        ([], ["wrist=none.yaml"], "camera 'wrist': cannot read calibration none.yaml"),
        ([], ["arm=none.yaml"], "parameter 'calibrations' names the camera 'arm'"),
    ],
)
def test_what_is_wrong_is_said(
    cameras: list[str], calibrations: list[str], wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        camera_settings(SPECS, cameras, calibrations)
    assert wrong in str(caught.value)


def test_devices_need_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert camera_settings(SPECS, ["wrist=topic:/a"], [])["wrist"].uri.target == "/a"
    with pytest.raises(ConfigurationError, match=r"camera 'wrist' \(v4l2:/dev/video0\) needs PyAV"):
        camera_settings(SPECS, ["wrist=v4l2:/dev/video0"], [])
