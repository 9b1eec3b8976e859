"""The ways of commanding that are compared, by name."""

from __future__ import annotations

from typing import Literal, Protocol

from world2act.commander.assemble import assemble_arm, assemble_path
from world2act.commander.thresholds import default_numbers
from world2act.episode import EpisodeRequest
from world2act.paired.lockstep import LockstepArm
from world2act.paired.outcome import Outcome
from world2act.paired.profiled import PERIOD_S, FilteredCommands, ProfiledSimulation
from world2act.paired.stepped import SteppedArm
from world2act.paired.unfiltered import UnfilteredCommands
from world2act.smooth.late_inference import Timing
from world2act_core.bundle import load_bundle
from world2act_core.policy import BundlePolicy
from world2act_core.robot.find import find_profile
from world2act_sim.world import TabletopWorld, WorldConfig

ConditionName = Literal["lockstep", "stepped", "safe", "unfiltered"]
DESCRIPTIONS: dict[ConditionName, str] = {
    "lockstep": "Cartesian targets in lockstep, the newest chunk at once, no filter",
    "stepped": "as lockstep, but chunks come late, as they do in real time",
    "safe": "late chunks, blended, joint commands through the safety filter, as the graph runs a robot profile",
    "unfiltered": "as safe, without the filter",
}


class Condition(Protocol):
    """Runs episodes one way; deterministic in the request."""

    def run(self, name: str, request: EpisodeRequest) -> Outcome:
        """One episode, from the reset on."""
        ...


class Conditions:
    """Makes each condition when it is first needed, with a world of its own: joint-level control changes the model."""

    def __init__(self, bundle: str, robot: str, timing: Timing, reduced: bool) -> None:
        self._policy = BundlePolicy(load_bundle(bundle))
        self._robot, self._timing, self._reduced = robot, timing, reduced
        self._made: dict[ConditionName, Condition] = {}

    def run(self, name: ConditionName, request: EpisodeRequest) -> Outcome:
        """One episode; raises ConfigurationError or ProfileError for a robot that does not fit."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name].run(name, request)

    def _make(self, name: ConditionName) -> Condition:
        contract = self._policy.contract
        world = TabletopWorld(WorldConfig(robot=contract.robot, image_size=contract.cameras[0].width))
        if name == "lockstep":
            return LockstepArm(world, self._policy)
        if name == "stepped":
            return SteppedArm(world, self._policy, self._timing)
        profile = find_profile(self._robot)
        number = default_numbers(profile)
        if name == "safe":
            commands = FilteredCommands(assemble_arm(profile, contract, number, self._reduced))
            return ProfiledSimulation(world, self._policy, profile, commands, self._timing)
        path = assemble_path(profile, contract, number)
        unfiltered = UnfilteredCommands(path, PERIOD_S)
        return ProfiledSimulation(world, self._policy, profile, unfiltered, self._timing)
