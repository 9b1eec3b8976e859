"""What each node of the graph uses, by the names in topics.py. A test compares this table with running nodes.

Names are relative to the namespace, absolute with a slash in front; `~/` is the node itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from world2act import topics
from world2act.graph import GraphSpec, NodeSpec
from world2act.recording.node_facts import SUBJECTS
from world2act.recording.sources import graph_sources
from world2act.security.enclave import DRIVER, OBSERVER, OPERATOR
from world2act_core.robot.commands import GripperActionCommand, GripperInArmCommand
from world2act_core.robot.profile import RobotProfile

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
    """What the arm's driver and the cameras exchange with the graph; commands and goals go to them."""

    images: tuple[str, ...] = ()
    states: tuple[str, ...] = (topics.JOINT_STATES, topics.EEF_POSE)
    commands: tuple[str, ...] = (topics.ARM_COMMAND,)
    goals: tuple[str, ...] = ()
    contract: tuple[str, ...] = (topics.ROBOT_CONTRACT,)
    e_stop: tuple[str, ...] = ()


def driver_topics(profile: RobotProfile | None, cameras: Iterable[str]) -> DriverTopics:
    """Those of a robot profile; None: of an arm that takes Cartesian targets, as sim_bridge does."""
    if profile is None:
        return DriverTopics(images=tuple(topics.image_topic(camera) for camera in cameras))
    gripper = profile.gripper.command
    named = () if isinstance(gripper, GripperInArmCommand) else (gripper.topic,)
    is_action = isinstance(gripper, GripperActionCommand)
    ros = [camera for camera in profile.cameras if camera.kind in ("topic", "compressed_topic")]
    infos = [camera.camera_info for camera in ros if camera.camera_info]
    return DriverTopics(
        images=(*(camera.source for camera in ros), *infos),
        states=(profile.state.joint_states,),
        commands=(profile.command.topic, *(() if is_action else named)),
        goals=named if is_action else (),
        contract=(),  # joint_commander knows the profile, and says it
        e_stop=(profile.state.e_stop,) if profile.state.e_stop else (),
    )


def graph_access(graph: GraphSpec, driver: DriverTopics) -> dict[str, Access]:
    """Node, or role of a person's tools -> what it may use.

    operator: `world2act up`, `do`, `reset`, `set`, `clear`: reads everything, calls everything served. observer:
    `monitor` and the like: reads everything. driver: the arm's driver and its cameras, in the place of the simulator.
    """
    nodes = {node.name: _as_managed_node(_own_work(node, driver), node) for node in graph.nodes}
    # The driver's too: with a real arm, none of the graph's nodes publishes them.
    published = {name for access in (*nodes.values(), _driver(driver)) for name in access.publishes}
    observer = _as_node(Access(), COMMAND_LINE).also(subscribes=_seen_from_outside(published))
    calls = [
        *(f"/{node}/{service}" for node in nodes for service in ("change_state", "get_state", *PARAMETER_SERVICES)),
        *(service for access in nodes.values() for service in access.serves if not service.startswith("~/")),
        topics.CLEAR_NODE_LOST,
    ]
    goals = [action for access in nodes.values() for action in access.executes]
    supervision = {"publishes": (topics.NODE_HEALTH, topics.DIAGNOSTICS), "serves": (topics.CLEAR_NODE_LOST,)}
    return {
        **nodes,
        DRIVER: _as_node(_driver(driver), "~"),
        OPERATOR: observer.also(calls=calls, sends_goals=goals, **supervision),
        OBSERVER: observer,
    }


def _own_work(node: NodeSpec, driver: DriverTopics) -> Access:
    """What a node does besides what every node does. Raises KeyError for an executable that is not in the table."""
    simulator = _driver(driver).also(publishes=(topics.EPISODE_STATUS,), serves=(topics.RESET_EPISODE,))
    planning = Access(subscribes=(topics.ACTION_CHUNK, topics.SKILL), serves=(topics.SET_HOLD,))
    table = {
        "sim_bridge": simulator.also(publishes=(topics.CLOCK,) if _lockstep(node) else ()),
        "sim_arm": simulator.also(publishes=(topics.COMMAND_REFEREE,)),
        # also(): without a profile the pose is one of the driver's states, and then it would be here twice.
        "camera_ingest": Access(publishes=(topics.OBSERVATION,)).also(
            subscribes=(*driver.images, *driver.states, topics.EEF_POSE)
        ),
        "vla_policy": Access(
            publishes=(topics.ACTION_CHUNK,), subscribes=(topics.OBSERVATION, topics.SKILL, topics.ROBOT_CONTRACT)
        ),
        "arm_commander": planning.also(publishes=driver.commands, subscribes=(topics.EEF_POSE,)),
        "joint_commander": planning.also(
            publishes=(
                *driver.commands,
                topics.ARM_COMMAND,
                topics.SAFETY_STATUS,
                topics.EEF_POSE,
                topics.ROBOT_CONTRACT,
            ),
            subscribes=(
                *driver.states,
                *driver.e_stop,
                topics.HEARTBEAT,
                topics.NODE_HEALTH,
                topics.OBSERVATION,
                topics.EPISODE_STATUS,
            ),
            serves=(topics.CLEAR_FAULT,),
            sends_goals=driver.goals,
        ),  # fmt: skip
        # With its parameters pictures or extra_topics it reads more: add that here.
        "recorder": Access().also(
            publishes=(topics.RECORDER_STATUS,),
            subscribes=(source.topic for source in graph_sources({}, False, joint_states=_joint_states(node))),
            serves=(topics.RECORD,),
            calls=(f"/{subject.node}/get_parameters" for subject in SUBJECTS),
        ),
        "skill_planner": Access(
            publishes=(topics.SKILL, topics.SKILL_PLAN),
            subscribes=(topics.ACTION_CHUNK, topics.NODE_HEALTH),
            executes=(topics.EXECUTE_INSTRUCTION,),
        ),
    }
    return table[node.executable]


def _driver(driver: DriverTopics) -> Access:
    return Access(
        publishes=(*driver.images, *driver.states, *driver.contract),
        subscribes=(*driver.commands, *driver.e_stop),
        executes=driver.goals,
    )


def _joint_states(node: NodeSpec) -> str:
    return str(node.parameters.get("joint_states", topics.JOINT_STATES))


def _lockstep(node: NodeSpec) -> bool:
    return node.parameters.get("lockstep") is True


def _as_node(access: Access, name: str) -> Access:
    """With what every ROS 2 node has; `name`: as its services are called."""
    return access.also(
        publishes=("/rosout", "/parameter_events"),
        serves=(f"{name}/{service}" for service in PARAMETER_SERVICES),
    )


def _as_managed_node(access: Access, node: NodeSpec) -> Access:
    """With what every node over ManagedNode has; in lockstep, and for some nodes, nobody waits for signs of life."""
    silent = _lockstep(node) or node.parameters.get("heartbeat_period") == 0.0
    life = () if silent else (topics.HEARTBEAT,)
    return _as_node(access, "~").also(
        publishes=(topics.DIAGNOSTICS, topics.NODE_HEALTH, "~/transition_event", *life),
        serves=(f"~/{service}" for service in LIFECYCLE_SERVICES),
    )


def _seen_from_outside(published: Iterable[str]) -> Iterable[str]:
    """Names under which others see what nodes publish: `~/` is any node."""
    return [f"/*/{name.removeprefix('~/')}" if name.startswith("~/") else name for name in published]
