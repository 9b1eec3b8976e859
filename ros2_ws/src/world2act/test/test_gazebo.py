"""Gazebo's world against the MuJoCo world, and the bridge against the graph. Gazebo itself cannot be installed here."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosgraph_msgs.msg import Clock
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image, JointState

from world2act import topics
from world2act.errors import ConfigurationError
from world2act.gazebo import ARM_NAME, arm_for_gazebo, base_pose, bridge_for_world, gazebo_file
from world2act_core.calibration import CameraCalibration
from world2act_core.tabletop import tabletop_contract
from world2act_sim.catalogue import CATALOGUE
from world2act_sim.world import TabletopWorld, WorldConfig

GAZEBO_TYPES = {
    "Clock": "gz.msgs.Clock",
    "Image": "gz.msgs.Image",
    "CameraInfo": "gz.msgs.CameraInfo",
    "JointState": "gz.msgs.Model",
}
"""ROS type -> Gazebo's, as ros_gz_bridge's own table pairs them."""

ARM = """<robot name="two_link">
  <link name="base"/><link name="tool"/>
  <joint name="j" type="revolute"><parent link="base"/><child link="tool"/></joint>
  <gazebo><plugin filename="gz_ros2_control-system" name="gz_ros2_control::GazeboSimROS2ControlPlugin"/></gazebo>
</robot>"""


@pytest.fixture(scope="module")
def mujoco_world() -> Iterator[TabletopWorld]:
    world = TabletopWorld(WorldConfig(render="none"))
    yield world
    world.close()


@pytest.fixture(scope="module")
def sdf() -> ElementTree.Element:
    return ElementTree.parse(gazebo_file("tabletop.sdf")).getroot().find("world")


def numbers(text: str | None) -> list[float]:
    return [float(value) for value in (text or "0 0 0 0 0 0").split()]


def write(folder: Path, text: str, name: str = "arm.urdf") -> Path:
    (folder / name).write_text(text)
    return folder / name


def extents_of(geometry: ElementTree.Element) -> list[float]:
    """Length along x, y, z of a box, an upright cylinder or a sphere, metres."""
    if geometry.find("box") is not None:
        return numbers(geometry.findtext("box/size"))
    if geometry.find("sphere") is not None:
        return [2 * float(geometry.findtext("sphere/radius"))] * 3
    width = 2 * float(geometry.findtext("cylinder/radius"))
    return [width, width, float(geometry.findtext("cylinder/length"))]


def assert_camera(sensor: ElementTree.Element, pose: list[float], seen: CameraCalibration, size: int) -> None:
    """pose: of the sensor in the calibration's frame. Gazebo's cameras look along x, ours along z with y down."""
    right, down, forward = np.array(seen.rotation).T
    np.testing.assert_allclose(pose[:3], seen.position, atol=1e-6)
    gazebo = Rotation.from_euler("xyz", pose[3:]).as_matrix()
    np.testing.assert_allclose(gazebo, np.stack([forward, -right, -down], axis=1), atol=2e-6)
    assert float(sensor.findtext("camera/horizontal_fov")) == pytest.approx(2 * math.atan(0.5 / seen.fx), abs=1e-6)
    image = sensor.find("camera/image")
    assert [image.findtext("width"), image.findtext("height")] == [str(size)] * 2
    assert image.findtext("format") == "R8G8B8", "the graph takes rgb8 only"


def test_the_table_and_the_arms_place(mujoco_world: TabletopWorld, sdf: ElementTree.Element) -> None:
    model, data = mujoco_world.model, mujoco_world.data
    geom = model.geom("table_collision")
    table = sdf.find("model[@name='table']")
    centre = data.geom_xpos[geom.id]
    np.testing.assert_allclose(numbers(table.findtext("pose"))[:3], centre, atol=1e-9)
    size = numbers(table.findtext("link/collision[@name='top']/geometry/box/size"))
    np.testing.assert_allclose(size, 2 * geom.size, atol=1e-9)
    base = base_pose(gazebo_file("tabletop.sdf"))
    np.testing.assert_allclose(base[:3], mujoco_world.to_world(np.zeros(3)), atol=1e-9)
    np.testing.assert_allclose(base[3:], 0)


def test_the_cameras(mujoco_world: TabletopWorld, sdf: ElementTree.Element) -> None:
    seen = mujoco_world.calibrations()
    size = mujoco_world.config.image_size
    camera = sdf.find("model[@name='scene_camera']")
    pose = numbers(camera.findtext("pose"))
    pose[:3] = mujoco_world.to_base(np.array(pose[:3])).tolist()
    assert_camera(camera.find("link/sensor"), pose, seen["scene"], size)
    parts = ElementTree.parse(gazebo_file("arm_parts.urdf")).getroot()
    origin = parts.find("joint[@name='world2act_wrist_camera_joint']/origin")
    pose = numbers(origin.get("xyz")) + numbers(origin.get("rpy"))
    assert_camera(parts.find("gazebo/sensor"), pose, seen["wrist"], size)


def test_the_objects_are_those_of_the_catalogue(mujoco_world: TabletopWorld, sdf: ElementTree.Element) -> None:
    """What can move has the catalogue's shape, size and colour, and stands on the table."""
    table_top = 0.8
    names = {spec.identifier: spec for spec in CATALOGUE.values()}
    moving = [model for model in sdf.findall("model") if model.find("static") is None]
    assert len(moving) == 6
    for model in moving:
        spec, shape = names[model.get("name")], model.find("link/collision/geometry")
        boxes = {
            "box": lambda shape=shape: numbers(shape.findtext("box/size")),
            "cylinder": lambda shape=shape: (
                [2 * float(shape.findtext("cylinder/radius"))] * 2 + [float(shape.findtext("cylinder/length"))]
            ),
            "ball": lambda shape=shape: [2 * float(shape.findtext("sphere/radius"))] * 3,
        }
        extents = boxes[spec.shape]()
        np.testing.assert_allclose(extents, 2 * np.array(spec.size), atol=1e-9, err_msg=spec.name)
        assert numbers(model.findtext("link/visual/material/diffuse")) == list(spec.rgba), spec.name
        assert numbers(model.findtext("pose"))[2] == pytest.approx(table_top + extents[2] / 2), spec.name
    for name, geom in (("bin", "bin_floor"), ("plate", "plate_rim")):
        assert numbers(sdf.findtext(f"model[@name='{name}']/pose"))[2] == table_top
        width = extents_of(sdf.find(f"model[@name='{name}']/link/collision/geometry"))[0]
        assert width == pytest.approx(2 * mujoco_world.model.geom(geom).size[0])


def test_the_bridge_carries_what_the_graph_reads() -> None:
    entries = yaml.safe_load(bridge_for_world(gazebo_file("tabletop.sdf")))
    cameras = [camera.name for camera in tabletop_contract().cameras]
    wanted = {topics.CLOCK: Clock, topics.JOINT_STATES: JointState}
    for camera in cameras:
        wanted[topics.image_topic(camera)] = Image
        wanted[topics.image_topic(camera).replace("image_raw", "camera_info")] = CameraInfo
    assert {entry["ros_topic_name"] for entry in entries} == set(wanted)
    for entry in entries:
        message = wanted[entry["ros_topic_name"]]
        package = message.__module__.partition(".")[0]
        assert entry["ros_type_name"] == f"{package}/msg/{message.__name__}"
        assert entry["gz_type_name"] == GAZEBO_TYPES[message.__name__]
        assert entry["direction"] == "GZ_TO_ROS", "commands go to gz_ros2_control, not through the bridge"


def test_everything_bridged_is_published_in_gazebo(sdf: ElementTree.Element) -> None:
    parts = ElementTree.parse(gazebo_file("arm_parts.urdf")).getroot()
    published = {"/clock", f"/world/{sdf.get('name')}/model/{ARM_NAME}/joint_state"}
    for root in (sdf, parts):
        for element in (*root.iter("topic"), *root.iter("camera_info_topic")):
            published.add(f"/{element.text}")
    bridged = {entry["gz_topic_name"] for entry in yaml.safe_load(bridge_for_world(gazebo_file("tabletop.sdf")))}
    assert bridged == published


def test_an_arm_gets_what_it_lacks(tmp_path: Path) -> None:
    robot = ElementTree.fromstring(arm_for_gazebo(write(tmp_path, ARM), "tool"))
    joints = {joint.get("name"): joint for joint in robot.findall("joint")}
    fixing, camera = joints["world2act_base"], joints["world2act_wrist_camera_joint"]
    assert (fixing.find("parent").get("link"), fixing.find("child").get("link")) == ("world", "base")
    assert camera.find("parent").get("link") == "tool"
    assert "JointStatePublisher" in ElementTree.tostring(robot, encoding="unicode")
    fixed = ARM.replace('"base"', '"world"')
    robot = ElementTree.fromstring(arm_for_gazebo(write(tmp_path, fixed), "tool"))
    assert [link.get("name") for link in robot.findall("link")].count("world") == 1
    assert "world2act_base" not in {joint.get("name") for joint in robot.findall("joint")}


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (ARM, "arm.urdf.xacro", "is not a plain URDF.*xacro arm.urdf.xacro > arm.urdf"),
        ("<robot", "arm.urdf", "cannot be read"),
        (ARM.replace('"tool"', '"hand"'), "arm.urdf", "no link 'tool'; it has base, hand"),
        (ARM.replace("gz_ros2_control-system", "other"), "arm.urdf", "no plugin gz_ros2_control-system"),
        (ARM.replace('<link name="base"/>', '<link name="base"/><link name="loose"/>'), "arm.urdf", "2 links without"),
    ],
)
def test_descriptions_that_cannot_work_are_refused(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        arm_for_gazebo(write(tmp_path, text, name), "tool")


def test_worlds_without_a_place_for_the_arm_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not say where the arm stands"):
        base_pose(write(tmp_path, "<sdf><world name='w'/></sdf>"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        base_pose(tmp_path / "none.sdf")
    with pytest.raises(ConfigurationError, match="has 2 worlds"):
        base_pose(write(tmp_path, "<sdf><world name='a'/><world name='b'/></sdf>"))


@pytest.mark.parametrize("name", ["", "my kitchen", "a/b", "a: b"])
def test_worlds_whose_name_fits_no_topic_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"is called '{name}', which cannot be part of a topic"):
        bridge_for_world(write(tmp_path, f"<sdf><world name='{name}'/></sdf>"))
