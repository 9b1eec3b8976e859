"""What joint_commander hears."""

from __future__ import annotations

import math
import struct

import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from std_msgs.msg import Bool

from world2act.commander.inputs import Inputs, stamp_of_serialized
from world2act.driver.emergency_stop import EmergencyStop
from world2act.driver.joint_states import JointStateListener
from world2act_core.robot.joint_reading import JointReader
from world2act_interfaces.msg import Observation


def test_the_stamp_is_read_without_the_pictures() -> None:
    message = Observation(sequence=3)
    message.header.stamp = Time(sec=1_700_000_000, nanosec=123_456_789)
    message.header.frame_id = "base"
    assert stamp_of_serialized(serialize_message(message)) == 1_700_000_000_123_456_789
    with pytest.raises(struct.error):
        stamp_of_serialized(b"\x00\x01\x00\x00")


def test_a_chunk_is_expected_after_the_first_one_or_when_patience_ends() -> None:
    inputs = Inputs(JointStateListener(JointReader(["a"])), EmergencyStop())
    inputs.rested()
    assert not inputs.expects_chunk(60.0) and inputs.expects_chunk(0.0)
    inputs.chunk_taken()
    assert inputs.expects_chunk(60.0)
    inputs.rested()
    assert not inputs.expects_chunk(60.0)


def test_a_situation_before_anything_was_heard() -> None:
    inputs = Inputs(JointStateListener(JointReader(["a"])), EmergencyStop())
    situation = inputs.situation(2_000_000_000, "because")
    assert situation.now_s == 2.0 and situation.position is None and situation.state_age_s == math.inf
    assert situation.hold_reason == "because" and not situation.e_stop
    assert inputs.observation_age_s(10) == math.inf
    inputs.e_stop.take(Bool(data=True), 0.0)
    assert inputs.situation(2_000_000_000, "").e_stop


def test_late_observations_do_not_count_and_a_clock_that_was_set_back_does() -> None:
    inputs = Inputs(JointStateListener(JointReader(["a"])), EmergencyStop())
    now_ns = 5_000_000_000_000
    inputs.observed(now_ns)
    inputs.observed(now_ns - 300_000_000)
    assert inputs.observation_age_s(now_ns) == 0.0, "one that was overtaken"
    back_ns = now_ns - 3600 * 10**9
    inputs.observed(back_ns)
    assert inputs.observation_age_s(back_ns + 10**8) == pytest.approx(0.1), "an hour back"
    inputs.observed(now_ns)
    assert inputs.observation_age_s(now_ns) == 0.0


def test_the_reason_of_the_emergency_stop_reaches_the_filter() -> None:
    inputs = Inputs(JointStateListener(JointReader(["a"])), EmergencyStop(heartbeat_s=0.5))
    situation = inputs.situation(1, "", since_last_s=0.3)
    assert situation.e_stop and "nothing has come from the emergency stop" in situation.e_stop_reason
    assert situation.since_last_s == 0.3
