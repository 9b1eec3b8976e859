"""Which of a node's parameter, the profile and the default a threshold of arm_commander is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from world2act.base_node import COMMON_PARAMETERS
from world2act.bundle_access import BUNDLE_PARAMETER
from world2act.commander.parameters import JOINT_COMMANDER
from world2act.commander.set_up import ArmSetUp, set_up
from world2act.commander.thresholds import PROFILE_FIELDS, default_numbers
from world2act.parameters import ParameterValues
from world2act_core.robot.profile import RobotProfile
from world2act_core.robot.safety_spec import SafetySpec

ROOT = Path(__file__).resolve().parents[5]
SAFETY = {"stale_chunk_s": 0.5, "tracking_error_rad": 0.2, "peer_timeout_s": 0.3, "e_stop_heartbeat_s": 0.4}


@pytest.fixture
def robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The simulated Panda with thresholds of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = tmp_path / "strict.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((ROOT / "robots/sim_panda.yaml").read_text()) | {"safety": SAFETY}))
    return path


def configured(ros: Any, robot: Path, **given: float) -> ArmSetUp:
    """What arm_commander is made of when the node is given these parameters."""
    texts = {"robot": str(robot), "bundle": str(ROOT / "models/tabletop-nano")}
    overrides = [RosParameter(name, value=value) for name, value in {**texts, **given}.items()]
    node = ros.add(Node("arm_commander", context=ros.context, parameter_overrides=overrides))
    return set_up(ParameterValues(node, (*COMMON_PARAMETERS, BUNDLE_PARAMETER, *JOINT_COMMANDER)), lockstep=False)


def test_the_profile_stands_in_for_what_the_node_is_not_given(ros: Any, robot: Path) -> None:
    arm = configured(ros, robot)
    assert arm.peer_timeout_s == 0.3 and arm.e_stop_heartbeat_s == 0.4 and arm.first_chunk_s == 3.0
    settings = arm.arm.safety.settings
    assert settings.stale_chunk_s == 0.5 and settings.tracking_error_rad == 0.2 and settings.stale_state_s == 0.06
    assert arm.inputs().e_stop.pressed(0.0), "an e-stop that has to repeat itself and was not heard is pressed"


def test_what_the_node_is_given_wins_even_if_it_is_the_default(ros: Any, robot: Path) -> None:
    arm = configured(ros, robot, stale_chunk=0.9, e_stop_heartbeat=0.0, peer_timeout=0.1)
    assert arm.peer_timeout_s == 0.1 and arm.e_stop_heartbeat_s == 0.0
    settings = arm.arm.safety.settings
    assert settings.stale_chunk_s == 0.9 and settings.tracking_error_rad == 0.2


def test_without_a_node_the_profile_comes_before_the_default(robot: Path) -> None:
    number = default_numbers(RobotProfile.from_yaml(robot))
    assert number("stale_chunk") == 0.5 and number("stale_state") == 0.06 and number("blend") == 0.2


def test_a_field_takes_what_its_parameter_takes() -> None:
    """Every threshold of the profile is a parameter too, with the same range."""
    parameters = {parameter.name: parameter for parameter in JOINT_COMMANDER}
    numbers = {name for name, field in SafetySpec.model_fields.items() if field.annotation == float | None}
    assert set(PROFILE_FIELDS.values()) == numbers
    for name, field in PROFILE_FIELDS.items():
        metadata = SafetySpec.model_fields[field].metadata
        low, high = (next(getattr(item, key) for item in metadata if hasattr(item, key)) for key in ("ge", "le"))
        assert (parameters[name].low, parameters[name].high) == (low, high), name
