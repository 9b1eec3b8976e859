"""Who runs with what: the one description of the graph that the launch files and `world2act up` are both made from.

Pure data, importable without rclpy: `launch_description.py` turns it into launch actions, `supervision` into processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Literal

from world2act.cameras.profile_parameters import camera_parameters, gripper_parameters, state_parameters
from world2act.security.enclave import enclave_environment
from world2act_core.contract import Contract, ContractError
from world2act_core.manifest import BundleError, ResidualChoice, read_manifest
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import RobotProfile

GraphKind = Literal["sim", "real"]
ParameterValue = bool | int | float | str | list[str] | list[float]

DEFAULT_BUNDLE = "models/tabletop-nano"
DEFAULT_LLM_BASE_URL = "http://localhost:8000/v1"
DEFAULT_SIM_PROFILE = "sim_panda"
NODE_NAMES = ("sim_bridge", "sim_arm", "camera_ingest", "vla_policy", "arm_commander", "recorder", "skill_planner")
EXECUTABLES = (*NODE_NAMES[:5], "joint_commander", *NODE_NAMES[5:])
"""Of package `world2act`; each node's name is its executable's but for joint_commander, an arm_commander too."""
UNWATCHED: Mapping[str, float] = {"heartbeat_period": 0.0}
"""For nodes whose signs of life nobody waits for."""
WATCHED: Mapping[str, float] = {"heartbeat_period": 0.03}
"""For nodes that an arm with a profile cannot do without: it holds 0.1 s after the last one."""
MAX_DOMAIN_ID = 101  # Above it, DDS's ports run into those the system hands out by itself.


@dataclass(frozen=True)
class NodeSpec:
    """One node: its name, the executable of package `world2act` that runs it, and what it is given."""

    name: str
    executable: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""

    @property
    def module(self) -> str:
        """The Python module behind the executable."""
        return f"world2act.nodes.{self.executable}"

    @property
    def process_environment(self) -> dict[str, str]:
        """Environment variables of its process beside the graph's: its own, and its enclave when security is on."""
        return {**self.environment, **enclave_environment(self.name)}


@dataclass(frozen=True)
class GraphSpec:
    """All nodes in bring-up order: configured and then activated first to last, ended last to first."""

    kind: GraphKind
    nodes: tuple[NodeSpec, ...]
    environment: Mapping[str, str]

    def node(self, name: str) -> NodeSpec:
        """The node called `name`; KeyError when the graph has none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node {name!r} in graph {self.kind!r}; it has: {', '.join(n.name for n in self.nodes)}")

    def with_parameters(self, name: str, **parameters: ParameterValue) -> GraphSpec:
        """A copy in which node `name` has these parameters too."""
        changed = self.node(name)
        changed = replace(changed, parameters={**changed.parameters, **parameters})
        return replace(self, nodes=tuple(changed if node.name == name else node for node in self.nodes))


@dataclass(frozen=True)
class GraphOptions:
    """What people choose when they start a graph.

    robot: robosuite's name of the arm (sim). profile: robot profile, a name or a path; "": the arm takes Cartesian
    targets (lockstep always does). speed: share of the arm's speed, (0, 1]; reduced: "first", "always" or "never".
    provider: "auto", "cpu", "cuda" or "tensorrt". threads: of the engine.
    planner: "grammar", or "llm" with the llm_* parameters of skill_planner. monitor: "auto", "off", "warn" or "retry".
    residual: "on" or "off" at the start, "auto": as the bundle says; imagined_codes: file that the alignment score
    compares with, "" for the bundle's own. record: folder that the recorder writes episodes to; "": no recorder.
    """

    bundle: str = DEFAULT_BUNDLE
    lockstep: bool = False
    robot: str = "Panda"
    profile: str = ""
    speed: float = 1.0
    reduced: str = "first"
    provider: str = "cpu"
    threads: int = 1
    render: str = "fast"
    seed: int = 0
    profile_path: str = ""
    planner: str = "grammar"
    llm_base_url: str = DEFAULT_LLM_BASE_URL
    llm_model: str = ""
    llm_api_key_variable: str = "OPENAI_API_KEY"
    llm_timeout: float = 20.0
    llm_cache: str = ""
    residual: ResidualChoice = "auto"
    imagined_codes: str = ""
    monitor: str = "auto"
    record: str = ""


def fastdds_profile() -> Path:
    """The Fast DDS profile every process needs, or images larger than 512 KiB are lost."""
    return Path(str(resources.files("world2act") / "data" / "fastdds_profile.xml"))


def graph_environment(domain: int | None = None, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables of every process of a graph; what the person has set in `base` wins where that is safe."""
    environment = {
        "FASTDDS_DEFAULT_PROFILES_FILE": base.get("FASTDDS_DEFAULT_PROFILES_FILE", str(fastdds_profile())),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": base.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"),
        # One computing thread per process: five processes with a thread pool each would fight over the cores.
        "OMP_NUM_THREADS": base.get("OMP_NUM_THREADS", "1"),
        "OPENBLAS_NUM_THREADS": base.get("OPENBLAS_NUM_THREADS", "1"),
        "OMP_WAIT_POLICY": base.get("OMP_WAIT_POLICY", "PASSIVE"),
        "PYTHONUNBUFFERED": "1",
        "RCUTILS_COLORIZED_OUTPUT": "0",
    }
    if domain is not None:
        environment["ROS_DOMAIN_ID"] = str(domain)
    return environment


def _planner_parameters(options: GraphOptions) -> dict[str, ParameterValue]:
    """What skill_planner has to know; nothing about a language model unless one is to plan."""
    if options.planner != "llm":
        return {"planner": options.planner, "monitor": options.monitor}
    return {
        "planner": "llm", "llm_base_url": options.llm_base_url, "llm_model": options.llm_model,
        "llm_api_key_variable": options.llm_api_key_variable, "llm_timeout": options.llm_timeout,
        "llm_cache": options.llm_cache, "monitor": options.monitor,
    }  # fmt: skip


def _policy_parameters(options: GraphOptions) -> dict[str, ParameterValue]:
    """How vla_policy runs the bundle."""
    return {
        "provider": options.provider, "threads": options.threads, "residual": _residual_is_on(options),
        "imagined_codes": options.imagined_codes,
    }  # fmt: skip


def _residual_is_on(options: GraphOptions) -> bool:
    try:
        return read_manifest(options.bundle).residual_is_on(options.residual)
    except BundleError:
        return options.residual != "off"  # vla_policy says what is wrong with the bundle


def recorder_spec(options: GraphOptions) -> NodeSpec:
    """The recorder, as part of a graph or beside one that runs already. Raises ProfileError."""
    parameters: dict[str, ParameterValue] = {
        "bundle": options.bundle, "lockstep": options.lockstep, "folder": options.record, **UNWATCHED
    }  # fmt: skip
    if options.profile and not options.lockstep:
        profile = find_profile(options.profile)
        parameters |= {"robot_profile": profile.to_text(), **state_parameters(profile)}
        parameters["cameras"] = _cameras(options, profile)["cameras"]
    return NodeSpec("recorder", "recorder", parameters)


def build_graph(kind: GraphKind, options: GraphOptions) -> GraphSpec:
    """The graph of a kind. "real" is the same graph without the simulator: the robot's driver takes its place.

    Raises ProfileError when the options name a robot profile that cannot be read.
    """
    common: dict[str, ParameterValue] = {"lockstep": options.lockstep, "profile_path": options.profile_path}
    bundle: dict[str, ParameterValue] = {**common, "bundle": options.bundle}
    profile = find_profile(options.profile) if options.profile and not options.lockstep else None
    beat = WATCHED if profile is not None else {}
    nodes = [
        *([_simulator(options, profile, common)] if kind == "sim" else []),
        NodeSpec("camera_ingest", "camera_ingest", {**bundle, **beat, **_ingest_parameters(options, profile)}),
        NodeSpec("vla_policy", "vla_policy", {**bundle, **beat, **_policy_parameters(options)}),
        _commander(options, profile, bundle),
        *([recorder_spec(options)] if options.record else []),
        # Last, so that an instruction is accepted only when everything that carries it out is there.
        NodeSpec("skill_planner", "skill_planner", {**bundle, **beat, **_planner_parameters(options)}),
    ]
    return GraphSpec(kind, tuple(nodes), graph_environment())


def _simulator(options: GraphOptions, profile: RobotProfile | None, common: dict[str, ParameterValue]) -> NodeSpec:
    """The world behind Cartesian targets, or behind the interfaces of the profile's driver."""
    world: dict[str, ParameterValue] = {
        **common, "robot": options.robot, "render": options.render, "seed": options.seed, **UNWATCHED
    }  # fmt: skip
    rendering = {"MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    if profile is None:
        return NodeSpec("sim_bridge", "sim_bridge", world, rendering)
    return NodeSpec("sim_arm", "sim_arm", {**world, "robot_profile": options.profile}, rendering)


def _ingest_parameters(options: GraphOptions, profile: RobotProfile | None) -> dict[str, ParameterValue]:
    """Cameras, joint states and gripper of a profile; the nodes' defaults are those of sim_bridge."""
    if profile is None:
        return {}
    # An arm that moves must know at once: within two pictures of a camera with 20 Hz.
    at_once: dict[str, ParameterValue] = {"input_timeout": 0.1, "fault_after": 2, "frozen_motion": 0.01}
    return {
        **at_once, **_cameras(options, profile), **state_parameters(profile), **gripper_parameters(profile)
    }  # fmt: skip


def _cameras(options: GraphOptions, profile: RobotProfile) -> dict[str, list[str]]:
    """Sources and calibrations of the cameras that the bundle's contract has."""
    try:
        wanted = [camera.name for camera in Contract.from_yaml(Path(options.bundle) / "contract.yaml").cameras]
    except ContractError:
        wanted = None  # camera_ingest says what is wrong with the bundle
    return camera_parameters(profile, wanted)


def _commander(options: GraphOptions, profile: RobotProfile | None, bundle: dict[str, ParameterValue]) -> NodeSpec:
    if profile is None:
        return NodeSpec("arm_commander", "arm_commander", {**bundle, **UNWATCHED})
    arm: dict[str, ParameterValue] = {
        "robot": options.profile, "speed": options.speed, "reduced": options.reduced, **UNWATCHED
    }  # fmt: skip
    return NodeSpec("arm_commander", "joint_commander", {**bundle, **arm})
