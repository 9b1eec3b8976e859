"""Every command interface, from a joint motion to the arm and back, through real ROS 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from .conftest import INTERFACES, profile_with

WAY = np.array([0.10, -0.06, 0.08, 0.12, -0.10, 0.07, 0.15])
"""A different way for each joint, so that two that are mixed up show."""


@pytest.mark.parametrize("name", ["joint_trajectory", "positions_only", "forward_position", "forward_velocity"])
def test_each_joint_goes_where_it_is_told(name: str, bench: Callable[..., Any]) -> None:
    made = bench(profile_with(INTERFACES[name]))
    made.move(WAY)
    made.move(-WAY)
    report = made.fresh_report()
    found = report["commands"]
    print(found["worst"], report["arm"], found["commands"])
    assert found["violation_count"] == 0, found["violations"]
