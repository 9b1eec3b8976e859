"""The receiving end of a driver's command interface, refusing what a real driver refuses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from world2act.conversions import ConversionError
from world2act_core.robot.referee import CommandReferee
from world2act_sim.controllers import Controller

Vector = NDArray[np.float64]

START_TOLERANCE_RAD = 0.05


class CommandInput(ABC):
    """Takes the messages of one interface: judged by the referee, then handed to the arm's controller.

    After a reset or an emergency stop (`expect_start`) commands are ignored until one begins where the arm is: what was
    meant for the arm before would pull it back there.
    """

    message_type: ClassVar[type]

    def __init__(self, topic: str, controller: Controller, referee: CommandReferee) -> None:
        self.topic, self.controller, self.referee = topic, controller, referee
        self.ignored = 0
        self.expect_start()

    def expect_start(self) -> None:
        """Ignore commands until one begins where the arm is."""
        self._waiting = True

    def take(self, message: Any, sent_s: float, arm_s: float, measured: Vector) -> bool:
        """A message sent at `sent_s` (wall clock), when the arm's own time was `arm_s`.

        Returns False when it was ignored; raises ConversionError when a driver would refuse it.
        """
        try:
            if self._waiting and not self.begins_at(message, measured):
                self.ignored += 1
                return False
            if self._waiting:
                self._waiting = False
                self.referee.new_stream()
            self.apply(message, sent_s, arm_s, measured)
        except ConversionError:
            self.referee.findings.refused += 1
            raise
        return True

    @abstractmethod
    def begins_at(self, message: Any, measured: Vector) -> bool:
        """Whether the message may be the first for an arm that stands at joint positions `measured` [N]."""

    @abstractmethod
    def apply(self, message: Any, sent_s: float, arm_s: float, measured: Vector) -> None:
        """Judge the message and obey it."""


def near(position: ArrayLike, measured: Vector) -> bool:
    """Whether joint positions are close enough to the measured ones to begin there."""
    values = np.asarray(position, dtype=np.float64)
    return values.shape == measured.shape and bool((np.abs(values - measured) <= START_TOLERANCE_RAD).all())


def as_vector(what: str, values: ArrayLike, size: int) -> Vector:
    """`size` finite numbers -> [size]; ConversionError names `what` otherwise."""
    vector = np.array(values, dtype=np.float64)
    if vector.shape != (size,):
        raise ConversionError(f"{what}: need {size} numbers, got {vector.size}")
    if not np.isfinite(vector).all():
        raise ConversionError(f"{what}: not all of {vector.tolist()} are numbers")
    return vector
