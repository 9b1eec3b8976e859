"""robot_contract of a real arm: what the profile says it is, in the words of the contract that the bundle brings."""

from __future__ import annotations

from collections.abc import Mapping

from std_msgs.msg import String

from world2act_core.contract import CameraSpec, Contract
from world2act_core.robot.profile import RobotProfile


def robot_contract(profile: RobotProfile, bundle: Contract) -> Contract:
    """The contract that an arm with this profile offers to a bundle.

    Robot and cameras are the profile's, and a policy refuses when they are not the bundle's. Everything else (state,
    action, rates, vocabulary) is made by this project's own nodes from the bundle's contract, so it cannot differ.
    """
    robot = bundle.robot if bundle.robot in profile.contract_robots else profile.contract_robots[0]
    views = {camera.name: camera.view for camera in profile.cameras}
    cameras = tuple(_with_view(camera, views) for camera in bundle.cameras if camera.name in views)
    # Not one of the bundle's cameras is there: say what is, a contract needs a camera.
    others = tuple(
        CameraSpec(name=camera.name, view=camera.view, width=bundle.cameras[0].width, height=bundle.cameras[0].height)
        for camera in profile.cameras
    )
    return bundle.model_copy(update={"robot": robot, "cameras": cameras or others})


def _with_view(camera: CameraSpec, views: Mapping[str, str]) -> CameraSpec:
    return CameraSpec.model_validate({**camera.model_dump(), "view": views[camera.name]})


def robot_contract_message(profile: RobotProfile, bundle: Contract) -> String:
    """The same as a message; publish it latched on `robot_contract`, before any node is activated."""
    return String(data=robot_contract(profile, bundle).to_text())
