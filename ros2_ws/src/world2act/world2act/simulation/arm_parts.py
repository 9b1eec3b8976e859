"""A simulated arm with everything that belongs to it, made from a robot profile."""

from __future__ import annotations

from dataclasses import dataclass

from sensor_msgs.msg import JointState

from world2act.conversions import joint_state_to_message
from world2act.errors import ConfigurationError
from world2act.simulation.command_input import CommandInput
from world2act.simulation.command_inputs import make_command_input
from world2act.simulation.gripper_input import GripperInput, make_gripper_input
from world2act.simulation.referee_report import MotionMeter, referee_report
from world2act_core.robot.profile import RobotProfile
from world2act_core.robot.referee import CommandReferee
from world2act_sim.simulated_arm import SimulatedArm
from world2act_sim.site_kinematics import SiteKinematics
from world2act_sim.world import TabletopWorld


@dataclass(frozen=True, eq=False)
class ArmParts:
    """The arm in its world, what it listens to, and who watches it."""

    profile: RobotProfile
    world: TabletopWorld
    arm: SimulatedArm
    input: CommandInput
    gripper: GripperInput
    referee: CommandReferee
    meter: MotionMeter

    def restart(self) -> None:
        """After the world was reset: nothing that came before counts. The brakes stay as they are."""
        stopped = self.arm.stopped
        self.arm.restart()
        if stopped:
            self.arm.stop()
        self.input.expect_start()
        self.referee.restart()
        self.meter.restart()

    @property
    def opening(self) -> float:
        """Measured share of the gripper's way: 1 open, 0 closed."""
        spec = self.profile.gripper
        return (self.world.gripper_width() - spec.width_closed) / (spec.width_open - spec.width_closed)

    def joint_state(self, stamp_ns: int) -> JointState:
        """What the driver says about arm and gripper now."""
        spec = self.profile.gripper
        return joint_state_to_message(
            (*self.profile.joint_names, *spec.joints),
            [*self.arm.position, *self.gripper.reading(self.opening)],
            [*self.arm.velocity, *(0.0 for _ in spec.joints)],
            stamp_ns,
        )

    def report(self, stamp_s: float, injected_s: float) -> str:
        """What the referee has seen until `stamp_s`, as JSON; injected_s: when what goes wrong last changed."""
        return referee_report(self.referee, self.input.ignored, self.arm.stopped, self.meter, stamp_s, injected_s)


def make_arm(profile: RobotProfile, world: TabletopWorld, timeout_s: float) -> ArmParts:
    """The arm of `world` behind the interfaces of `profile`. timeout_s: of velocity commands.

    Raises ConfigurationError when the two do not belong together.
    """
    if len(profile.joints) != len(world.arm.names):
        raise ConfigurationError(
            f"robot profile {profile.name} has {len(profile.joints)} joints, the simulated {world.config.robot} has "
            f"{len(world.arm.names)}",
            "choose parameters robot and robot_profile that belong together",
        )
    referee = CommandReferee(profile.limits, profile.period_s)
    command = make_command_input(profile, SiteKinematics(world.model, world.arm), referee, timeout_s)
    gripper = make_gripper_input(profile.gripper, command.topic)
    way_m = profile.gripper.width_open - profile.gripper.width_closed
    arm = SimulatedArm(world, command.controller, gripper_speed=profile.gripper.max_speed / way_m)
    return ArmParts(profile, world, arm, command, gripper, referee, MotionMeter(profile.limits))
