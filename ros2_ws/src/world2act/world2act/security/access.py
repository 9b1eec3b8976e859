"""What each node of the graph uses, by the names in topics.py. A test compares this table with running nodes.

Names are relative to the namespace, absolute with a slash in front; `~/` is the node itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from world2act import topics
from world2act.graph import NODE_NAMES

PARAMETER_SERVICES = (
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
    "get_type_description",
)
"""What rclpy serves for every node, `~/` in front of each."""
LIFECYCLE_SERVICES = (
    "change_state",
    "get_state",
    "get_available_states",
    "get_available_transitions",
    "get_transition_graph",
)
OPERATOR, OBSERVER, DRIVER = "operator", "observer", "driver"
COMMAND_LINE = "/world2act_*"
"""Names of the nodes that `world2act ...` makes for itself: they end in the number of the process."""


@dataclass(frozen=True)
class Access:
    """What one participant may do. Everything else is refused when security is enforced."""

    publishes: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    executes: tuple[str, ...] = ()
    sends_goals: tuple[str, ...] = ()

    def also(self, **more: Iterable[str]) -> Access:
        """This and more, sorted, nothing twice."""
        merged = {name: tuple(sorted({*getattr(self, name), *names})) for name, names in more.items()}
        return replace(self, **merged)


@dataclass(frozen=True)
class DriverTopics:
    """What the arm's driver and the cameras exchange with the graph; the defaults are sim_bridge's."""

    images: tuple[str, ...]
    states: tuple[str, ...] = (topics.JOINT_STATES, topics.EEF_POSE)
    commands: tuple[str, ...] = (topics.ARM_COMMAND,)


def graph_access(driver: DriverTopics) -> dict[str, Access]:
    """Node, or role of a person's tools -> what it may use.

    operator: `world2act up`, `do`, `reset`, `set`: reads everything, calls everything that is served. observer:
    `monitor` and the like: reads everything. driver: the arm's driver and its cameras, in the place of sim_bridge.
    """
    nodes = {name: _as_managed_node(access) for name, access in _own_work(driver).items()}
    published = {name for access in nodes.values() for name in access.publishes}
    observer = _as_node(Access(), COMMAND_LINE).also(subscribes=_seen_from_outside(published))
    calls = [
        *(f"/{node}/{service}" for node in nodes for service in ("change_state", "get_state", *PARAMETER_SERVICES)),
        *(service for access in nodes.values() for service in access.serves if not service.startswith("~/")),
    ]
    goals = [action for access in nodes.values() for action in access.executes]
    return {
        **nodes,
        DRIVER: _as_node(_driver(driver), "~"),
        OPERATOR: observer.also(calls=calls, sends_goals=goals),
        OBSERVER: observer,
    }


def _own_work(driver: DriverTopics) -> dict[str, Access]:
    """What each node does besides what every node does."""
    table = {
        "sim_bridge": _driver(driver).also(
            publishes=(topics.EPISODE_STATUS, topics.CLOCK), serves=(topics.RESET_EPISODE,)
        ),
        "camera_ingest": Access(publishes=(topics.OBSERVATION,), subscribes=(*driver.images, *driver.states)),
        "vla_policy": Access(
            publishes=(topics.ACTION_CHUNK,), subscribes=(topics.OBSERVATION, topics.SKILL, topics.ROBOT_CONTRACT)
        ),
        "arm_commander": Access(
            publishes=driver.commands,
            subscribes=(topics.EEF_POSE, topics.ACTION_CHUNK, topics.SKILL),
            serves=(topics.SET_HOLD,),
        ),
        "skill_planner": Access(
            publishes=(topics.SKILL, topics.SKILL_PLAN),
            subscribes=(topics.ACTION_CHUNK, topics.NODE_HEALTH),
            executes=(topics.EXECUTE_INSTRUCTION,),
        ),
    }
    missing = set(NODE_NAMES) - set(table)
    assert not missing, f"say in world2act/security/access.py what {sorted(missing)} uses"
    return table


def _driver(driver: DriverTopics) -> Access:
    return Access(
        publishes=(*driver.images, *driver.states, topics.ROBOT_CONTRACT),
        subscribes=driver.commands,
    )


def _as_node(access: Access, name: str) -> Access:
    """With what every ROS 2 node has; `name`: as its services are called."""
    return access.also(
        publishes=("/rosout", "/parameter_events"),
        serves=(f"{name}/{service}" for service in PARAMETER_SERVICES),
    )


def _as_managed_node(access: Access) -> Access:
    """With what every node over ManagedNode has."""
    return _as_node(access, "~").also(
        publishes=(topics.DIAGNOSTICS, topics.NODE_HEALTH, "~/transition_event"),
        serves=(f"~/{service}" for service in LIFECYCLE_SERVICES),
    )


def _seen_from_outside(published: Iterable[str]) -> Iterable[str]:
    """Names under which others see what nodes publish: `~/` is any node."""
    return [f"/*/{name.removeprefix('~/')}" if name.startswith("~/") else name for name in published]
