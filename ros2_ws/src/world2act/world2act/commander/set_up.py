"""What arm_commander is made of, from its parameters: profile, contract, path, safety filter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from world2act.bundle_access import read_contract
from world2act.commander.assemble import assemble_arm
from world2act.commander.holds import Holds
from world2act.commander.inputs import Inputs
from world2act.commander.known_bundles import KnownBundles
from world2act.commander.run_record import RunRecord
from world2act.commander.thresholds import node_numbers
from world2act.driver.eef_pose import EefPoseSource
from world2act.driver.emergency_stop import EmergencyStop
from world2act.driver.joint_states import JointStateListener
from world2act.errors import ConfigurationError
from world2act.parameters import ParameterValues
from world2act.peer_watch import PeerWatch
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.contract import Contract
from world2act_core.files import sha256_file
from world2act_core.manifest import MANIFEST_NAME, BundleError, read_manifest
from world2act_core.robot.find import find_profile
from world2act_core.robot.joint_reading import JointReader
from world2act_core.robot.profile import ProfileError, RobotProfile


@dataclass(frozen=True, eq=False)
class ArmSetUp:
    """Everything that does not change while the node lives."""

    profile: RobotProfile
    contract: Contract
    arm: ProfiledArm
    eef_pose: EefPoseSource
    peers: frozenset[str]
    peer_timeout_s: float
    first_chunk_s: float
    e_stop_heartbeat_s: float
    bundle_hash: str
    known: KnownBundles

    def inputs(self, before: Inputs | None = None) -> Inputs:
        """Nothing has been heard yet, but for the emergency stop's last word `before`."""
        e_stop = EmergencyStop(self.e_stop_heartbeat_s) if before is None else before.e_stop
        return Inputs(JointStateListener(JointReader(self.profile.joint_names)), e_stop)

    def holds(self) -> Holds:
        """Reasons to hold, none yet."""
        return Holds(PeerWatch(sorted(self.peers), self.peer_timeout_s))

    def remember_bundle(self, run: RunRecord) -> None:
        """The run is over: if it speaks for the bundle, the next one need not be slow."""
        if self.bundle_hash and run.speaks_for_the_bundle:
            self.known.remember(self.profile.name, self.bundle_hash)


def set_up(values: ParameterValues, lockstep: bool) -> ArmSetUp:
    """Read and check everything. Raises ConfigurationError with what is wrong and what to do."""
    if lockstep:
        raise ConfigurationError(
            "an arm with a robot profile moves in real time, lockstep is true",
            "start the graph without lockstep, or without a robot profile",
        )
    contract = read_contract(values.text("bundle"))
    profile = _profile(values.text("robot"))
    bundle_hash = _bundle_hash(values.text("bundle"))
    known = KnownBundles()
    first = values.text("reduced") == "first" and not known.knows(profile.name, bundle_hash)
    number = node_numbers(profile, values)
    arm = assemble_arm(profile, contract, number, reduced=first or values.text("reduced") == "always")
    return ArmSetUp(
        profile=profile,
        contract=contract,
        arm=arm,
        eef_pose=EefPoseSource(arm.path.model, profile.frames.base),
        peers=frozenset(values.texts("peers")),
        peer_timeout_s=number("peer_timeout"),
        first_chunk_s=number("first_chunk"),
        e_stop_heartbeat_s=number("e_stop_heartbeat"),
        bundle_hash=bundle_hash,
        known=known,
    )


def _profile(name: str) -> RobotProfile:
    try:
        return find_profile(name)
    except ProfileError as error:
        raise ConfigurationError(str(error), "see docs/how-to/your-own-arm.md") from error


def _bundle_hash(folder: str) -> str:
    try:
        read_manifest(folder)
        return sha256_file(Path(folder) / MANIFEST_NAME)
    except (BundleError, OSError) as error:
        raise ConfigurationError(f"the bundle {folder} has no usable manifest: {error}", "export it again") from error
