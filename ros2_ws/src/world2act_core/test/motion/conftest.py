"""Chunks of any content, and what is asked about the reference that is made of them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from world2act_core.motion import ChunkReference, Reference
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk, EefPose

CONTRACT = tabletop_contract(image_size=16)
STEP_S = CONTRACT.step_s
DOWN = Rotation.from_euler("x", 180, degrees=True)
HOME = EefPose(np.array([0.4, 0.0, 0.2]), DOWN.as_quat())
PERIOD_S = 2e-3


def chunk(start_s: float, actions: np.ndarray, sequence: int = 0) -> ActionChunk:
    return ActionChunk(sequence, start_s, STEP_S, np.asarray(actions, dtype=np.float32))


def random_actions(seed: int, share: float = 1.0) -> np.ndarray:
    """Anything the contract allows, as discontinuous as it likes; rotations such that no chunk turns half round."""
    rng = np.random.default_rng(seed)
    actions = rng.uniform(CONTRACT.action_low, CONTRACT.action_high, size=(8, 7)) * share
    actions[:, 3:6] *= 0.45
    actions[:, 6] = rng.choice([-1.0, 1.0], size=8)
    return actions


def turn_between(first: EefPose, second: EefPose) -> np.ndarray:
    return (Rotation.from_quat(second.quaternion) * Rotation.from_quat(first.quaternion).inv()).as_rotvec()


def sampled(reference: ChunkReference, time_s: float) -> Reference:
    found = reference.sample(time_s)
    assert found is not None, f"nothing covers {time_s} s"
    return found


def near(home: EefPose, seed: int) -> EefPose:
    """Up to 8 cm and 1 rad away from `home`."""
    rng = np.random.default_rng(seed)
    turn = Rotation.from_rotvec(rng.uniform(-0.55, 0.55, 3))
    return EefPose(
        home.position + rng.uniform(-0.045, 0.045, 3), (turn * Rotation.from_quat(home.quaternion)).as_quat()
    )
