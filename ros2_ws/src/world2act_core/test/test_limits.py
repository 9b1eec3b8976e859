from __future__ import annotations

import numpy as np
import pytest

from world2act_core.contract import Contract
from world2act_core.limits import ActionLimits, WorkspaceBox
from world2act_core.types import EefPose

BOX = WorkspaceBox((0.2, -0.3, 0.0), (0.7, 0.3, 0.5))
POSE = EefPose(np.array([0.5, 0.0, 0.02]), np.array([0.0, 0.0, 0.0, 1.0]))


def test_an_allowed_action_passes_unchanged(contract: Contract) -> None:
    action = np.array([0.05, -0.05, 0.01, 0.5, -0.5, 0.0, -1.0], dtype=np.float32)
    allowed, events = ActionLimits.from_contract(contract, BOX).apply(POSE, action)
    np.testing.assert_array_equal(allowed, action)
    assert events == ()


def test_each_entry_is_clipped_and_named(contract: Contract) -> None:
    allowed, events = ActionLimits.from_contract(contract).apply(POSE, [0.2, 0.0, 0.0, 0.0, -2.0, 0.0, 3.0])
    np.testing.assert_allclose(allowed, [0.05, 0, 0, 0, -0.5, 0, 1.0])
    assert [event.name for event in events] == ["clipped"]
    assert "delta_position[0], delta_rotation[1], gripper" in events[0].detail


def test_the_target_stays_in_the_workspace(contract: Contract) -> None:
    allowed, events = ActionLimits.from_contract(contract, BOX).apply(POSE, [0.01, 0, -0.04, 0, 0, 0, 0])
    # 2 cm above the floor of the box: only 2 cm of the wanted 4 remain, x is untouched.
    np.testing.assert_allclose(allowed, [0.01, 0, -0.02, 0, 0, 0, 0], atol=1e-7)
    assert [event.name for event in events] == ["workspace"]
    assert "z -0.020 m" in events[0].detail and "x" not in events[0].detail.replace("outside", "")


def test_an_arm_outside_comes_back_at_the_speed_limit(contract: Contract) -> None:
    outside = EefPose(np.array([0.9, 0.0, 0.2]), POSE.quaternion)
    allowed, events = ActionLimits.from_contract(contract, BOX).apply(outside, [0.05, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(allowed, [-0.05, 0, 0, 0, 0, 0, 0])
    assert events[0].name == "workspace"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(contract: Contract, bad: float) -> None:
    action = np.zeros(7)
    action[4] = bad
    allowed, events = ActionLimits.from_contract(contract, BOX).apply(POSE, action)
    assert allowed is None
    assert events[0].name == "not_finite" and "delta_rotation[1]" in events[0].detail


def test_the_caller_keeps_its_array_and_wrong_shapes_raise(contract: Contract) -> None:
    limits = ActionLimits.from_contract(contract, BOX)
    action = np.full(7, 9.0, dtype=np.float32)
    limits.apply(POSE, action)
    assert (action == 9.0).all()
    with pytest.raises(ValueError, match="shape"):
        limits.apply(POSE, np.zeros(6))
    with pytest.raises(ValueError, match="below"):
        WorkspaceBox((0, 0, 0), (1, 0, 1))
