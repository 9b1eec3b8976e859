"""From readings to the distance between the fingertips, for every shipped profile."""

from __future__ import annotations

import numpy as np
import pytest

from world2act_core.robot.find import find_profile
from world2act_core.robot.gripper_scale import GripperScale


@pytest.mark.parametrize("name", ["fr3", "sim_panda", "so101", "ur5e", "xarm7"])
def test_both_ends_of_every_shipped_gripper(name: str) -> None:
    spec = find_profile(name).gripper
    assert spec.width(spec.reading_open) == pytest.approx(spec.width_open, abs=1e-12)
    assert spec.width(spec.reading_closed) == spec.width_closed
    half = (spec.reading_open + spec.reading_closed) / 2
    assert spec.width(half) == pytest.approx((spec.width_open + spec.width_closed) / 2)


@pytest.mark.parametrize("name", ["fr3", "sim_panda"])
def test_a_reading_in_metres_is_not_touched(name: str) -> None:
    readings = np.random.default_rng(4).uniform(0.0, 0.0801, 10_000)
    width = find_profile(name).gripper.width
    assert [width(float(reading)) for reading in readings] == readings.tolist()


def test_ends_that_are_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match=r"reading_open and reading_closed are both 0\.5"):
        GripperScale(0.5, 0.5, 0.08, 0.0)
    with pytest.raises(ValueError, match=r"width_closed 0\.08 must be below width_open 0\.08"):
        GripperScale(0.0, 0.8, 0.08, 0.08)
