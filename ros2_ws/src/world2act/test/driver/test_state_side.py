"""What comes from a driver: joint states, emergency stop; and what is published in its place: the contract."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.conversions import ConversionError, joint_state_to_message
from world2act.driver.emergency_stop import EmergencyStop, listen_to_emergency_stop
from world2act.driver.joint_states import JointStateListener, joint_reading
from world2act.driver.robot_contract import robot_contract, robot_contract_message
from world2act_core.compatibility import ContractMismatch, check_compatible
from world2act_core.contract import Contract
from world2act_core.robot.find import find_profile
from world2act_core.robot.joint_reading import JointReader
from world2act_core.tabletop import tabletop_contract

READER = JointReader(("a", "b"))


def state(stamp_ns: int, *values: float) -> JointState:
    return joint_state_to_message(("b", "a"), values, np.zeros(2), stamp_ns)


def test_a_message_becomes_a_reading() -> None:
    reading = joint_reading(READER, state(5, 2.0, 1.0))
    assert reading.position.tolist() == [1.0, 2.0] and reading.stamp_ns == 5


def test_bad_messages_are_errors_with_names() -> None:
    with pytest.raises(ConversionError, match="no stamp"):
        joint_reading(READER, state(0, 2.0, 1.0))
    with pytest.raises(ConversionError, match="a nan"):
        joint_reading(READER, state(5, 2.0, float("nan")))
    short = state(5, 2.0, 1.0)
    short.name = ["a"]
    with pytest.raises(ConversionError, match="no joint b"):
        joint_reading(READER, short)


def test_old_messages_are_left_out_and_a_clock_set_back_is_followed() -> None:
    listener = JointStateListener(READER, patience_s=1.0)
    second = 1_000_000_000
    assert listener.take(state(10 * second, 0.0, 1.0)) is not None
    assert listener.take(state(10 * second - 5, 0.0, 2.0)) is None and listener.out_of_order == 1
    assert listener.newest is not None and listener.newest.position[0] == 1.0
    with pytest.raises(ConversionError):
        listener.take(state(11 * second, 0.0, float("inf")))
    assert listener.newest.position[0] == 1.0
    assert listener.take(state(5 * second, 0.0, 3.0)) is not None and listener.newest.position[0] == 3.0


def test_an_emergency_stop_without_heartbeat_keeps_its_last_word() -> None:
    stop = EmergencyStop()
    assert not stop.pressed(0.0)
    stop.take(Bool(data=True), 1.0)
    assert stop.pressed(100.0) and "release it" in stop.reason(100.0)
    stop.take(Bool(data=False), 101.0)
    assert not stop.pressed(1000.0) and stop.reason(1000.0) == ""


def test_with_heartbeat_silence_is_a_stop() -> None:
    stop = EmergencyStop(heartbeat_s=0.2)
    assert stop.pressed(0.0) and "nothing has come" in stop.reason(0.0)
    stop.take(Bool(data=False), 1.0)
    assert not stop.pressed(1.2)
    assert stop.pressed(1.3) and "0.30 s" in stop.reason(1.3)
    stop.take(Bool(data=False), 2.0)
    assert not stop.pressed(2.0)
    with pytest.raises(ValueError, match="heartbeat_s"):
        EmergencyStop(-1.0)


@pytest.mark.parametrize("sender", ["latched, earlier", "best effort", "reliable"])
def test_the_emergency_stop_is_heard_whoever_sends_it(ros, sender: str) -> None:
    quality = {"latched, earlier": topics.latched(), "best effort": topics.newest(False), "reliable": topics.reliable()}
    other = ros.add(ManagedNode("button", context=ros.context))
    publisher = other.create_publisher(Bool, "e_stop", quality[sender])
    publisher.publish(Bool(data=True))
    node = ros.add(ManagedNode("listener", context=ros.context))
    heard: list[Bool] = []
    listen_to_emergency_stop(node, "e_stop", heard.append)
    if sender != "latched, earlier":
        assert ros.until(lambda: publisher.get_subscription_count() > 0)
        ros.spin(0.1)
        publisher.publish(Bool(data=True))
    assert ros.until(lambda: bool(heard)) and heard[0].data


def test_the_contract_of_an_arm_fits_a_bundle_for_it() -> None:
    profile, bundle = find_profile("sim_panda"), tabletop_contract("Panda", 128)
    ours = robot_contract(profile, bundle)
    check_compatible(ours, bundle)
    assert Contract.from_text(robot_contract_message(profile, bundle).data) == ours


def test_the_contract_of_an_arm_does_not_fit_another_robot_or_other_cameras() -> None:
    profile = find_profile("sim_panda")
    with pytest.raises(ContractMismatch, match="robot.*Panda.*UR5e"):
        other = tabletop_contract("UR5e", 128)
        check_compatible(robot_contract(profile, other), other)
    bundle = tabletop_contract("Panda", 128)
    data = profile.model_dump(mode="json")
    blind = type(profile).model_validate({**data, "cameras": [c for c in data["cameras"] if c["name"] == "scene"]})
    with pytest.raises(ContractMismatch, match="cameras.wrist"):
        check_compatible(robot_contract(blind, bundle), bundle)
    renamed = [{**data["cameras"][0], "name": "ceiling"}]
    strange = type(profile).model_validate({**data, "cameras": renamed})
    with pytest.raises(ContractMismatch, match="cameras.ceiling"):
        check_compatible(robot_contract(strange, bundle), bundle)
