"""Gazebo in place of the arm and its cameras: the world, the bridge, and what the arm's description needs besides.

Pure functions over XML, importable without ROS; `gazebo_launch.py` turns them into launch actions.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from importlib import resources
from pathlib import Path

from world2act.errors import ConfigurationError

ARM_NAME = "arm"
"""What the arm is called in Gazebo; bridge.yaml has it in a topic."""
WORLD_NAME = "WORLD_NAME"
"""Stands in bridge.yaml for the name of the world."""
CONTROL_PLUGIN = "gz_ros2_control-system"


def gazebo_file(name: str) -> Path:
    """One of `tabletop.sdf`, `bridge.yaml`, `arm_parts.urdf`."""
    return Path(str(resources.files("world2act") / "data" / "gazebo" / name))


def base_pose(world: Path) -> tuple[float, ...]:
    """Where the arm's base stands in a world file: x, y, z [m], roll, pitch, yaw [rad] of its frame `arm_base`.

    Raises ConfigurationError when the file cannot be read or has no such frame.
    """
    text = _read_world(world).findtext("frame[@name='arm_base']/pose")
    if text is None:
        raise ConfigurationError(
            f"the world {world} does not say where the arm stands",
            "add <frame name='arm_base'><pose>x y z roll pitch yaw</pose></frame> to its <world>",
        )
    return tuple(float(value) for value in text.split())


def bridge_for_world(world: Path) -> str:
    """bridge.yaml for a world file: Gazebo puts the world's name into the topic of the joint states.

    Raises ConfigurationError when the file cannot be read or names its world so that no topic can have the name.
    """
    name = _read_world(world).get("name", "")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ConfigurationError(
            f"the world {world} is called {name!r}, which cannot be part of a topic: no joint state would arrive",
            "give its <world name='...'> letters, digits and underscores",
        )
    return gazebo_file("bridge.yaml").read_text().replace(WORLD_NAME, name)


def _read_world(path: Path) -> ElementTree.Element:
    """The one world of an SDF file."""
    try:
        worlds = ElementTree.parse(path).getroot().findall("world")
    except (OSError, ElementTree.ParseError) as error:
        raise ConfigurationError(f"the world {path} cannot be read: {error}", "give world:= an SDF file") from error
    if len(worlds) != 1:
        raise ConfigurationError(f"{path} has {len(worlds)} worlds", "give world:= an SDF file with one <world>")
    return worlds[0]


def arm_for_gazebo(description: Path, tool_link: str) -> str:
    """The arm's URDF with what Gazebo needs besides: fixed to the world, a wrist camera, joint states for the bridge.

    description: a plain URDF (run xacro first) with a `<ros2_control>` block for gz_ros2_control; tool_link: its link
    between the fingertips, which carries the camera. Raises ConfigurationError naming what the file lacks.
    """
    robot = _read_urdf(description)
    links = [link.get("name", "") for link in robot.findall("link")]
    if tool_link not in links:
        raise ConfigurationError(
            f"{description} has no link {tool_link!r}; it has {', '.join(links)}",
            "give tool_link:= the link between the fingertips",
        )
    if not any(CONTROL_PLUGIN in plugin.get("filename", "") for plugin in robot.iter("plugin")):
        raise ConfigurationError(
            f"{description} has no plugin {CONTROL_PLUGIN}, so nothing in Gazebo would move its joints",
            "add <gazebo><plugin> and <ros2_control> as gz_ros2_control's documentation says; most vendors' xacro "
            "files have an argument for it",
        )
    for part in _parts(tool_link, _root_link(robot, links, description)):
        robot.append(part)
    return ElementTree.tostring(robot, encoding="unicode")


def _read_urdf(path: Path) -> ElementTree.Element:
    try:
        robot = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ConfigurationError(
            f"the robot description {path} cannot be read: {error}", "give robot_description:= a URDF file"
        ) from error
    if robot.tag != "robot" or path.suffix == ".xacro":
        raise ConfigurationError(
            f"{path} is not a plain URDF", f"make one first: xacro {path.name} > {path.stem.split('.')[0]}.urdf"
        )
    return robot


def _root_link(robot: ElementTree.Element, links: list[str], description: Path) -> str:
    children = {child.get("link") for child in robot.findall("joint/child")}
    roots = [name for name in links if name not in children]
    if len(roots) != 1:
        raise ConfigurationError(
            f"{description} has {len(roots)} links without a parent ({', '.join(roots)}), an arm has one",
            "check its joints",
        )
    return roots[0]


def _parts(tool_link: str, root_link: str) -> list[ElementTree.Element]:
    """The elements of arm_parts.urdf, attached to this arm."""
    text = gazebo_file("arm_parts.urdf").read_text().replace("TOOL_LINK", tool_link).replace("ROOT_LINK", root_link)
    parts = list(ElementTree.fromstring(text))
    if root_link == "world":  # it is fixed already
        fixing = ("world", "world2act_base")
        parts = [part for part in parts if part.get("name") not in fixing]
    return parts
