from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from world2act_core.robot.find import find_profile, profile_folders, profile_names
from world2act_core.robot.profile import ProfileError, RobotProfile
from world2act_core.robot.profile_docs import profiles_page
from world2act_core.robot.safety_spec import SafetySpec

ROBOTS = Path(__file__).resolve().parents[4] / "robots"
SHIPPED = ("fr3", "sim_panda", "so101", "ur5e", "xarm7")


def data_of(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROBOTS / f"{name}.yaml").read_text())


def changed(path: str, value: object, name: str = "fr3") -> str:
    """A shipped profile as text with one field replaced; path like "joints.0.velocity"."""
    data = data_of(name)
    *parents, last = path.split(".")
    node: Any = data
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    node[int(last) if isinstance(node, list) else last] = value
    return yaml.safe_dump(data)


def test_every_shipped_profile_is_found_by_its_name() -> None:
    assert set(SHIPPED) <= set(profile_names()) and "template" not in profile_names()
    for name in SHIPPED:
        assert find_profile(name).name == name


def test_the_template_is_a_valid_profile_that_shows_every_part() -> None:
    template = RobotProfile.from_yaml(ROBOTS / "template.yaml")
    assert set(data_of("template")) == set(RobotProfile.model_fields)
    assert template.name == "my_arm" and template.workspace.keep_out[0].name == "camera_stand"


def test_the_vendors_figures_of_the_fr3() -> None:
    limits = find_profile("fr3").limits
    assert limits.names == tuple(f"fr3_joint{number}" for number in range(1, 8))
    np.testing.assert_array_equal(limits.acceleration, np.full(7, 10.0))
    np.testing.assert_array_equal(limits.jerk, np.full(7, 5000.0))
    np.testing.assert_array_equal(limits.velocity, [2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26])
    assert limits.position_low[3] == -3.0421 and limits.position_high[5] == 4.5169


@pytest.mark.parametrize("name", SHIPPED)
def test_the_first_run_is_at_250_mm_per_second_or_slower(name: str) -> None:
    assert find_profile(name).speed.reduced_eef <= 0.25


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_survives_being_written_and_read(name: str) -> None:
    profile = find_profile(name)
    assert RobotProfile.from_text(profile.to_text()) == profile


def test_gripper_commands_and_readings() -> None:
    hand = find_profile("fr3").gripper  # the driver takes half the opening
    assert hand.driver_value(-1.0) == 0.04 and hand.driver_value(1.0) == 0.0
    assert hand.driver_value(0.0) == pytest.approx(0.02) and hand.driver_value(7.0) == 0.0
    knuckle = find_profile("ur5e").gripper  # the driver's value grows as the gripper closes
    assert knuckle.width(0.0) == pytest.approx(0.085) and knuckle.width(0.7929) == pytest.approx(0.0)
    assert knuckle.driver_value(1.0) == pytest.approx(0.7929)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("joints.0.velocty", 1.0, "joints.0.velocty: Extra inputs"),
        ("joints.0.velocity", -1.0, "joints.0.velocity: Input should be greater than 0"),
        ("joints.0.jerk", float("inf"), "joints.0.jerk: Input should be a finite number"),
        ("joints.0.position", [1.0, -1.0], r"joint 'fr3_joint1': position \[1.0, -1.0\] must be \[lowest, highest\]"),
        ("joints.1.name", "fr3_joint1", "joints: fr3_joint1 appears twice"),
        ("home", [0.0, 0.0], "home has 2 numbers, but there are 7 joints"),
        ("home.3", 0.5, r"home: fr3_joint4 at 0.5 is outside its limits \[-3.0421, -0.1518\]"),
        ("command", {"interface": "telepathy", "topic": "x"}, "command: Input tag 'telepathy'"),
        ("command.topic", "not a topic", "command.joint_trajectory.topic: String should match"),
        ("command_hz", 5.0, "command_hz: Input should be greater than or equal to 20"),
        ("workspace.low", [1.0, 0.0, 0.0], "workspace: .*must be below that of high"),
        ("workspace.keep_out", [{"name": "a", "low": [0, 0, 0], "high": [0, 1, 1]}], "workspace.keep_out.0: .*below"),
        ("gripper.command_open", 0.0, "command_open and command_closed are both 0.0"),
        ("gripper.command", {"interface": "with_arm"}, "joint_trajectory has no place for the gripper"),
        ("gripper.width_closed", 0.08, "width_closed 0.08 must be below width_open"),
        ("speed.reduced_eef", 2.0, "reduced_eef 2.0 exceeds max_eef"),
        ("cameras.1.name", "scene", "cameras: scene appears twice"),
        ("model", None, "joint_trajectory needs joint commands, and those need a `model`"),
        ("model.joints", {"fr3_joint1": "joint1"}, "model.joints must map exactly .* fr3_joint2"),
        ("model.eef_offset.quaternion", [0, 0, 0, 2], "has length 2.0000"),
        ("model.tool.0.size", [0.1, 0.0, 0.1], "every number of size"),
        ("schema_version", 2, "schema_version"),
        ("safety", {"stale_state": 0.1}, "safety.stale_state: Extra inputs"),
        ("safety", {"stale_state_s": 0.0}, "safety.stale_state_s: Input should be greater than or equal to 0.01"),
        ("safety", {"tracking_error_rad": 2.0}, "safety.tracking_error_rad: Input should be less than or equal to 1"),
        ("safety", {"reactions": {"WRKSPACE": {}}}, "safety.reactions: .*no check 'WRKSPACE'; choose from .*WORKSPACE"),
        (
            "safety",
            {"reactions": {"STALE_CHUNK": {"reaction": "clip"}}},
            "safety.reactions: .*STALE_CHUNK cannot react with 'clip'; choose from hold, stop",
        ),
        ("safety", {"reactions": {"ELBOW": {"reaction": "ignore"}}}, "safety.reactions.ELBOW.reaction: .*'clip'"),
        ("safety", {"reactions": {"E_STOP": {"latched": False}}}, "E_STOP stops the arm, so it is always latched"),
        ("safety", {"elbow": {"low": [0, 0, 0], "high": [0, 1, 1]}}, "safety.elbow: .*must be below"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_field(path: str, value: object, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        RobotProfile.from_text(changed(path, value), source="robots/mine.yaml")
    assert str(caught.value).startswith("robots/mine.yaml: ") and "What to do" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not valid YAML"), ("- 1", "expected a mapping"), ("name: x", "vendor: Field required")]
)
def test_text_that_is_no_profile(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        RobotProfile.from_text(text)


def test_a_heartbeat_needs_an_e_stop() -> None:
    data = data_of("fr3") | {"safety": {"e_stop_heartbeat_s": 0.5}}
    assert RobotProfile.from_text(yaml.safe_dump(data)).safety.e_stop_heartbeat_s == 0.5
    data["state"] = {"e_stop": None}
    with pytest.raises(ProfileError, match="safety.e_stop_heartbeat_s is 0.5, but state.e_stop is empty"):
        RobotProfile.from_text(yaml.safe_dump(data))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_leave_the_safety_filter_as_it_is(name: str) -> None:
    assert find_profile(name).safety == SafetySpec()


def test_yaml_is_data_and_never_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    with pytest.raises(ProfileError, match="not valid YAML"):
        RobotProfile.from_text(
            f"name: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{mark}']]"
        )
    assert not mark.exists()


def test_files_are_relative_to_the_profile(tmp_path: Path) -> None:
    data = data_of("fr3")
    data["model"]["mjcf"] = "meshes/arm.xml"
    data["cameras"][0]["calibration"] = "scene.yaml"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(data))
    profile = find_profile(str(tmp_path / "mine.yaml"))
    assert profile.model is not None and profile.model.mjcf == str(tmp_path / "meshes/arm.xml")
    assert profile.camera("scene").calibration == str(tmp_path / "scene.yaml")
    shipped = find_profile("fr3").model
    assert shipped is not None and shipped.mjcf == "robosuite:panda"


def test_a_name_that_is_not_there_lists_what_is() -> None:
    with pytest.raises(ProfileError, match="no robot profile 'fr4'. There are: .*fr3.*ur5e.*template.yaml"):
        find_profile("fr4")
    with pytest.raises(ProfileError, match="cannot read robot profile .*nowhere.yaml"):
        find_profile("/nowhere.yaml")
    with pytest.raises(ProfileError, match="no camera 'left'; it has: scene, wrist"):
        find_profile("fr3").camera("left")


def test_the_users_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "robots").mkdir()
    (tmp_path / "robots" / "fr3.yaml").write_text(changed("vendor", "somebody else"))
    monkeypatch.chdir(tmp_path)
    assert profile_folders()[0] == tmp_path / "robots"
    assert find_profile("fr3").vendor == "somebody else"


def test_the_reference_page_is_up_to_date() -> None:
    command = "python -m world2act_core.robot.profile_docs docs/reference/robot-profiles.md"
    page = (ROBOTS.parent / "docs/reference/robot-profiles.md").read_text()
    assert page == profiles_page(), f"run `{command}`"
    assert all(f"| `{name}` |" in page for name in SHIPPED)
    assert "|  |" not in page, "a field of a profile has no description"


def test_profiles_are_installed_with_the_package() -> None:
    setup = (ROBOTS.parent / "ros2_ws/src/world2act_core/setup.py").read_text()
    assert 'share/{PACKAGE}/robots", sorted(glob("../../../robots/*.yaml"))' in setup
