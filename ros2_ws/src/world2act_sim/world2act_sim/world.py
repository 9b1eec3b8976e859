"""The Tabletop world as a policy, an expert or a ROS node sees it: reset, step with an arm target, observe, judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

from world2act_core.calibration import CameraCalibration
from world2act_core.pose import MAX_ROTATION_RAD, MAX_TRANSLATION_M, action_between, state_vector
from world2act_core.types import ArmTarget, EefPose, Observation
from world2act_sim.arm_handles import ArmHandles
from world2act_sim.arm_torques import ArmTorques
from world2act_sim.fixtures import FixtureName
from world2act_sim.perturbation import SEEN, Perturbation
from world2act_sim.render import CameraRenderer, RenderMode, apply_fast_settings
from world2act_sim.scene import Scene
from world2act_sim.sides import side_positions
from world2act_sim.tabletop_env import CONTROL_HZ, SCENE_CAMERA, TABLE_HEIGHT, WRIST_CAMERA, TabletopEnv

if TYPE_CHECKING:
    from world2act_core.contract import Contract
    from world2act_core.skill import Skill
    from world2act_core.vocabulary import Vocabulary
    from world2act_sim.tasks import Task

CAMERAS: Mapping[str, str] = {"scene": SCENE_CAMERA, "wrist": WRIST_CAMERA}
"""Camera name in the contract -> camera name in the model."""

CONTROL_DECIMATION = 4
"""Physics runs at 500 Hz; robosuite's operational-space controller, which costs more, is evaluated at 125 Hz."""


@dataclass(frozen=True)
class WorldConfig:
    """What the world is made of.

    Attributes:
        robot: robosuite's name of the arm.
        image_size: side of the square pictures in pixels.
        render: "fast" (decimated meshes, no multisampling), "stock" (robosuite's own meshes and settings) or "none".
        fixtures: what is fixed to the table besides bin and plate; with any, objects can also be pushed to a side.
    """

    robot: str = "Panda"
    image_size: int = 128
    render: RenderMode = "fast"
    fixtures: tuple[FixtureName, ...] = ()


@dataclass(frozen=True, eq=False)
class WorldObservation:
    """One instant of the world.

    time_s: seconds since the reset; images: camera name -> uint8 [H, W, 3] RGB (empty when not rendered);
    state: float32 [10], see `world2act_core.pose.state_vector`; joint arrays in radians and rad/s;
    gripper_width: metres between the fingertips, 0 when closed.
    """

    time_s: float
    state: NDArray[np.float32]
    eef_pose: EefPose
    gripper_width: float
    joint_position: NDArray[np.float64]
    joint_velocity: NDArray[np.float64]
    joint_names: tuple[str, ...]
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    def as_observation(self) -> Observation:
        """What a policy may see of it."""
        return Observation(time_s=self.time_s, images=self.images, state=self.state)


class TabletopWorld:
    """An arm at a table with three to five objects, a bin and a plate.

    Every reset is a function of its seed alone: the same seed gives bit-identical states and pictures, whatever was
    done before. Poses are in the robot's base frame, metres.
    """

    def __init__(self, config: WorldConfig | None = None) -> None:
        self.config = config or WorldConfig()
        self._env = TabletopEnv(
            self.config.robot, decimate=self.config.render != "stock", fixtures=self.config.fixtures
        )
        self._env.reset()
        self.model: mujoco.MjModel = self._env.mj_model
        self.data: mujoco.MjData = self._env.mj_data
        if self.config.render != "stock":
            apply_fast_settings(self.model)
        self._renderer: CameraRenderer | None = None
        self.scene = Scene(self._env)
        self._robot = self._env.robots[0]
        self.arm = ArmHandles.of(self.model, self._robot)
        self._torques = self._arm_torques()
        self._ticks = 0
        self.task: Task | None = None
        base = self.data.body(self._robot.robot_model.root_body)
        self._base_position = np.array(base.xpos)
        self._base_rotation = np.array(base.xmat).reshape(3, 3)

    @property
    def contract(self) -> Contract:
        """What this world's cameras show and its arm understands."""
        from world2act_core.tabletop import tabletop_contract

        return tabletop_contract(self.config.robot, self.config.image_size, self.vocabulary)

    @property
    def vocabulary(self) -> Vocabulary:
        """The skills and objects of this world."""
        from world2act_core.vocabulary import fixture_vocabulary

        return fixture_vocabulary(self.config.fixtures)

    @property
    def time_s(self) -> float:
        """Seconds since the reset."""
        return self._ticks / CONTROL_HZ

    def reset(
        self, seed: int, task: Task | None = None, perturbation: Perturbation = SEEN, render: bool = True
    ) -> WorldObservation:
        """Put the arm near its home pose and the task's objects on the table.

        Args:
            seed: decides everything random. task: what is on the table (None: sampled from the seed).
            perturbation: how the world differs from the nominal one. render: include pictures in the result.

        Raises:
            PlacementError: the objects do not fit on the table.
            FixtureError: the task needs a fixture that this world was made without.
        """
        from world2act_sim.tasks import sample_task

        wanted = task or sample_task("any", seed)
        self.scene.check(wanted)
        self.task = wanted
        self._env.reset()
        self._torques = self._arm_torques()
        self._ticks = 0
        self.scene.arrange(np.random.default_rng([seed, 7]), self.task, perturbation)
        self._settle()
        return self.observe(render)

    def step(self, target: ArmTarget, render: bool = True) -> WorldObservation:
        """Move towards `target` for one control period (0.1 s).

        The way to the target is limited to the action limits (5 cm and 0.5 rad per component and period).
        """
        self._move(target)
        self._ticks += 1
        return self.observe(render)

    def observe(self, render: bool = True) -> WorldObservation:
        """The present state, with pictures unless `render` is False or the world was made without a renderer."""
        pose, width = self.eef_pose(), self.gripper_width()
        joints = np.array(self._robot._ref_joint_pos_indexes), np.array(self._robot._ref_joint_vel_indexes)
        return WorldObservation(
            time_s=self.time_s,
            state=state_vector(pose, width),
            eef_pose=pose,
            gripper_width=width,
            joint_position=self.data.qpos[joints[0]].copy(),
            joint_velocity=self.data.qvel[joints[1]].copy(),
            joint_names=tuple(self._robot.robot_joints),
            images=self.render() if render else {},
        )

    def render(self) -> dict[str, NDArray[np.uint8]]:
        """Pictures of both cameras, uint8 [H, W, 3] RGB; empty when the world was made with render="none"."""
        if self.config.render == "none":
            return {}
        if self._renderer is None:
            self._renderer = CameraRenderer(self.model, self.config.image_size, self.config.image_size)
        return {name: self._renderer.render(self.data, camera) for name, camera in CAMERAS.items()}

    def calibrations(self) -> dict[str, CameraCalibration]:
        """How each camera of the contract sees at this moment; the wrist camera's is fixed to the end-effector."""
        site = self._robot.eef_site_id["right"]
        frames: dict[str, tuple[Literal["base", "eef"], NDArray[np.float64], NDArray[np.float64]]] = {
            "scene": ("base", self._base_position, self._base_rotation),
            "wrist": ("eef", self.data.site_xpos[site], self.data.site_xmat[site].reshape(3, 3)),
        }
        result = {}
        for name, model_name in CAMERAS.items():
            frame, origin, axes = frames[name]
            camera = self.model.camera(model_name).id
            position = axes.T @ (self.data.cam_xpos[camera] - origin)
            # MuJoCo's cameras look along -z with y up.
            rotation = axes.T @ self.data.cam_xmat[camera].reshape(3, 3) * [1.0, -1.0, -1.0]
            focal = 0.5 / float(np.tan(np.radians(self.model.cam_fovy[camera]) / 2.0))
            result[name] = CameraCalibration.model_validate(
                {"frame": frame, "position": position.tolist(), "rotation": rotation.tolist(), "fx": focal, "fy": focal}
            )
        return result

    def eef_pose(self) -> EefPose:
        """Measured pose of the point between the fingertips, base frame."""
        site = self._robot.eef_site_id["right"]
        rotation = self._base_rotation.T @ self.data.site_xmat[site].reshape(3, 3)
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, rotation.flatten())
        return EefPose(
            self._base_rotation.T @ (self.data.site_xpos[site] - self._base_position), quaternion[[1, 2, 3, 0]]
        )

    def gripper_width(self) -> float:
        """Distance between the fingertips in metres, measured at their pads."""
        return self.scene.gripper.width(self.data)

    def satisfied(self, skill: Skill) -> bool:
        """Whether the skill's condition holds in the present physics state (privileged)."""
        return self.scene.satisfied(skill)

    def object_positions(self) -> dict[str, NDArray[np.float64]]:
        """Centres of everything on the table in the base frame, metres (privileged)."""
        return {name: self.to_base(position) for name, position in self.scene.positions().items()}

    def named_positions(self) -> dict[str, NDArray[np.float64]]:
        """`object_positions`, and with fixtures also the sides of the table: all that a skill may name (privileged)."""
        sides = side_positions(TABLE_HEIGHT) if self.config.fixtures else {}
        return {**self.object_positions(), **{name: self.to_base(position) for name, position in sides.items()}}

    def to_base(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """A world position in the robot's base frame."""
        return self._base_rotation.T @ (np.asarray(position) - self._base_position)

    def to_world(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """A base-frame position in the world frame."""
        return self._base_rotation @ np.asarray(position) + self._base_position

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _arm_torques(self) -> ArmTorques:
        """For robosuite's present controller: every reset makes a new one."""
        return ArmTorques(self.model, self.data, self._robot.composite_controller.part_controllers["right"])

    def _settle(self) -> None:
        """Let objects come to rest while the arm stands still."""
        here = ArmTarget(self.eef_pose(), -1.0)
        for _ in range(4):
            self._move(here)

    def _move(self, target: ArmTarget) -> None:
        """One control period of physics towards `target`."""
        action = action_between(self.eef_pose(), target.pose, target.gripper).astype(np.float64)
        # robosuite's controller wants shares of its largest step.
        action[:3] /= MAX_TRANSLATION_M
        action[3:6] /= MAX_ROTATION_RAD
        self._advance(action, round(1.0 / (CONTROL_HZ * self.model.opt.timestep)))

    def _advance(self, action: NDArray[np.float64], substeps: int) -> None:
        """`substeps` of physics; action: shares [-1, 1] of the largest step, [6], and the gripper."""
        controller, model, data = self._robot.composite_controller, self.model, self.data
        for substep in range(substeps):
            mujoco.mj_step1(model, data)
            if substep == 0:
                controller.update_state()
                controller.set_goal(action)
                commands = controller.run_controller(self._robot._enabled_parts)
                # What the gripper is told does not change before the next action.
                self._tell(self.arm.fingers, commands["right_gripper"])
                self._tell(self.arm.actuators, commands["right"])
            elif substep % CONTROL_DECIMATION == 0:
                self._tell(self.arm.actuators, self._torques.compute())
            mujoco.mj_step2(model, data)
        mujoco.mj_forward(model, data)

    def _tell(self, actuators: NDArray[np.int64], command: NDArray[np.float64]) -> None:
        limits = self.model.actuator_ctrlrange[actuators]
        self.data.ctrl[actuators] = np.clip(command, limits[:, 0], limits[:, 1])
