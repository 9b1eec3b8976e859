"""Every node goes up and down ten times and leaves nothing behind: no thread, no publisher, no subscription."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from tests.system.conftest import new_domain
from world2act.base_node import ManagedNode
from world2act.nodes.arm_commander import ArmCommander
from world2act.nodes.camera_ingest import CameraIngest
from world2act.nodes.sim_bridge import SimBridge
from world2act.nodes.skill_planner import SkillPlanner
from world2act.nodes.vla_policy import VlaPolicy
from world2act.supervision.session import Session


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    with Session("world2act_test") as opened:
        yield opened


def entities(node: ManagedNode) -> list[str]:
    """Everything the node has open."""
    kinds = (node.publishers, node.subscriptions, node.services, node.timers)
    return sorted(type(entity).__name__ + getattr(entity, "topic_name", "") for kind in kinds for entity in kind)


@pytest.mark.parametrize("lockstep", [True, False], ids=["lockstep", "realtime"])
@pytest.mark.parametrize(
    ("kind", "times"), [(CameraIngest, 10), (VlaPolicy, 10), (ArmCommander, 10), (SkillPlanner, 10), (SimBridge, 2)]
)
def test_up_and_down(session: Session, bundle: Path, kind: type[ManagedNode], times: int, lockstep: bool) -> None:
    values = {"lockstep": lockstep} | ({} if kind is SimBridge else {"bundle": str(bundle)})
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = kind(context=session.context, parameter_overrides=overrides)
    session.executor.add_node(node)
    before, threads = entities(node), threading.active_count()
    try:
        for _ in range(times):
            for change in (node.trigger_configure, node.trigger_activate):
                assert change() == TransitionCallbackReturn.SUCCESS
            session.spin(0.01)
            for change in (node.trigger_deactivate, node.trigger_cleanup):
                assert change() == TransitionCallbackReturn.SUCCESS
        assert entities(node) == before and threading.active_count() == threads
    finally:
        node.trigger_shutdown()
        session.executor.remove_node(node)
        node.destroy_node()
