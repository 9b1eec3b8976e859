"""The parts of a robot profile besides its command interface."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from world2act_core.robot.commands import GripperInterface
from world2act_core.robot.fields import Box, KeepOutBox, Offset, Point, ProfileModel, ProfilePath, Topic
from world2act_core.robot.gripper_scale import GripperScale


class JointSpec(ProfileModel):
    """One joint, in the driver's order. Revolute joints in rad, prismatic ones in m."""

    name: str = Field(min_length=1, description="Name in the driver's joint_states")
    position: tuple[float, float] = Field(description="Lowest and highest position [rad]")
    velocity: float = Field(gt=0, description="Largest velocity, both ways [rad/s]")
    acceleration: float = Field(gt=0, description="Largest acceleration, both ways [rad/s^2]")
    jerk: float = Field(gt=0, description="Largest jerk, both ways [rad/s^3]")

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        low, high = self.position
        if not low < high:
            raise ValueError(f"joint {self.name!r}: position [{low}, {high}] must be [lowest, highest]")
        return self


class Frames(ProfileModel):
    """Names of frames, as the driver and tf give them; they go into message headers."""

    base: str = Field(min_length=1, description="The arm's base: x forward, y left, z up; every pose is in it")
    end_effector: str = Field(
        min_length=1,
        description="The point between the fingertips; if twists are sent in it, the frame of `model.eef_offset`",
    )


class StateSpec(ProfileModel):
    """What the driver says about the arm."""

    joint_states: Topic = Field(default="joint_states", description="Topic of sensor_msgs/JointState")
    min_rate_hz: float = Field(default=50.0, gt=0, description="Slower joint states are a fault of the driver [Hz]")
    e_stop: Topic | None = Field(
        default="e_stop", description="Topic of std_msgs/Bool, true: stop now; empty (null): the driver has none"
    )


class GripperSpec(ProfileModel):
    """How far the gripper opens, how the driver says so and how it is told. In commands of the graph +1 closes."""

    joints: tuple[str, ...] = Field(
        min_length=1, description="Joints of joint_states whose positions add up to the reading of the opening"
    )
    reading_open: float = Field(description="That sum when the gripper is open [m or rad]")
    reading_closed: float = Field(description="That sum when it is closed [m or rad]")
    width_open: float = Field(gt=0, description="Distance between the fingertips when open [m]")
    width_closed: float = Field(default=0.0, ge=0, description="Distance between the fingertips when closed [m]")
    command: GripperInterface = Field(description="Who takes the command")
    command_open: float = Field(description="What the driver is sent to open [its unit]")
    command_closed: float = Field(description="What the driver is sent to close [its unit]; this fixes the sign")
    max_effort: float = Field(
        gt=0, description="Largest force or torque, where the interface has a field for it [N or N m]"
    )
    max_speed: float = Field(gt=0, description="Largest change of the opening [m/s]")

    @model_validator(mode="after")
    def _open_is_not_closed(self) -> Self:
        if self.command_open == self.command_closed:
            raise ValueError(f"command_open and command_closed are both {self.command_open}: they must differ")
        _ = self.scale
        return self

    @property
    def scale(self) -> GripperScale:
        """From a reading to the distance between the fingertips."""
        return GripperScale(self.reading_open, self.reading_closed, self.width_open, self.width_closed)

    def width(self, reading: float) -> float:
        """Distance between the fingertips [m] for a reading (the sum of the joints' positions), not clipped."""
        return self.scale.width(reading)

    def driver_value(self, gripper: float) -> float:
        """What the driver is sent for a command in [-1, 1] (+1 closes); commands outside are clipped."""
        share = (min(1.0, max(-1.0, gripper)) + 1.0) / 2.0
        return self.command_open + share * (self.command_closed - self.command_open)


class Workspace(Box):
    """Where the end effector may be, and what stands in its way."""

    keep_out: tuple[KeepOutBox, ...] = Field(
        default=(), description="Boxes that neither end effector nor elbow may enter"
    )
    table_height: float | None = Field(
        default=None, description="Height of the table's surface in the base frame [m]; empty (null): there is no table"
    )


class SpeedSpec(ProfileModel):
    """How fast the end effector may be."""

    max_eef: float = Field(gt=0, description="Largest speed of the end effector [m/s]")
    reduced_eef: float = Field(
        default=0.25, gt=0, description="Largest speed during the first run with a bundle this robot has not seen [m/s]"
    )


class CollisionSpec(ProfileModel):
    """Distances that are kept; they need the `model`."""

    self_margin: float = Field(default=0.01, ge=0, description="Between parts of the arm [m]")
    table_margin: float = Field(default=0.01, ge=0, description="Between arm and table [m]")


class HoldSpec(ProfileModel):
    """What hold means for this driver. The arm always comes to rest inside its limits first."""

    at_rest: Literal["repeat", "silent"] = Field(
        default="repeat",
        description="At rest: repeat the last position, or send nothing because the driver holds by itself",
    )
    gripper: Literal["keep"] = Field(default="keep", description="The gripper keeps its last command")


class CameraSource(ProfileModel):
    """One camera of the robot's set; the bundle's contract says which of them a policy sees, and how large."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="The contract's name of the camera")
    view: Literal["scene", "wrist"] = Field(description="What it looks at: the scene, or from the wrist")
    kind: Literal["topic", "compressed_topic", "device", "rtsp", "file"] = Field(
        description="sensor_msgs/Image topic, sensor_msgs/CompressedImage topic, V4L2 device, RTSP stream or video file"
    )
    source: str = Field(min_length=1, description="The topic, /dev path or number, address or file of that kind")
    camera_info: Topic | None = Field(
        default=None, description="Topic of sensor_msgs/CameraInfo, for a driver's camera"
    )
    calibration: ProfilePath | None = Field(
        default=None, description="Calibration file (camera_info YAML), relative to the profile; rectifies the picture"
    )
    width: int | None = Field(default=None, gt=0, le=8192, description="Width asked of a device [px]")
    height: int | None = Field(default=None, gt=0, le=8192, description="Height asked of a device [px]")
    fps: float | None = Field(
        default=None, gt=0, le=1000, description="Rate asked of a device, expected of a topic [Hz]"
    )


class ToolBox(ProfileModel):
    """A box along the axes of `eef_body`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="What it is; named when it comes too close")
    centre: Point = Field(description="Its centre, x y z in the frame of `eef_body` [m]")
    size: Point = Field(description="Its full extent along x y z [m]")

    @model_validator(mode="after")
    def _has_a_volume(self) -> Self:
        if min(self.size) <= 0:
            raise ValueError(f"tool {self.name!r}: every number of size {list(self.size)} must be positive")
        return self


class ModelSpec(ProfileModel):
    """The MuJoCo model for kinematics and distances. A profile without one cannot be run yet."""

    mjcf: ProfilePath = Field(
        description="`robosuite:NAME` for an arm of the robosuite wheel, or an MJCF file relative to the profile"
    )
    base_body: str = Field(default="base", description="Body whose frame is the base frame")
    elbow_body: str = Field(description="Body whose origin is the elbow")
    eef_body: str = Field(description="Body that the end effector is fixed to")
    eef_offset: Offset = Field(default=Offset(), description="End effector in the frame of that body")
    tool: tuple[ToolBox, ...] = Field(
        default=(), description="Boxes that stand for gripper and camera, fixed to `eef_body`; they keep distance too"
    )
    joints: dict[str, str] = Field(description="Joint of the driver: joint of the model, for every joint of the arm")
    ignore_pairs: tuple[tuple[str, str], ...] = Field(
        default=(),
        description="Pairs of bodies, or tools by name, that are close by design; no distance is kept between them",
    )
