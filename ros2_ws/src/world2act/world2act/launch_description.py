"""The graph as a ROS 2 launch description, for people with ROS 2 installed (launch is not on PyPI)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, cast, get_args

from world2act.arm_choice import CARTESIAN, chosen_arm
from world2act.graph import (
    DEFAULT_BUNDLE,
    DEFAULT_LLM_BASE_URL,
    GraphKind,
    GraphOptions,
    GraphSpec,
    build_graph,
    graph_environment,
    recorder_spec,
)
from world2act.launch_supervised import SUPERVISE, SUPERVISE_ARGUMENT, is_true, supervised_actions
from world2act_core.manifest import ResidualChoice

Arguments = Mapping[str, tuple[str, str]]
ARGUMENTS = {
    "bundle": (DEFAULT_BUNDLE, "Folder of the policy bundle"),
    "lockstep": ("false", "One control step at a time (reproducible) instead of real time"),
    "robot": ("", "Robot profile: a name or a file (real: needed; sim: sim_panda, or robosuite's name of another arm)"),
    "speed": ("1.0", "Share of the arm's speed that is allowed, 0.01 to 1"),
    "reduced": (
        "first",
        "When the hand keeps to the profile's reduced speed: first (run with a bundle), always, never",
    ),
    "provider": ("cpu", "Engine: auto, cpu, cuda or tensorrt"),
    "residual": (
        "auto",
        "Whether the bundle's residual corrects the policy at the start: on, off or auto (the bundle's)",
    ),
    "imagined_codes": ("", "File of imagined codes for the alignment score; empty: the bundle's own"),
    "planner": ("grammar", "What turns an instruction into skills: grammar or llm"),
    "llm_base_url": (DEFAULT_LLM_BASE_URL, "Address of an OpenAI-compatible server, up to /v1 (planner llm)"),
    "llm_model": ("", "Name of the language model there (planner llm)"),
    "llm_api_key_variable": ("OPENAI_API_KEY", "Environment variable that holds the server's key; empty: none"),
    "llm_timeout": ("20.0", "Seconds, retries included, after which the grammar plans instead (planner llm)"),
    "llm_cache": ("", "Folder that keeps the model's answers, so that they repeat; empty: none (planner llm)"),
    "monitor": ("auto", "What an alarm of the bundle's monitor does: auto, off, warn or retry"),
    "record": ("", "Folder that every episode is recorded to; empty: no recorder"),
    SUPERVISE: SUPERVISE_ARGUMENT,
}
RECORD_ARGUMENTS = {
    "bundle": (DEFAULT_BUNDLE, "Folder of the policy bundle that the running graph uses"),
    "lockstep": ("false", "Whether the running graph is in lockstep"),
    "folder": ("runs/recordings", "Where recordings go"),
    "robot": ("", "Robot profile that the running graph uses, a name or a file, kept in every recording; empty: none"),
}
REPLAY_ARGUMENTS = {
    "file": ("", "The recording (*.mcap)"),
    "bundle": (DEFAULT_BUNDLE, "Folder of the policy bundle that it was recorded with"),
    "json": ("", "File for the result; empty: none"),
}


def generate(kind: GraphKind) -> Any:
    """A LaunchDescription of the graph, brought up in order: supervised in one process, or node by node."""
    return _description(ARGUMENTS, lambda chosen: _graph_actions(kind, chosen))


def generate_record() -> Any:
    """A LaunchDescription of a recorder beside a graph that runs already."""
    return _description(RECORD_ARGUMENTS, _record_actions)


def generate_replay() -> Any:
    """A LaunchDescription that plays a recording through vla_policy and compares what comes out."""
    return _description(REPLAY_ARGUMENTS, _replay_actions)


def _description(arguments: Arguments, actions: Callable[[dict[str, str]], list[Any]]) -> Any:
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    from launch import LaunchDescription

    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in arguments.items()
    ]

    def chosen(context: Any) -> list[Any]:
        return actions({name: context.launch_configurations[name] for name in arguments})

    return LaunchDescription([*declared, OpaqueFunction(function=chosen)])


def _graph_actions(kind: GraphKind, chosen: dict[str, str]) -> list[Any]:
    if is_true(chosen[SUPERVISE]):
        return supervised_actions(kind, chosen)
    arm = {"robot": "Panda", "profile": "", **chosen_arm(kind, chosen["robot"])}
    options = GraphOptions(
        bundle=chosen["bundle"],
        lockstep=is_true(chosen["lockstep"]),
        robot=arm["robot"],
        profile=arm["profile"],
        speed=float(chosen["speed"]),
        reduced=chosen["reduced"],
        provider=chosen["provider"],
        residual=_residual(chosen["residual"].lower()),
        imagined_codes=chosen["imagined_codes"],
        planner=chosen["planner"],
        llm_base_url=chosen["llm_base_url"],
        llm_model=chosen["llm_model"],
        llm_api_key_variable=chosen["llm_api_key_variable"],
        llm_timeout=float(chosen["llm_timeout"]),
        llm_cache=chosen["llm_cache"],
        monitor=chosen["monitor"],
        record=chosen["record"],
    )
    return _node_actions(build_graph(kind, options))


def _record_actions(chosen: dict[str, str]) -> list[Any]:
    # A simulated arm without a profile has a name of robosuite's: nothing to keep.
    profile = chosen_arm("real", chosen["robot"])["profile"] if chosen["robot"] not in ("", *CARTESIAN) else ""
    options = GraphOptions(chosen["bundle"], is_true(chosen["lockstep"]), profile=profile, record=chosen["folder"])
    return _node_actions(GraphSpec("real", (recorder_spec(options),), graph_environment()))


def _replay_actions(chosen: dict[str, str]) -> list[Any]:
    from launch.actions import ExecuteProcess

    command = [sys.executable, "-m", "world2act.cli.main", "replay", chosen["file"], "--bundle", chosen["bundle"]]
    return [ExecuteProcess(cmd=command + (["--json", chosen["json"]] if chosen["json"] else []), output="both")]


def _residual(text: str) -> ResidualChoice:
    for choice in get_args(ResidualChoice):
        if text == choice:
            return cast(ResidualChoice, choice)
    raise ValueError(f"residual:={text} is not known: say on, off or auto")


def _node_actions(graph: GraphSpec) -> list[Any]:
    from launch.actions import ExecuteProcess, SetEnvironmentVariable
    from launch_ros.actions import Node

    actions: list[Any] = [SetEnvironmentVariable(name, value) for name, value in graph.environment.items()]
    for node in graph.nodes:
        # No LifecycleNode: with it launch itself joins the graph, and cannot be told in which enclave.
        actions.append(
            Node(
                package="world2act", executable=node.executable, name=node.name, namespace="", output="both",
                parameters=[dict(node.parameters)], additional_env=node.process_environment,
            )
        )  # fmt: skip
    # The same ordered bring-up as `world2act up`, from the same code.
    actions.append(ExecuteProcess(cmd=bring_up_command(graph), output="both"))
    return actions


def bring_up_command(graph: GraphSpec) -> list[str]:
    """The process that configures and activates the nodes in order and then ends."""
    return [sys.executable, "-m", "world2act.supervision.bring_up", *(node.name for node in graph.nodes)]
