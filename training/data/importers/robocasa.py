"""``import-robocasa``: RoboCasa's demonstration files (robomimic's layout with pictures).

Layout (written by RoboCasa's ``dataset_states_to_obs.py``): ``data/demo_i`` has ``actions`` [T, 12] (arm 6 and gripper
1 in [-1, 1], base motion 4, control mode 1), ``dones``, ``rewards``, ``states``, the attributes ``model_file`` and
``ep_meta`` (JSON with ``lang``) and ``obs`` with ``robot0_agentview_left_image``, ``robot0_agentview_right_image`` and
``robot0_eye_in_hand_image`` [T, H, W, 3], ``robot0_base_to_eef_pos`` [T, 3], ``robot0_base_to_eef_quat`` [T, 4]
(x y z w) and ``robot0_gripper_qpos`` [T, 2]. Pictures are upright; each is taken before its action. 20 Hz.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from training.common.errors import DatasetError
from training.data.importers.arm import ARM_ACTION, ARM_STATE, arm_actions, arm_states
from training.data.importers.hdf5_files import NoPicturesError, array, attribute, pictures, quaternions
from training.data.importers.run import Demonstration, import_files, scene_contract
from world2act_core.contract import ActionDim, CameraSpec, Contract

CAMERAS = {
    "robot0_agentview_left": ("robot0_agentview_left_image", "scene"),
    "robot0_agentview_right": ("robot0_agentview_right_image", "scene"),
    "robot0_eye_in_hand": ("robot0_eye_in_hand_image", "wrist"),
}
ARM_SIZE = 7
BASE_ACTION = (
    ActionDim(
        name="base_motion", size=4, unit="1", mode="delta", frame="joint", representation="joint_angle",
        low=(-1.0,) * 4, high=(1.0,) * 4,
    ),
    ActionDim(
        name="control_mode", size=1, unit="1", mode="absolute", frame="none", representation="joint_angle",
        low=(-1.0,), high=(1.0,),
    ),
)  # fmt: skip
"""The mobile base as RoboCasa records it, in the controller's own units; -1 arm moves, +1 base moves."""


@dataclass(frozen=True)
class ImportRobocasaConfig:
    """Import RoboCasa demonstrations. Running the same command again continues where it stopped."""

    source: Path
    """A .hdf5 file of RoboCasa with pictures, or a folder of them (searched to any depth)."""
    out: Path = Path("data/robocasa")
    robot: str = "PandaOmron"
    fps: int = 20
    upside_down: bool = False
    """Turn the pictures over: for files that were rendered without robomimic's correction."""


def import_robocasa(config: ImportRobocasaConfig) -> None:
    """Entry point of ``python -m training import-robocasa``."""

    def read(group: h5py.Group) -> Demonstration:
        return read_robocasa(group, config.upside_down)

    def contract_of(images: dict[str, NDArray[np.uint8]]) -> Contract:
        return robocasa_contract(images, config.robot, config.fps)

    import_files(config.source, config.out, config.fps, read, contract_of)


def robocasa_contract(images: dict[str, NDArray[np.uint8]], robot: str, fps: int) -> Contract:
    """State [10] of the arm (base frame), action [12]: the arm's 7 in metres and radians, then the mobile base's 5."""
    cameras = tuple(
        CameraSpec(name=name, view=view, width=images[name].shape[2], height=images[name].shape[1])  # type: ignore[arg-type]
        for name, (_, view) in CAMERAS.items()
    )
    return scene_contract(robot, cameras, fps, state=ARM_STATE, action=(*ARM_ACTION, *BASE_ACTION))


def read_robocasa(group: h5py.Group, upside_down: bool = False) -> Demonstration:
    """One ``data/demo_i``; raises :class:`DatasetError` naming what is missing or has another shape."""
    where = f"{group.file.filename}:{group.name}"
    actions = array(group, "actions", (None, 12)).astype(np.float64)
    length = len(actions)
    if "obs" not in group or CAMERAS["robot0_eye_in_hand"][0] not in group["obs"]:
        raise NoPicturesError(f"{where} has no pictures: make them with RoboCasa's dataset_states_to_obs.py first")
    obs = group["obs"]
    state = arm_states(
        array(obs, "robot0_base_to_eef_pos", (None, 3), length).astype(np.float64),
        quaternions(obs, "robot0_base_to_eef_quat", length),
        array(obs, "robot0_gripper_qpos", (None, 2), length).astype(np.float64),
    )
    action = np.concatenate([arm_actions(actions[:, :ARM_SIZE]), np.clip(actions[:, ARM_SIZE:], -1, 1)], axis=1)
    rows = slice(None, None, -1) if upside_down else slice(None)
    images = {name: pictures(obs, key, length)[:, rows] for name, (key, _) in CAMERAS.items()}
    done = array(group, "dones", (None,), length).astype(bool)
    return Demonstration(_instruction(group, where), images, state, action.astype(np.float32), 6, done)


def _instruction(group: h5py.Group, where: str) -> str:
    try:
        return str(json.loads(attribute(group, "ep_meta"))["lang"]).strip()
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{where}: 'ep_meta' is no JSON with 'lang': {error}") from error
