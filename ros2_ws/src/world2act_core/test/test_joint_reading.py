"""Joint states of any driver -> the arm's joints in the profile's order, or an error that names the joints."""

from __future__ import annotations

import numpy as np
import pytest

from world2act_core.robot.joint_reading import JointReader, JointReadingError

READER = JointReader(("a", "b"))


def test_order_is_the_profiles_and_others_are_left_alone() -> None:
    reading = READER.read(7, ("finger", "b", "a"), (9.0, 2.0, 1.0), (0.9, 0.2, 0.1))
    assert reading.stamp_ns == 7 and reading.position.tolist() == [1.0, 2.0]
    assert reading.velocity is not None and reading.velocity.tolist() == [0.1, 0.2]
    assert READER.read(7, ("a", "b"), (1.0, 2.0)).velocity is None


@pytest.mark.parametrize(
    ("names", "position", "velocity", "text"),
    [
        (("a", "c"), (1.0, 2.0), (), "no joint b; it has: a, c"),
        ((), (), (), "no joint a, b; it has: none"),
        (("a", "b", "a"), (1.0, 2.0, 3.0), (), "names a twice"),
        (("a", "b"), (1.0,), (), "2 names, 1 positions"),
        (("a", "b"), (1.0, 2.0), (0.0,), "1 velocities"),
        (("a", "b"), (1.0, np.nan), (), "position is not a number: b nan"),
        (("a", "b"), (np.inf, 1.0), (), "position is not a number: a inf"),
        (("a", "b"), (1.0, 2.0), (0.0, np.nan), "velocity is not a number: b nan"),
    ],
)
def test_errors_name_the_joints(names: tuple, position: tuple, velocity: tuple, text: str) -> None:
    with pytest.raises(JointReadingError, match=text):
        READER.read(1, names, position, velocity)


def test_a_nan_of_another_joint_does_not_matter() -> None:
    assert READER.read(1, ("a", "b", "finger"), (1.0, 2.0, np.nan)).position.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_a_reader_needs_joints(names: tuple) -> None:
    with pytest.raises(ValueError, match="joint names"):
        JointReader(names)
