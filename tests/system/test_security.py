"""The table of who uses what, against a graph that runs: nothing used may be missing, nothing allowed be unused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rclpy.action import get_action_client_names_and_types_by_node, get_action_server_names_and_types_by_node

from tests.system.conftest import Start
from world2act.client import GraphClient
from world2act.errors import GraphError
from world2act.security.access import OPERATOR, Access, driver_topics, graph_access
from world2act.supervision.supervisor import Supervisor
from world2act_core.robot.find import find_profile
from world2act_core.tabletop import tabletop_contract

CAMERAS = [camera.name for camera in tabletop_contract().cameras]
PROFILE = "sim_panda"


def table_of(supervisor: Supervisor) -> dict[str, Access]:
    """The table for a graph that runs."""
    has_profile = any(node.executable == "joint_commander" for node in supervisor.graph.nodes)
    return graph_access(supervisor.graph, driver_topics(find_profile(PROFILE) if has_profile else None, CAMERAS))


def used_by(node: Any, name: str) -> Access:
    """What the middleware says node `name` uses, full names; actions as such, not as what they consist of."""

    def names(ask: Any) -> tuple[str, ...]:
        return tuple(sorted(found for found, _ in ask(name, "/") if "/_action/" not in found))

    def actions(ask: Any) -> tuple[str, ...]:
        return tuple(sorted(found for found, _ in ask(node, name, "/")))

    return Access(
        publishes=names(node.get_publisher_names_and_types_by_node),
        subscribes=names(node.get_subscriber_names_and_types_by_node),
        serves=names(node.get_service_names_and_types_by_node),
        calls=names(node.get_client_names_and_types_by_node),
        executes=actions(get_action_server_names_and_types_by_node),
        sends_goals=actions(get_action_client_names_and_types_by_node),
    )


def full_names(access: Access, node: str) -> Access:
    """The table's entry with full names, as the middleware gives them."""

    def full(name: str) -> str:
        return f"/{node}/{name[2:]}" if name.startswith("~/") else "/" + name.removeprefix("/")

    shown = ([name for name in names if "/_action/" not in name] for names in vars(access).values())
    return Access(*(tuple(sorted(map(full, names))) for names in shown))


def assert_nodes_use_what_they_may(supervisor: Supervisor) -> None:
    session, table = supervisor.session, table_of(supervisor)
    for node in supervisor.graph.nodes:
        allowed = full_names(table[node.name], node.name)
        # Discovery may still be under way: the names are complete when they no longer differ, or never will be.
        session.wait(lambda name=node.name, allowed=allowed: used_by(session.node, name) == allowed, 10.0)
        used = used_by(session.node, node.name)
        for what, names in vars(used).items():
            text = f"{node.name} {what}: correct its entry in world2act/security/access.py"
            assert names == getattr(allowed, what), text


def test_nodes_with_cartesian_targets_use_exactly_what_they_may(lockstep_graph: Supervisor) -> None:
    assert_nodes_use_what_they_may(lockstep_graph)


def test_nodes_with_a_robot_profile_use_exactly_what_they_may(start: Start, bundle: Path, tmp_path: Path) -> None:
    assert_nodes_use_what_they_may(start(bundle, lockstep=False, profile=PROFILE, record=str(tmp_path)))


def test_the_command_line_uses_no_more_than_an_operator_may(lockstep_graph: Supervisor, client: GraphClient) -> None:
    session = lockstep_graph.session
    name = session.node.get_name()
    allowed = full_names(table_of(lockstep_graph)[OPERATOR], name)
    used = used_by(session.node, name)
    assert used.calls and used.sends_goals, "the client is not there: this test would see nothing"
    for what, names in vars(used).items():
        own = {found.replace(f"/{name}/", "/world2act_*/") for found in names}
        assert own <= set(getattr(allowed, what)), f"operator {what}: complete it in world2act/security/access.py"


def test_the_policy_file_is_written(tmp_path: Path, bundle: Path) -> None:
    from world2act.cli.security import POLICY_FILE, Security

    assert Security("policies", out=tmp_path / "new", bundle=bundle).run() == 0
    text = (tmp_path / "new" / POLICY_FILE).read_text()
    assert "/world2act/sim_bridge" in text and "/world2act/recorder" in text
    assert Security("policies", out=tmp_path, bundle=bundle, robot="fr3").run() == 0
    assert "<topic>fr3_arm_controller/joint_trajectory</topic>" in (tmp_path / POLICY_FILE).read_text()
    with pytest.raises(GraphError, match="--robot nobody"):
        Security("policies", out=tmp_path, bundle=bundle, robot="nobody").run()
