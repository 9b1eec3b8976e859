"""The compiled arithmetic gives what the same Python gives, to the last bit, for calm and for wild motions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import arithmetic
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import Vector

SIZE, PERIOD_S = 5, 0.01


def both(name: str, *inputs: Any, outputs: tuple[tuple[int, ...], ...] = (), mask: bool = False) -> None:
    """Calls a function compiled and as Python; outputs: shapes of what it writes; mask: [N] bools come last."""
    function, results = getattr(arithmetic, name), []
    for call in (function, function.py_func):
        written = [np.zeros(shape) for shape in outputs] + ([np.zeros(SIZE, dtype=np.bool_)] if mask else [])
        results.append((call(*inputs, *written), [values.tolist() for values in written]))
    assert results[0] == results[1], name


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), wild=st.floats(0.0, 3.0))
def test_compiled_is_what_is_written(seed: int, wild: float) -> None:
    rng = np.random.default_rng(seed)
    most = np.stack([rng.uniform(1, 3, SIZE), rng.uniform(5, 15, SIZE), rng.uniform(100, 6000, SIZE)])
    limits = np.stack([rng.uniform(-3, -1, SIZE), rng.uniform(1, 3, SIZE)])

    def some_motion() -> Vector:
        return np.concatenate([rng.uniform(-3, 3, (1, SIZE)), wild * rng.uniform(-1, 1, (2, SIZE)) * most[:2]])

    motion, reference, rows = some_motion(), some_motion(), rng.uniform(-1, 1, (3, SIZE))
    near = motion + 1e-4 * rng.normal(size=motion.shape)
    gains = np.array([[0.1, 0.5, 1.0], [PERIOD_S**3, PERIOD_S**2, PERIOD_S]])
    before, now, after = motion[0], motion[0] + 0.01 * reference[0], reference[0]
    both("share_of", motion[1], most[0], rows, 0.3)
    both("fastest_eef", rows, rng.normal(size=(4, SIZE)))
    both("fastest_braking", rows, motion, most[2], outputs=((SIZE,),))
    both("differences", before, PERIOD_S, now, 2 * PERIOD_S, after, most, outputs=((3, SIZE),))
    both("clamp", reference[0], limits, outputs=((SIZE,),))
    both("worst_shares", motion, reference[2], PERIOD_S, most, 0.5, outputs=((3, SIZE),))
    both("is_near", motion, near, 6e-3, 0.3)
    for there in (reference, near):
        both("servo", motion, there, gains, PERIOD_S, most[0], most, outputs=((3, SIZE),))
        for away in (np.zeros(SIZE), rng.normal(size=SIZE)):
            settled = most[1], np.stack([most[1] ** 2 / (2 * most[2]), 2 * most[1]]), 0.5 * most[0], rows, 0.3, away
            both("chase", motion, there, PERIOD_S, most, *settled, outputs=((3, SIZE),), mask=True)
    both("extremes", motion, reference[0], most[2], outputs=((2, SIZE),))
    both("travel", np.sort(reference[:2], axis=0), motion[0], most[0])
    for room in (0.5, 1e6, np.nan):
        both("first_beyond", rng.uniform(-1, 1, (6, SIZE)), 1, np.zeros(SIZE), most[0], room)
    both("stays_inside", np.sort(reference[:2], axis=0), motion[0], limits, 1e-9, mask=True)


def test_a_jacobian_of_another_width_is_refused(planar_limits: JointLimits, planar_arm: ArmModel) -> None:
    class Wide:
        def __getattr__(self, name: str) -> Any:
            return getattr(planar_arm, name)

        def jacobian(self, position: Vector) -> Vector:
            return np.zeros((6, 4))

    guarded = SafetyFilter(planar_limits, SafetySettings(), Wide())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Jacobian is 4 wide, need 3"):
        guarded.start(np.zeros(3))
