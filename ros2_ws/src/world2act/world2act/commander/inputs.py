"""What arm_commander has heard: joint states, the newest observation's stamp, the emergency stop, the skill."""

from __future__ import annotations

import math
import struct
import time
from dataclasses import dataclass

from world2act.conversions import NANOSECONDS, ns_to_seconds
from world2act.driver.emergency_stop import EmergencyStop
from world2act.driver.joint_states import JointStateListener
from world2act_core.safety.types import Situation

CLOCK_STEP_NS = NANOSECONDS
"""An observation that is older than the newest by more than this comes from a clock that was set back, and counts."""
# CDR: four bytes of encapsulation, then the header's stamp, which is the first field of an Observation.
_LITTLE, _BIG = struct.Struct("<4xiI"), struct.Struct(">4xiI")


def stamp_of_serialized(data: bytes) -> int:
    """The header stamp [ns] of a serialized message that begins with a header; the pictures behind it stay packed.

    Raises struct.error when it is too short to be one.
    """
    seconds, nanoseconds = (_LITTLE if data[1] & 1 else _BIG).unpack_from(data)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


@dataclass
class Inputs:
    """The newest of everything; times on the wall clock [ns] unless they say otherwise."""

    joints: JointStateListener
    e_stop: EmergencyStop
    observation_ns: int = 0
    skill_active: bool = False
    _has_chunk: bool = False
    _waiting_since_s: float = 0.0

    def rested(self) -> None:
        """The arm holds and what was planned is forgotten: it goes on with the next chunk, which may take a moment."""
        self._has_chunk = False
        self._waiting_since_s = time.monotonic()

    def chunk_taken(self) -> None:
        """From now on, being without a fresh chunk is a fault."""
        self._has_chunk = True

    def expects_chunk(self, patience_s: float) -> bool:
        """Whether a chunk should be there: one was, or none has come for `patience_s`."""
        return self._has_chunk or time.monotonic() - self._waiting_since_s > patience_s

    def observed(self, stamp_ns: int) -> None:
        """An observation came with this stamp; one that is only late changes nothing."""
        if not 0 <= self.observation_ns - stamp_ns < CLOCK_STEP_NS:
            self.observation_ns = stamp_ns

    def observation_age_s(self, now_ns: int) -> float:
        """Age of the newest observation; inf before the first."""
        return ns_to_seconds(now_ns - self.observation_ns) if self.observation_ns else math.inf

    def situation(self, now_ns: int, hold_reason: str, since_last_s: float = 0.0) -> Situation:
        """For the safety filter. since_last_s: how long ago the last period began."""
        reading = self.joints.newest
        age_s = ns_to_seconds(now_ns - reading.stamp_ns) if reading is not None else math.inf
        position = None if reading is None else reading.position
        e_stop = self.e_stop.reason(time.monotonic())
        return Situation(ns_to_seconds(now_ns), position, age_s, bool(e_stop), hold_reason, e_stop, since_last_s)
