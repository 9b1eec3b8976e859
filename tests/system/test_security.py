"""The table of who uses what, against a graph that runs: nothing used may be missing, nothing allowed be unused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rclpy.action import get_action_client_names_and_types_by_node, get_action_server_names_and_types_by_node

from world2act import topics
from world2act.client import GraphClient
from world2act.graph import NODE_NAMES
from world2act.security.access import OPERATOR, Access, DriverTopics, graph_access
from world2act.supervision.supervisor import Supervisor
from world2act_core.tabletop import tabletop_contract

IMAGES = tuple(topics.image_topic(camera.name) for camera in tabletop_contract().cameras)
TABLE = graph_access(DriverTopics(images=IMAGES))


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

    return Access(*(tuple(sorted(map(full, names))) for names in vars(access).values()))


@pytest.mark.parametrize("name", NODE_NAMES)
def test_a_node_uses_exactly_what_it_may(lockstep_graph: Supervisor, name: str) -> None:
    session = lockstep_graph.session
    allowed = full_names(TABLE[name], name)
    # Discovery may still be under way: the names are complete when they no longer differ, or never will be.
    session.wait(lambda: used_by(session.node, name) == allowed, 10.0)
    used = used_by(session.node, name)
    for what, names in vars(used).items():
        assert names == getattr(allowed, what), f"{name} {what}: correct its entry in world2act/security/access.py"


def test_the_command_line_uses_no_more_than_an_operator_may(lockstep_graph: Supervisor, client: GraphClient) -> None:
    session = lockstep_graph.session
    name = session.node.get_name()
    allowed = full_names(TABLE[OPERATOR], name)
    used = used_by(session.node, name)
    assert used.calls and used.sends_goals, "the client is not there: this test would see nothing"
    for what, names in vars(used).items():
        own = {found.replace(f"/{name}/", "/world2act_*/") for found in names}
        assert own <= set(getattr(allowed, what)), f"operator {what}: complete it in world2act/security/access.py"


def test_the_policy_file_is_written(tmp_path: Path, bundle: Path) -> None:
    from world2act.cli.security import POLICY_FILE, Security
    from world2act.security.policy import policy_xml

    assert Security("policies", out=tmp_path / "new", bundle=bundle).run() == 0
    assert (tmp_path / "new" / POLICY_FILE).read_text() == policy_xml(TABLE)
