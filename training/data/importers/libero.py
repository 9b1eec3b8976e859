"""``import-libero``: LIBERO's demonstration files.

Layout (written by LIBERO's ``create_dataset.py``): ``data`` has the attributes ``problem_info`` (JSON with
``language_instruction``) and ``macros_image_convention``; ``data/demo_i`` has ``actions`` [T, 7], ``dones``,
``rewards``, ``states``, ``robot_states``, the attribute ``model_file`` and ``obs`` with ``agentview_rgb`` and
``eye_in_hand_rgb`` [T, H, W, 3], ``ee_states`` [T, 6] (also as ``ee_pos`` and ``ee_ori``; world frame, axis-angle),
``gripper_states`` [T, 2] and ``joint_states`` [T, 7]. 20 Hz.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training.common.errors import DatasetError
from training.data.importers.arm import ARM_ACTION, ARM_STATE, arm_actions, arm_states, base_pose, to_base
from training.data.importers.hdf5_files import NoPicturesError, array, attribute, pictures
from training.data.importers.run import Demonstration, import_files, scene_contract
from world2act_core.contract import CameraSpec, Contract

CAMERAS = {"agentview": ("agentview_rgb", "scene"), "eye_in_hand": ("eye_in_hand_rgb", "wrist")}


@dataclass(frozen=True)
class ImportLiberoConfig:
    """Import LIBERO demonstrations. Running the same command again continues where it stopped."""

    source: Path
    """A .hdf5 file of LIBERO, or a folder of them (searched to any depth)."""
    out: Path = Path("data/libero")
    robot: str = "Panda"
    fps: int = 20
    observations_follow_actions: bool = True
    """LIBERO stores the picture taken after each action: frame i then belongs to action i + 1. False for files that
    were made anew with the picture before the action."""


def import_libero(config: ImportLiberoConfig) -> None:
    """Entry point of ``python -m training import-libero``."""

    def read(group: h5py.Group) -> Demonstration:
        return read_libero(group, config.observations_follow_actions)

    def contract_of(images: dict[str, NDArray[np.uint8]]) -> Contract:
        return libero_contract(images, config.robot, config.fps)

    import_files(config.source, config.out, config.fps, read, contract_of)


def libero_contract(images: dict[str, NDArray[np.uint8]], robot: str, fps: int) -> Contract:
    """State [10] (base frame) and action [7] as on the Tabletop; cameras under LIBERO's names."""
    cameras = tuple(
        CameraSpec(name=name, view=view, width=images[name].shape[2], height=images[name].shape[1])  # type: ignore[arg-type]
        for name, (_, view) in CAMERAS.items()
    )
    return scene_contract(robot, cameras, fps, state=ARM_STATE, action=ARM_ACTION)


def read_libero(group: h5py.Group, observations_follow_actions: bool = True) -> Demonstration:
    """One ``data/demo_i``; raises :class:`DatasetError` naming what is missing or has another shape."""
    where = f"{group.file.filename}:{group.name}"
    actions = array(group, "actions", (None, 7))
    length = len(actions)
    obs = group.get("obs")
    if obs is None:
        raise NoPicturesError(f"{where} has no 'obs': make the observations with LIBERO's create_dataset.py first")
    position, turn = _pose(obs, length)
    base = base_pose(attribute(group, "model_file"), where)
    state = arm_states(*to_base(position, turn, base), array(obs, "gripper_states", (None, 2), length))
    convention = "macros_image_convention"
    upside_down = convention not in group.parent.attrs or attribute(group.parent, convention) != "opencv"
    rows = slice(None, None, -1) if upside_down else slice(None)
    images = {name: pictures(obs, key, length)[:, rows] for name, (key, _) in CAMERAS.items()}
    done = array(group, "dones", (None,), length).astype(bool)
    action = arm_actions(actions)
    if observations_follow_actions:
        # Frame i shows what action i led to; what is done from frame i on is action i + 1. The last frame has none.
        action, state, done = action[1:], state[:-1], done[1:]
        images = {name: frames[:-1] for name, frames in images.items()}
    return Demonstration(_instruction(group.parent, where), images, state, action, 6, done)


def _pose(obs: h5py.Group, length: int) -> tuple[NDArray[np.float64], Rotation]:
    """Position [T, 3] m and rotation [T] of the hand, world frame."""
    if "ee_states" in obs:
        both = array(obs, "ee_states", (None, 6), length).astype(np.float64)
        return both[:, :3], Rotation.from_rotvec(both[:, 3:])
    position = array(obs, "ee_pos", (None, 3), length).astype(np.float64)
    return position, Rotation.from_rotvec(array(obs, "ee_ori", (None, 3), length).astype(np.float64))


def _instruction(data: h5py.Group, where: str) -> str:
    """The sentence in ``problem_info``; some files hold it as a list of characters or words."""
    try:
        text = json.loads(attribute(data, "problem_info"))["language_instruction"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{where}: 'problem_info' is no JSON with 'language_instruction': {error}") from error
    if isinstance(text, list):
        text = ("" if all(len(part) == 1 for part in text) else " ").join(str(part) for part in text)
    return str(text).strip().strip('"').strip()
