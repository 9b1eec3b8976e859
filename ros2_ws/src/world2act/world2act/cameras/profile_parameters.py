"""What a robot profile says about cameras and state, as parameters of nodes. Importable without rclpy."""

from __future__ import annotations

from collections.abc import Collection

from world2act_core.robot.parts import CameraSource
from world2act_core.robot.profile import RobotProfile


def state_parameters(profile: RobotProfile) -> dict[str, str]:
    """Where the driver says where the arm is: for every node that reads or records it."""
    return {"joint_states": profile.state.joint_states}


def gripper_parameters(profile: RobotProfile) -> dict[str, list[str] | float]:
    """What makes of the joint states the distance between the fingertips."""
    spec = profile.gripper
    return {
        "finger_joints": list(spec.joints), "reading_open": spec.reading_open, "reading_closed": spec.reading_closed,
        "width_open": spec.width_open, "width_closed": spec.width_closed,
    }  # fmt: skip


def camera_parameters(profile: RobotProfile, wanted: Collection[str] | None) -> dict[str, list[str]]:
    """Sources and calibrations. wanted: the bundle's cameras; None: all of the profile's."""
    cameras = [camera for camera in profile.cameras if wanted is None or camera.name in wanted]
    lenses = [f"{camera.name}={lens}" for camera in cameras if (lens := _lens(camera))]
    return {
        "cameras": [f"{camera.name}={source_uri(camera)}" for camera in cameras] or [""],
        "calibrations": lenses or [""],
    }


def _lens(camera: CameraSource) -> str:
    if camera.calibration is not None:
        return str(camera.calibration)
    return f"topic:{camera.camera_info}" if camera.camera_info is not None else ""


def source_uri(camera: CameraSource) -> str:
    """A camera of a profile as a camera URI (see docs/how-to/cameras.md)."""
    if camera.kind == "rtsp":
        return camera.source
    if camera.kind == "file":
        return f"file:{camera.source}"
    if camera.kind == "device":
        device = f"/dev/video{camera.source}" if camera.source.isdigit() else camera.source
        return f"v4l2:{device}{_device_options(camera)}"
    return f"topic:{camera.source}{'?type=compressed' if camera.kind == 'compressed_topic' else ''}"


def _device_options(camera: CameraSource) -> str:
    options = [f"size={camera.width}x{camera.height}"] if camera.width and camera.height else []
    options += [f"fps={camera.fps:g}"] if camera.fps else []
    return f"?{'&'.join(options)}" if options else ""
