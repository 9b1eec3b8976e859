"""skill_planner with a bundle's monitor: skills that seem to go wrong are started again, or people are told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from world2act.nodes.skill_planner import SkillPlanner
from world2act_core.manifest import read_manifest, write_manifest
from world2act_core.monitor_config import CalibrationFacts, MonitorConfig, Separation, install_monitor, weights_of
from world2act_core.tabletop import tabletop_contract

from .conftest import COMPOSITE, Start, begin


def add_monitor(folder: Path, **values: Any) -> MonitorConfig:
    """Make `folder` a bundle with a monitor that wants 0.5 of every chunk."""
    tabletop_contract().to_yaml(folder / "contract.yaml")
    (folder / "policy.onnx").write_bytes(b"never loaded here")
    (folder / "encoder").mkdir()
    (folder / "encoder" / "model.onnx").write_bytes(b"nor is this")
    manifest = write_manifest(
        folder, name="watched", created="2026-01-01T00:00:00Z", licence="Apache-2.0", world2act_version="0.1.0",
        text_encoder_folder="encoder",
    )  # fmt: skip
    area = Separation(auc=0.9, interval=(0.8, 1.0), failures=10, successes=20)
    facts = CalibrationFacts(
        created="2026-01-01T00:00:00Z", bundle_name="watched", bundle_sha256="0" * 64,
        weights=weights_of(manifest.files), protocol={}, false_alarm_limit=0.05, calibration_failures=10,
        calibration_successes=20, auc=area, auc_equal_length=area,
    )  # fmt: skip
    given = {"enabled": True, "threshold": 0.5, "window": 1, "minimum_chunks": 1, "max_retries": 2} | values
    monitor = MonitorConfig(score="alignment_score", alarm_when="below", calibration=facts, **given)
    install_monitor(folder, manifest, monitor)
    return monitor


def test_low_scores_have_the_skill_started_again_and_then_end_the_goal(start: Start, tmp_path: Path) -> None:
    add_monitor(tmp_path)
    others = start()
    result = begin(others)
    first = others.skills[-1]
    assert (first.id, first.attempt) == (1, 1)
    assert others.chunk(0.0, 0.8).attempt == 1
    second = others.chunk(0.0, 0.1)
    assert (second.id, second.attempt, second.index, second.prompt) == (2, 2, 0, first.prompt) and second.active
    late = others.chunk(0.0, 0.0, first)
    assert (late.id, late.attempt) == (2, 2), "a chunk of the first attempt is only acknowledged"
    assert others.chunk(0.0, 0.9).attempt == 2
    third = others.chunk(0.0, 0.2)
    assert (third.id, third.attempt) == (3, 3)
    assert not others.chunk(0.0, 0.3).active, "two retries were allowed"
    name, answer = others.outcome(result)
    assert name == "LOW_ALIGNMENT" and not answer.success and answer.skills_completed == 0
    for words in ("'pick up the can'", "started again 2 time(s)", "0.300", "below 0.500", "monitor:=warn"):
        assert words in answer.message
    assert others.ros.until(lambda: bool(others.feedback) and others.feedback[-1].retries == 2)
    known = [(round(one.score, 3), one.retries) for one in others.feedback if not math.isnan(one.score)]
    assert known == [(0.8, 0), (0.9, 1)], "after a retry the score is unknown until the next chunk"
    assert [one.skill.id for one in others.feedback if one.retries == 2] == [3]
    result = begin(others)
    assert others.skills[-1].id == 4, "no id is used twice"
    others.chunk(0.9, 0.9)
    others.chunk(0.9, 0.9)
    assert others.outcome(result)[0] == "NONE"


def test_every_skill_of_a_plan_may_be_started_again(start: Start, tmp_path: Path) -> None:
    add_monitor(tmp_path, max_retries=1)
    others = start()
    result = begin(others, COMPOSITE)
    again = others.chunk(0.0, 0.1)
    assert (again.id, again.attempt, again.index) == (3, 2, 0), "1 and 2 are the ids of the plan"
    others.chunk(0.9, 0.9)
    second = others.chunk(0.9, 0.9)
    assert (second.id, second.attempt, second.index) == (2, 1, 1)
    again = others.chunk(0.0, 0.1)
    assert (again.id, again.attempt, again.index) == (4, 2, 1)
    others.chunk(0.9, 0.9)
    others.chunk(0.9, 0.9)
    name, answer = others.outcome(result)
    assert (name, answer.skills_completed) == ("NONE", 2)


def test_unknown_scores_never_alarm(start: Start, tmp_path: Path) -> None:
    add_monitor(tmp_path)
    others = start()
    result = begin(others)
    for _ in range(12):
        assert others.chunk(0.0, math.nan).attempt == 1
    others.chunk(0.9)
    others.chunk(0.9)
    assert others.outcome(result)[0] == "NONE"
    assert all(math.isnan(one.score) and one.retries == 0 for one in others.feedback)


def test_people_are_told_when_the_monitor_has_nothing_to_look_at(start: Start, tmp_path: Path) -> None:
    add_monitor(tmp_path)
    others = start()
    result = begin(others, COMPOSITE)
    others.chunk(0.0, math.nan)
    condition = others.planner.condition
    assert condition.name == "MONITOR_BLIND" and "'put the can in the bin'" in condition.message
    assert "no alignment_score" in condition.message and "imagined_codes" in condition.message
    others.chunk(0.0, 0.9)
    assert not others.planner.condition.name
    others.chunk(0.9, math.nan)
    assert not others.planner.condition.name, "an attempt that lasts longer than what was imagined was watched"
    others.chunk(0.9, math.nan)
    others.chunk(0.0, math.nan)
    assert (
        others.planner.condition.name == "MONITOR_BLIND" and "'stack the red cube" in others.planner.condition.message
    ), "the next skill is blind again"
    others.chunk(0.9, math.nan)
    others.chunk(0.9, math.nan)
    assert others.outcome(result)[0] == "NONE" and not others.planner.condition.name


def test_nobody_is_told_of_a_monitor_that_is_off(start: Start, tmp_path: Path) -> None:
    add_monitor(tmp_path)
    others = start(monitor="off")
    begin(others)
    others.chunk(0.0, math.nan)
    assert not others.planner.condition.name


def test_a_warning_goes_to_people_and_changes_nothing(start: Start, tmp_path: Path) -> None:
    add_monitor(tmp_path)
    others = start(monitor="warn")
    result = begin(others)
    assert others.chunk(0.0, 0.1).attempt == 1
    assert others.planner.condition.name == "LOW_ALIGNMENT" and "seems to go wrong" in others.planner.condition.message
    assert others.chunk(0.0, 0.9).attempt == 1 and others.planner.condition.name != "LOW_ALIGNMENT"
    assert others.chunk(0.0, 0.1).attempt == 1
    others.chunk(0.9, 0.1)
    others.chunk(0.9, 0.1)
    assert others.outcome(result)[0] == "NONE" and others.planner.condition.name != "LOW_ALIGNMENT"


@pytest.mark.parametrize(("asked", "values"), [("off", {}), ("auto", {"enabled": False, "reason": "it does not tell"})])
def test_a_monitor_that_is_off_or_not_enabled_does_nothing(
    start: Start, tmp_path: Path, asked: str, values: dict
) -> None:
    add_monitor(tmp_path, **values)
    others = start(monitor=asked)
    result = begin(others)
    assert others.chunk(0.0, 0.1).attempt == 1
    others.chunk(0.9, 0.1)
    others.chunk(0.9, 0.1)
    assert others.outcome(result)[0] == "NONE" and math.isnan(others.feedback[-1].score)


def refusal(ros, bundle: Path, **values: str) -> str:
    """What the node says when it refuses to be configured."""
    overrides = [Parameter(name, value=value) for name, value in {"bundle": str(bundle), **values}.items()]
    node = ros.add(SkillPlanner(context=ros.context, parameter_overrides=overrides))
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    return node.condition.message


def test_a_monitor_that_cannot_be_used_is_refused_at_the_start(ros, tmp_path: Path) -> None:
    plain, watched, broken = (tmp_path / name for name in ("plain", "watched", "broken"))
    for folder in (plain, watched, broken):
        folder.mkdir()
    tabletop_contract().to_yaml(plain / "contract.yaml")
    assert "the bundle has no monitor" in refusal(ros, plain, monitor="retry")
    add_monitor(watched, enabled=False, reason="it does not tell")
    said = refusal(ros, watched, monitor="warn")
    assert "not enabled: it does not tell" in said and "set parameter 'monitor' to auto or off" in said
    add_monitor(broken)
    (broken / "policy.onnx").write_bytes(b"other weights")
    old = read_manifest(broken)
    new = write_manifest(
        broken, name="watched", created=old.created, licence=old.licence, world2act_version="0.1.0",
        text_encoder_folder="encoder",
    )  # fmt: skip
    said = refusal(ros, broken)
    assert "calibrated for other weights" in said
    assert old.files["policy.onnx"] in said and new.files["policy.onnx"] in said
