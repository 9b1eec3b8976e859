"""A robot profile: everything the graph must know about one arm, as one YAML file that is data and never executed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from world2act_core.contract import describe_validation_error
from world2act_core.robot.commands import ArmInterface
from world2act_core.robot.fields import FOLDER, ProfileModel
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.parts import (
    CameraSource,
    CollisionSpec,
    Frames,
    GripperSpec,
    HoldSpec,
    JointSpec,
    ModelSpec,
    SpeedSpec,
    StateSpec,
    Workspace,
)
from world2act_core.robot.safety_spec import SafetySpec

GIVE_A_MODEL = "Give `model.mjcf` an MJCF file of the arm: docs/how-to/your-own-arm.md, section 4, says how"
"""What to do about a profile that cannot be run because it has no model."""


class ProfileError(ValueError):
    """A profile that cannot be found, read or used; the message says where, what is wrong and what to do."""


class RobotProfile(ProfileModel):
    """One arm with its gripper, cameras, surroundings and driver. Poses and boxes are in the base frame, metres."""

    schema_version: Literal[1] = Field(default=1, description="Version of this format")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the profile, as `--robot` takes it")
    vendor: str = Field(min_length=1, description="Who makes the arm")
    product: str = Field(min_length=1, description="The vendor's name of the arm")
    figures_from: str = Field(min_length=1, description="Where the limits are from, and which of them are ours")
    contract_robots: tuple[str, ...] = Field(
        min_length=1, description="`robot` of the contracts that this arm can carry out: what a bundle was trained on"
    )
    joints: tuple[JointSpec, ...] = Field(min_length=1, description="The arm's joints, in the driver's order")
    frames: Frames = Field(description="Names of base and end effector")
    state: StateSpec = Field(default=StateSpec(), description="What the driver publishes")
    command: ArmInterface = Field(description="What the driver takes")
    command_hz: float = Field(ge=20, le=1000, description="How often the arm is sent a command [Hz]")
    home: tuple[float, ...] = Field(description="Joint positions to start from, one per joint [rad]")
    gripper: GripperSpec = Field(description="The gripper")
    workspace: Workspace = Field(description="Where the arm may be")
    speed: SpeedSpec = Field(description="How fast the end effector may be")
    collision: CollisionSpec = Field(default=CollisionSpec(), description="Distances that are kept")
    safety: SafetySpec = Field(default=SafetySpec(), description="How strict the safety filter is")
    hold: HoldSpec = Field(default=HoldSpec(), description="What hold means")
    cameras: tuple[CameraSource, ...] = Field(min_length=1, description="The cameras")
    model: ModelSpec | None = Field(
        default=None, description="The MuJoCo model of the arm; empty (null): there is none"
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for part, names in (
            ("joints", self.joint_names),
            ("cameras", [camera.name for camera in self.cameras]),
            ("workspace.keep_out", [box.name for box in self.workspace.keep_out]),
        ):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ValueError(f"{part}: {', '.join(twice)} appears twice; give every entry a name of its own")
        self._home_is_allowed()
        if self.speed.reduced_eef > self.speed.max_eef:
            raise ValueError(f"speed: reduced_eef {self.speed.reduced_eef} exceeds max_eef {self.speed.max_eef}")
        if self.safety.e_stop_heartbeat_s and self.state.e_stop is None:
            raise ValueError(
                f"safety.e_stop_heartbeat_s is {self.safety.e_stop_heartbeat_s}, but state.e_stop is empty: name the "
                f"topic of the emergency stop, or leave the heartbeat out"
            )
        if self.model is None and self.command.interface != "arm_command":
            raise ValueError(
                f"command: {self.command.interface} needs joint commands, and those need a `model`. {GIVE_A_MODEL}"
            )
        if self.gripper.command.interface == "with_arm" and self.command.interface != "arm_command":
            raise ValueError(
                f"gripper.command: with_arm needs command.interface arm_command; {self.command.interface} has no "
                f"place for the gripper, so give it a topic or an action of its own"
            )
        if self.model is not None and set(self.model.joints) != set(self.joint_names):
            different = sorted(set(self.model.joints) ^ set(self.joint_names))
            raise ValueError(
                f"model.joints must map exactly the names under `joints`; different: {', '.join(different)}"
            )
        return self

    def _home_is_allowed(self) -> None:
        if len(self.home) != len(self.joints):
            raise ValueError(f"home has {len(self.home)} numbers, but there are {len(self.joints)} joints")
        for joint, value in zip(self.joints, self.home, strict=True):
            if not joint.position[0] <= value <= joint.position[1]:
                raise ValueError(f"home: {joint.name} at {value} is outside its limits {list(joint.position)}")

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The N joints, in the driver's order."""
        return tuple(joint.name for joint in self.joints)

    @property
    def limits(self) -> JointLimits:
        """What each joint may do, in the driver's order."""
        low, high = zip(*(joint.position for joint in self.joints), strict=True)
        rates = [
            np.array([getattr(joint, rate) for joint in self.joints]) for rate in ("velocity", "acceleration", "jerk")
        ]
        return JointLimits(self.joint_names, np.array(low), np.array(high), *rates)

    @property
    def home_position(self) -> NDArray[np.float64]:
        """Joint positions to start from, [N]."""
        return np.array(self.home, dtype=np.float64)

    @property
    def period_s(self) -> float:
        """Time between two commands, s."""
        return 1.0 / self.command_hz

    def camera(self, name: str) -> CameraSource:
        """The camera called `name`; ProfileError when there is none."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        have = ", ".join(camera.name for camera in self.cameras)
        raise ProfileError(f"robot profile {self.name}: no camera {name!r}; it has: {have}. Add it under `cameras`")

    def to_text(self) -> str:
        """The profile as YAML, with every default written out and paths as they were resolved."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)

    @classmethod
    def from_text(cls, text: str, source: str = "robot profile", folder: Path | None = None) -> RobotProfile:
        """Read YAML text; its files are relative to `folder`. ProfileError names `source` and every wrong field."""
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ProfileError(f"{source}: not valid YAML: {error}") from error
        if not isinstance(data, dict):
            raise ProfileError(
                f"{source}: expected a mapping of fields, got {type(data).__name__}; see robots/template.yaml"
            )
        try:
            return cls.model_validate(data, context={FOLDER: folder})
        except ValidationError as error:
            raise ProfileError(
                f"{source}: {describe_validation_error(error)}. What to do: correct these fields; "
                f"docs/reference/robot-profiles.md explains each"
            ) from error

    @classmethod
    def from_yaml(cls, path: str | Path) -> RobotProfile:
        """Read a profile file; ProfileError names the path when it is missing or wrong."""
        where = Path(path)
        try:
            text = where.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"cannot read robot profile {path}: {error}") from error
        return cls.from_text(text, source=str(path), folder=where.absolute().parent)
