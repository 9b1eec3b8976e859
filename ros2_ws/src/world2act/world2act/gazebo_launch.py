"""gazebo.launch.py's content: Gazebo with the table, the arm in it, the bridge, and the graph of a real arm above."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from world2act.errors import ConfigurationError
from world2act.gazebo import ARM_NAME, arm_for_gazebo, base_pose, bridge_for_world, gazebo_file

ARGUMENTS = {
    "robot_description": (None, "URDF of the arm, with ros2_control for Gazebo (needed)"),
    "tool_link": (None, "Its link between the fingertips, which carries the wrist camera (needed)"),
    "controllers": ("joint_trajectory_controller", "ros2_control controllers to start, separated by spaces"),
    "world": ("", "SDF world; empty: the Tabletop"),
    "gz_args": ("-r", "Arguments of gz sim: -r starts at once, -s runs without a window"),
}
"""Name -> default (None: has to be given) and meaning. The arguments of real_robot.launch.py are taken too."""


def generate(folder: Path) -> Any:
    """A LaunchDescription; `folder` holds real_robot.launch.py."""
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    from launch import LaunchDescription

    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=lambda context: _actions(folder, context))])


def _actions(folder: Path, context: Any) -> list[Any]:
    chosen = {name: context.launch_configurations[name] for name in ARGUMENTS}
    world = Path(chosen["world"]) if chosen["world"] else gazebo_file("tabletop.sdf")
    pose, bridge = base_pose(world), bridge_for_world(world)
    description = arm_for_gazebo(Path(chosen["robot_description"]), chosen["tool_link"])
    return [
        _include(share("ros_gz_sim") / "launch" / "gz_sim.launch.py", gz_args=f"{chosen['gz_args']} {world}"),
        *_arm(description, pose),
        _bridge(bridge),
        *(_controller(name) for name in chosen["controllers"].split()),
        # Whatever was given on the command line for it (robot, bundle, speed, ...) reaches it by itself.
        _include(folder / "real_robot.launch.py"),
    ]


def share(package: str) -> Path:
    """The share folder of an installed ROS package; ConfigurationError when it is not installed."""
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        return Path(get_package_share_directory(package))
    except (PackageNotFoundError, OSError) as error:  # OSError: no ROS 2 in this shell at all
        raise ConfigurationError(
            f"the ROS package {package} is not installed",
            "source your ROS 2 and install Gazebo for it: "
            "apt install ros-$ROS_DISTRO-ros-gz ros-$ROS_DISTRO-gz-ros2-control",
        ) from error


def _include(path: Path, **arguments: str) -> Any:
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    return IncludeLaunchDescription(PythonLaunchDescriptionSource(str(path)), launch_arguments=arguments.items())


def _arm(description: str, pose: tuple[float, ...]) -> list[Any]:
    from launch_ros.actions import Node

    flags = ("-x", "-y", "-z", "-R", "-P", "-Y")
    where = [word for flag, value in zip(flags, pose, strict=True) for word in (flag, str(value))]
    return [
        Node(
            package="robot_state_publisher", executable="robot_state_publisher", output="both",
            parameters=[{"robot_description": description}],
        ),
        Node(
            package="ros_gz_sim", executable="create", output="both",
            arguments=["-topic", "robot_description", "-name", ARM_NAME, *where],
        ),
    ]  # fmt: skip


def _bridge(configuration: str) -> Any:
    from launch_ros.actions import Node

    folder = tempfile.mkdtemp(prefix="world2act-gazebo-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # launch ends after the bridge
    file = Path(folder) / "bridge.yaml"
    file.write_text(configuration)
    # The graph lives in wall time, as with a real arm; Gazebo's own stamps start at zero.
    return Node(
        package="ros_gz_bridge", executable="parameter_bridge", name="gazebo_bridge", output="both",
        parameters=[{"config_file": str(file), "override_timestamps_with_wall_time": True}],
    )  # fmt: skip


def _controller(name: str) -> Any:
    from launch_ros.actions import Node

    # It waits for the controller manager, which comes with the arm.
    return Node(package="controller_manager", executable="spawner", arguments=[name], output="both")
