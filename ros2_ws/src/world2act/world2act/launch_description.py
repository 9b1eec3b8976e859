"""The graph as a ROS 2 launch description, for people with ROS 2 installed (launch is not on PyPI)."""

from __future__ import annotations

from typing import Any

from world2act.graph import DEFAULT_BUNDLE, DEFAULT_LLM_BASE_URL, GraphKind, GraphOptions, GraphSpec, build_graph

ARGUMENTS = {
    "bundle": (DEFAULT_BUNDLE, "Folder of the policy bundle"),
    "lockstep": ("false", "One control step at a time (reproducible) instead of real time"),
    "robot": ("Panda", "Arm of the simulator"),
    "provider": ("cpu", "Engine: auto, cpu, cuda or tensorrt"),
    "residual": ("on", "Whether the bundle's residual corrects the policy at the start: on or off"),
    "imagined_codes": ("", "File of imagined codes for the alignment score; empty: the bundle's own"),
    "planner": ("grammar", "What turns an instruction into skills: grammar or llm"),
    "llm_base_url": (DEFAULT_LLM_BASE_URL, "Address of an OpenAI-compatible server, up to /v1 (planner llm)"),
    "llm_model": ("", "Name of the language model there (planner llm)"),
    "llm_api_key_variable": ("OPENAI_API_KEY", "Environment variable that holds the server's key; empty: none"),
    "monitor": ("auto", "What an alarm of the bundle's monitor does: auto, off, warn or retry"),
}


def generate(kind: GraphKind) -> Any:
    """A LaunchDescription of the graph: starts every node, then configures and activates them in order."""
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    from launch import LaunchDescription

    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=lambda context: _actions(kind, context))])


def _actions(kind: GraphKind, context: Any) -> list[Any]:
    from launch.actions import ExecuteProcess, SetEnvironmentVariable
    from launch_ros.actions import LifecycleNode

    chosen = {name: context.launch_configurations[name] for name in ARGUMENTS}
    options = GraphOptions(
        bundle=chosen["bundle"],
        lockstep=chosen["lockstep"].lower() in ("1", "true", "yes"),
        robot=chosen["robot"],
        provider=chosen["provider"],
        residual=chosen["residual"].lower(),
        imagined_codes=chosen["imagined_codes"],
        planner=chosen["planner"],
        llm_base_url=chosen["llm_base_url"],
        llm_model=chosen["llm_model"],
        llm_api_key_variable=chosen["llm_api_key_variable"],
        monitor=chosen["monitor"],
    )
    graph = build_graph(kind, options)
    actions: list[Any] = [SetEnvironmentVariable(name, value) for name, value in graph.environment.items()]
    for node in graph.nodes:
        actions.append(
            LifecycleNode(
                package="world2act", executable=node.executable, name=node.name, namespace="", output="both",
                parameters=[dict(node.parameters)], additional_env=dict(node.environment),
            )
        )  # fmt: skip
    # The same ordered bring-up as `world2act up`, from the same code.
    actions.append(ExecuteProcess(cmd=bring_up_command(graph), output="both"))
    return actions


def bring_up_command(graph: GraphSpec) -> list[str]:
    """The process that configures and activates the nodes in order and then ends."""
    import sys

    return [sys.executable, "-m", "world2act.supervision.bring_up", *(node.name for node in graph.nodes)]
