"""vla_policy measures how late its chunks are, asks earlier for the next one, and says when that is not enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from tests.system.conftest import new_domain
from world2act.nodes.vla_policy import TOO_SLOW, VlaPolicy
from world2act.supervision.session import Session


@pytest.fixture
def policy(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VlaPolicy]:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    with Session("world2act_test") as session:
        overrides = [Parameter("bundle", value=str(bundle)), Parameter("require_robot_contract", value=False)]
        node = VlaPolicy(context=session.context, parameter_overrides=overrides)
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        yield node
        node.trigger_cleanup()
        node.destroy_node()


def measured(node: VlaPolicy, delay_s: float) -> None:
    """As if fifty chunks had been this late."""
    for _ in range(50):
        node._delay.add(delay_s)
    node._schedule.expect_delay(round(node._delay.value_s * 1e9))
    node.refresh_condition()


def test_a_policy_that_is_too_slow_says_so_until_it_is_not(policy: VlaPolicy) -> None:
    """Chunks of 0.8 s with a reserve of 0.2 s: 0.25 s of delay can be made up for by asking earlier, 0.5 s cannot."""
    step_ns = round(policy.bundle.contract.step_s * 1e9)
    measured(policy, 0.05)
    assert (policy.condition.name, policy._schedule.interval_ns) == ("", 4 * step_ns)
    measured(policy, 0.25)
    assert (policy.condition.name, policy._schedule.interval_ns) == ("", 3 * step_ns)
    measured(policy, 0.5)
    assert (policy.condition.name, policy._schedule.interval_ns) == (TOO_SLOW, step_ns)
    assert "a chunk lasts 0.8 s, but it takes 0.50 s" in policy.condition.message
    measured(policy, 0.05)
    assert policy.condition.name == ""
