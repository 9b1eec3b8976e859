"""The order in which a graph is let go."""

from __future__ import annotations

from world2act.supervision.safe_stop import stop_order


def test_policy_then_hold_then_the_rest_against_bring_up() -> None:
    names = ("sim_bridge", "camera_ingest", "vla_policy", "arm_commander", "recorder", "skill_planner")
    before, after = stop_order(names)
    assert before == ("skill_planner", "vla_policy")
    assert after == ("arm_commander", "recorder", "camera_ingest", "sim_bridge")
    assert stop_order(("sim_bridge",)) == ((), ("sim_bridge",))
