"""Whether the bundle fits the arm: what the nodes of a graph ask when they start, asked before."""

from __future__ import annotations

from world2act.bundle_access import require_supported_state
from world2act.checks import Check
from world2act.commander.assemble import assemble_path
from world2act.commander.thresholds import default_numbers
from world2act.driver.robot_contract import robot_contract
from world2act.errors import ConfigurationError
from world2act_core.compatibility import ContractMismatch, check_compatible
from world2act_core.contract import Contract
from world2act_core.robot.profile import RobotProfile

NAME = "bundle and robot"


def check_fit(profile: RobotProfile, contract: Contract, bundle: str) -> Check:
    """Whether an arm with this profile carries out what the bundle called `bundle` decides."""
    try:
        check_compatible(robot_contract(profile, contract), contract, f"profile {profile.name}", f"bundle {bundle}")
        require_supported_state(contract)
        assemble_path(profile, contract, default_numbers(profile))
    except ContractMismatch as error:
        remedy = "give --bundle one that was made for this arm and these cameras, or correct the profile"
        return Check(NAME, "missing", "; ".join(error.differences), remedy)
    except ConfigurationError as error:
        return Check(NAME, "missing", error.cause, error.remedy)
    cameras = ", ".join(camera.name for camera in contract.cameras)
    return Check(NAME, "ok", f"{bundle} was made for {contract.robot} with the cameras {cameras}")
