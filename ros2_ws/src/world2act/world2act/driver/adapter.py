"""What all command interfaces have in common: one message per period, what hold is, and the last word."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from world2act_core.robot.joint_motion import JointMotion, JointPoint

Vector = NDArray[np.float64]


class CommandAdapter(ABC):
    """Joint motions of consecutive periods -> the messages of one driver interface. Publishes nothing itself.

    message_type, topic: what a driver subscribes to. `start` forgets what came before.
    """

    message_type: ClassVar[type]

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.start()

    def start(self) -> None:  # noqa: B027 - most adapters remember nothing
        """Forget the motions before; call on activation."""

    @abstractmethod
    def message(self, motion: JointMotion, gripper: float, measured: Vector | None, stamp_ns: int) -> Any:
        """The message of this period.

        motion: where the arm is to be now. gripper: in [-1, 1], +1 closes; only for interfaces that carry it.
        measured: joint positions [N], or None; velocity interfaces correct their drift with it. stamp_ns: now.
        """

    def last_message(self, last: JointMotion, gripper: float, stamp_ns: int) -> Any:
        """What is sent at deactivation after `last`: stay there. The arm should be at rest by then."""
        self.start()
        return self.message(JointPoint.at_rest(last.position), gripper, None, stamp_ns)
