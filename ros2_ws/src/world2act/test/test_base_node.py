"""The lifecycle base class: up and down, the order of endings, refusals."""

from __future__ import annotations

import gc

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Header, String

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.errors import ConfigurationError
from world2act.health import FAULT, Condition
from world2act_interfaces.msg import NodeHealth

SUCCESS = TransitionCallbackReturn.SUCCESS


class Recorder(ManagedNode):
    """Notes what is called, and whether its publisher worked then."""

    def __init__(self, **kwargs) -> None:
        self.calls: list[str] = []
        self.refuse = False
        super().__init__("recorder", **kwargs)

    def setup(self) -> None:
        if self.refuse:
            raise ConfigurationError("the arm is not plugged in", "plug it in")
        self.calls.append("setup")
        self.out = self.publisher(String, "words", topics.reliable())
        self.listen(String, "orders", lambda message: self.calls.append(f"order {message.data}"), topics.reliable())
        self.every(3600.0, lambda: None)

    def start(self) -> None:
        self.calls.append(f"start publishing={self.out.is_activated}")

    def stop(self) -> None:
        self.calls.append(f"stop publishing={self.out.is_activated}")

    def safe_command(self) -> None:
        self.calls.append(f"safe publishing={self.out.is_activated}")
        self.out.publish(String(data="hold"))

    def release(self) -> None:
        self.calls.append("release")


@pytest.fixture
def node(ros) -> Recorder:
    return ros.add(Recorder(context=ros.context))


def test_up_and_down_ten_times(ros, node: Recorder) -> None:
    for _ in range(10):
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        ros.executor.spin_once(timeout_sec=0.01)
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
    gc.collect()
    # Only what the base class itself owns may be left: nothing piles up.
    assert [s.topic_name for s in node.subscriptions if "orders" in s.topic_name] == []
    assert [p.topic_name for p in node.publishers if "words" in p.topic_name] == []
    assert node.calls.count("setup") == 10


def test_the_safe_command_comes_after_stop_and_before_silence(ros, node: Recorder) -> None:
    heard: list[str] = []
    listener = ros.add(Node("listener", context=ros.context))
    listener.create_subscription(String, "words", lambda message: heard.append(message.data), topics.reliable())
    node.trigger_configure()
    node.trigger_activate()
    assert ros.until(lambda: node.out.get_subscription_count() > 0)
    node.trigger_deactivate()
    assert node.calls[-2:] == ["stop publishing=True", "safe publishing=True"]
    assert not node.out.is_activated
    assert ros.until(lambda: heard == ["hold"])
    node.out.publish(String(data="late"))
    ros.spin(0.2)
    assert heard == ["hold"]


def test_shutdown_from_active_also_holds(node: Recorder) -> None:
    node.trigger_configure()
    node.trigger_activate()
    node.trigger_shutdown()
    assert node.calls[-3:] == ["stop publishing=True", "safe publishing=True", "release"]


def test_nothing_is_heard_while_inactive(ros, node: Recorder) -> None:
    sender = ros.add(Node("sender", context=ros.context))
    publisher = sender.create_publisher(String, "orders", topics.reliable())
    node.trigger_configure()
    assert ros.until(lambda: publisher.get_subscription_count() > 0)
    publisher.publish(String(data="one"))
    ros.spin(0.2)
    node.trigger_activate()
    publisher.publish(String(data="two"))
    assert ros.until(lambda: "order two" in node.calls)
    assert "order one" not in node.calls


def test_a_refusal_says_why_and_can_be_repaired(ros, node: Recorder) -> None:
    healths: list[NodeHealth] = []
    listener = ros.add(Node("listener", context=ros.context))
    listener.create_subscription(NodeHealth, topics.NODE_HEALTH, healths.append, topics.reliable())
    assert ros.until(lambda: len(healths) > 0)
    node.refuse = True
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert ros.until(lambda: healths[-1].level == FAULT)
    assert healths[-1].message == "the arm is not plugged in. What to do: plug it in."
    assert healths[-1].state == "unconfigured"
    node.refuse = False
    assert node.trigger_configure() == SUCCESS


def test_a_condition_is_reported_at_once(ros) -> None:
    healths: list[NodeHealth] = []
    listener = ros.add(Node("listener", context=ros.context))
    subscription = listener.create_subscription(NodeHealth, topics.NODE_HEALTH, healths.append, topics.reliable())
    # So rarely that only what is reported at once can come.
    node = ros.add(Recorder(context=ros.context, parameter_overrides=[Parameter("health_period", value=60.0)]))
    assert ros.until(lambda: subscription.get_publisher_count() > 0 and node.count_subscribers(topics.NODE_HEALTH) > 0)
    node.set_condition(Condition(FAULT, "TOO_HOT", "it is too hot: cool it"))
    assert ros.until(lambda: bool(healths) and healths[-1].fault == "TOO_HOT")
    node.clear_condition("SOMETHING_ELSE")
    assert node.condition.name == "TOO_HOT"
    node.clear_condition("TOO_HOT")
    assert ros.until(lambda: healths[-1].fault == "")


def test_the_heart_beats_while_active_and_never_in_lockstep(ros) -> None:
    beats: list[str] = []
    listener = ros.add(Node("listener", context=ros.context))
    listener.create_subscription(
        Header, topics.HEARTBEAT, lambda message: beats.append(message.frame_id), topics.heartbeat()
    )
    node = ros.add(Recorder(context=ros.context))
    step = ros.add(Recorder(context=ros.context, parameter_overrides=[Parameter("lockstep", value=True)]))
    assert ros.until(lambda: node.count_subscribers(topics.HEARTBEAT) > 0)
    ros.spin(0.3)
    assert beats == []
    for one in (node, step):
        one.trigger_configure()
        one.trigger_activate()
    assert ros.until(lambda: len(beats) > 3)
    assert step.count_publishers(topics.HEARTBEAT) == 1
    node.trigger_deactivate()
    ros.spin(0.2)
    beats.clear()
    ros.spin(0.3)
    assert beats == []
