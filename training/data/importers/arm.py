"""From robosuite's recordings to this project's units: base frame, metres, radians, fingers' distance."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training.common.errors import DatasetError
from world2act_core.contract import ActionDim, StateDim

FloatArray = NDArray[np.float64]

POSITION_STEP_M = 0.05
ROTATION_STEP_RAD = 0.5
"""What an action of 1 means for robosuite's OSC_POSE controller with its default output limits."""

ARM_STATE = (
    StateDim(name="eef_position", size=3, unit="m", frame="base", representation="position"),
    StateDim(name="eef_rotation", size=6, unit="1", frame="base", representation="rotation_6d"),
    StateDim(name="gripper_width", size=1, unit="m", frame="none", representation="width"),
)
ARM_ACTION = (
    ActionDim(
        name="delta_position", size=3, unit="m", mode="delta", frame="base", representation="position",
        low=(-POSITION_STEP_M,) * 3, high=(POSITION_STEP_M,) * 3,
    ),
    ActionDim(
        name="delta_rotation", size=3, unit="rad", mode="delta", frame="base", representation="axis_angle",
        low=(-ROTATION_STEP_RAD,) * 3, high=(ROTATION_STEP_RAD,) * 3,
    ),
    ActionDim(
        name="gripper", size=1, unit="1", mode="absolute", frame="none", representation="gripper",
        low=(-1.0,), high=(1.0,),
    ),
)  # fmt: skip


def arm_states(position: FloatArray, rotation: Rotation, gripper_qpos: FloatArray) -> NDArray[np.float32]:
    """States float32 [T, 10] from position [T, 3] m and rotations [T], base frame, and finger joints [T, 2] m.

    The two fingers slide in opposite directions: the distance between them is the sum of both travels.
    """
    matrix = rotation.as_matrix()
    width = np.abs(gripper_qpos).sum(axis=1, keepdims=True)
    return np.concatenate([position, matrix[:, :, 0], matrix[:, :, 1], width], axis=1).astype(np.float32)


def arm_actions(actions: FloatArray) -> NDArray[np.float32]:
    """Actions float32 [T, 7] in metres, radians and +1 closes, from OSC_POSE's [T, 7] in [-1, 1]."""
    scale = np.array([POSITION_STEP_M] * 3 + [ROTATION_STEP_RAD] * 3 + [1.0])
    return (np.clip(actions, -1.0, 1.0) * scale).astype(np.float32)


def base_pose(model: str, where: str) -> tuple[FloatArray, Rotation]:
    """Position [3] m and rotation of the arm's base in the world, from a MuJoCo model's body ``robot0_base``."""
    try:
        root = ElementTree.fromstring(model)
    except ElementTree.ParseError as error:
        raise DatasetError(f"{where}: the attribute 'model_file' is no MuJoCo model: {error}") from error
    body = next((body for body in root.iter("body") if body.get("name") == "robot0_base"), None)
    if body is None:
        raise DatasetError(f"{where}: the model has no body 'robot0_base'; where the arm stands is not known")
    try:
        position = np.array((body.get("pos") or "0 0 0").split(), np.float64).reshape(3)
        w, x, y, z = (float(value) for value in (body.get("quat") or "1 0 0 0").split())
        return position, Rotation.from_quat([x, y, z, w])
    except ValueError as error:
        raise DatasetError(
            f"{where}: body 'robot0_base' of the attribute 'model_file' stands at pos={body.get('pos')!r} "
            f"quat={body.get('quat')!r}, which is no pose: {error}"
        ) from error


def to_base(position: FloatArray, rotation: Rotation, base: tuple[FloatArray, Rotation]) -> tuple[FloatArray, Rotation]:
    """Positions [T, 3] and rotations [T] of the world in the frame of the arm's base."""
    origin, turn = base
    return np.asarray(turn.inv().apply(position - origin), np.float64), turn.inv() * rotation
