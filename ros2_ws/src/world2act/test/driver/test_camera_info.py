"""The calibration beside the simulated pictures, for profiles whose drivers send one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sensor_msgs.msg import CameraInfo, Image

from world2act import topics
from world2act.conversions import image_from_message, stamp_to_ns
from world2act_core.cameras.lens import Rectifier, make_lens
from world2act_core.robot.find import find_profile

from .conftest import INTERFACES, Bench, profile_with

MakeBench = Callable[..., Bench]


def test_a_calibrated_camera_sends_a_lens_that_changes_nothing(bench: MakeBench) -> None:
    cameras = [camera.model_dump(mode="json") for camera in find_profile("fr3").cameras]
    profile = profile_with(INTERFACES["joint_trajectory"], cameras=cameras)
    made = bench(profile, render="fast", image_size=32, camera_hz=20.0)
    infos: list[CameraInfo] = []
    pictures: list[Image] = []
    made.commander.listen(CameraInfo, "camera/wrist/color/camera_info", infos.append, topics.newest(False))
    made.commander.listen(Image, "camera/wrist/color/image_raw", pictures.append, topics.newest(False))
    assert made.ros.until(lambda: bool(infos) and bool(pictures), 30.0)
    assert made.ros.until(lambda: {stamp(info) for info in infos} >= {stamp(pictures[-1])})
    info, picture = infos[-1], image_from_message(pictures[-1])
    matrices = info.k, info.d, info.r, info.p
    rectifier = Rectifier(make_lens((info.width, info.height), info.distortion_model, *matrices, "wrist"))
    assert picture.std() > 5 and (rectifier.apply(picture) == picture).all()
    # As the contract's calibration has it, in pixels.
    assert info.k[0] == pytest.approx(32 * made.arm.world.calibrations()["wrist"].fx)


def stamp(message: CameraInfo | Image) -> int:
    return stamp_to_ns(message.header.stamp)
