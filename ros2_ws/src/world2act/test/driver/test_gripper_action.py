"""The action of gripper drivers, from ActionGripper to the simulated gripper and back: what fr3, ur5e and xarm7 use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient

from world2act.driver.gripper_action import gripper_command_action
from world2act_core.robot.find import find_profile

from .conftest import Bench
from .gripper_type import control_msgs

pytestmark = pytest.mark.timeout(600)  # a busy machine compiles slowly

MakeBench = Callable[..., Bench]


@pytest.fixture(autouse=True, scope="module")
def gripper_type() -> Iterator[None]:
    """The action's type, which PyPI does not have."""
    with control_msgs():
        yield


class Hand:
    """Sends goals as another program would, to the gripper of a bench whose commander leaves it alone."""

    def __init__(self, made: Bench) -> None:
        self._made, self._type = made, gripper_command_action()
        topic = made.commander.profile.gripper.command.topic
        self._client = ActionClient(made.commander, self._type, topic)
        made.commander.own(self._client.destroy)
        made.commander.sending = False
        assert made.ros.until(self._client.server_is_ready)

    def send(self, position: float) -> Any:
        """A goal's handle, once it is answered."""
        goal = self._type.Goal()
        goal.command.position = position
        answer = self._client.send_goal_async(goal)
        assert self._made.ros.until(answer.done)
        return answer.result()

    def outcome(self, handle: Any, seconds: float = 20.0) -> Any:
        """How the goal ended."""
        result = handle.get_result_async()
        assert self._made.ros.until(result.done, seconds)
        return result.result()


@pytest.mark.long
def test_the_profile_of_the_fr3_closes_and_opens_the_simulated_gripper(bench: MakeBench) -> None:
    made = bench(find_profile("fr3"))
    reading = lambda: sum(made.commander.states[-1].position[7:])  # noqa: E731
    assert made.ros.until(lambda: reading() > 0.07, 30.0)
    for command, done in ((1.0, lambda: reading() < 0.01), (-1.0, lambda: reading() > 0.07)):
        made.commander.gripper = command
        assert made.ros.until(done, 30.0), reading()
    assert made.arm.condition.name == ""


def test_a_goal_ends_where_it_was_sent(bench: MakeBench) -> None:
    hand = Hand(bench(find_profile("fr3")))
    handle = hand.send(0.02)
    assert handle.accepted
    ended = hand.outcome(handle)
    assert ended.status == GoalStatus.STATUS_SUCCEEDED and ended.result.reached_goal and not ended.result.stalled
    assert ended.result.position == pytest.approx(0.02, abs=0.002)


def test_a_newer_goal_takes_the_place_of_one_under_way(bench: MakeBench) -> None:
    hand = Hand(bench(find_profile("fr3")))
    first = hand.send(0.0)
    second = hand.send(0.04)
    ended = hand.outcome(first)
    assert ended.status == GoalStatus.STATUS_ABORTED and not ended.result.reached_goal
    assert hand.outcome(second).status == GoalStatus.STATUS_SUCCEEDED


def test_fingers_that_cannot_go_on_have_stalled(bench: MakeBench) -> None:
    made = bench(find_profile("fr3"))
    hand = Hand(made)
    made.arm.parts.arm.stop()  # the brakes hold the fingers too
    ended = hand.outcome(hand.send(0.0))
    assert ended.status == GoalStatus.STATUS_ABORTED and ended.result.stalled and not ended.result.reached_goal
    assert ended.result.position == pytest.approx(0.04, abs=0.002)


def test_what_is_no_position_is_refused_and_named(bench: MakeBench) -> None:
    made = bench(find_profile("fr3"))
    assert not Hand(made).send(math.nan).accepted
    assert made.arm.condition.name == "COMMAND_INVALID" and "GripperCommand.position" in made.arm.condition.message
