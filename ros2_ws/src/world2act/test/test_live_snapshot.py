"""What people see of a graph, from one snapshot, without a graph and without a terminal."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from world2act.cli.monitor import Monitor
from world2act.errors import GraphError
from world2act.live.screen import screen
from world2act.live.snapshot import (
    ArmView,
    ChunkView,
    FlagView,
    NodeView,
    RecorderView,
    SafetyView,
    Snapshot,
    TaskView,
)
from world2act.live.text import plain_lines
from world2act.live.watcher import chunk_view, node_view, recorder_view, safety_view, task_view
from world2act_interfaces.msg import ActionChunk, NodeHealth, RecorderStatus, SafetyFlag, SafetyStatus, Skill, SkillPlan

FLAG = FlagView("STALE_CHUNK", "WARNING", "hold", False, True, 3, "no chunk for 0.4 s: see vla_policy")
POLICY = NodeView(
    "vla_policy", "active", "OK", "", "", 0.4, {"observation": 0.05}, {"observation": 9.8}, {"inference": (12.5, 30.0)},
    {"refused inferences": 2},
)  # fmt: skip
SEEN = Snapshot(
    domain=7,
    nodes=(NodeView("arm_commander", "active", "OK", "", "", 0.1), POLICY),
    arm=ArmView(True, "NODE_LOST: [red]camera_ingest[/] is gone", ("clipped",), 0.02),
    chunk=ChunkView(41, 0.2, 12.5, 0.25, math.nan, 0.125),
    task=TaskView("stack it, then push it", ("stack the red cube on the can", "push it"), "grammar", 1, 2),
    safety=SafetyView("HOLDING", 0.25, 0.25, math.nan, (FLAG, replace(FLAG, name="NAN", latched=False)), 0.1),
    recorder=RecorderView("RECORDING", "/data", 3, 2, 1200, 5_000_000, 0, "", 0.3),
)


def drawn(snapshot: Snapshot, width: int) -> str:
    console = Console(width=width, height=50, force_terminal=False)
    with console.capture() as capture:
        console.print(screen(snapshot))
    return capture.get()


def test_the_screen_shows_everything() -> None:
    words = " ".join(drawn(SEEN, 160).split())
    for word in (
        "vla_policy", "observation 9.8 (0.05)", "inference 12.5/30.0", "holds: NODE_LOST: [red]camera_ingest[/]",
        "limited: clipped", "[push it], attempt 2", "residual 0.125", "HOLDING", "no chunk for 0.4 s", "RECORDING",
    ):  # fmt: skip
        assert word in words
    assert "alignment" not in words, "the bundle has none"


@pytest.mark.parametrize("width", [40, 60, 80, 300])
def test_the_screen_fits_a_terminal_of_any_width(width: int) -> None:
    text = drawn(SEEN, width)
    assert max(map(len, text.splitlines())) <= width
    assert "vla_policy" in text and "STALE_CHUNK" in text


def test_plain_lines_are_facts_with_trouble_first() -> None:
    lines = plain_lines(SEEN)
    assert lines[0] == "trouble: safety: STALE_CHUNK (hold, latched): no chunk for 0.4 s: see vla_policy"
    assert "node: vla_policy inference p50 12.5 ms, p99 30.0 ms" in lines
    assert "node: vla_policy refused inferences 2" in lines
    assert "skill: stack the red cube on the can > [push it], attempt 2" in lines
    assert "arm: holds: NODE_LOST: [red]camera_ingest[/] is gone, limited: clipped (0.02 s ago)" in lines
    assert "safety: HOLDING, speed 25%, at most 0.25 m/s (0.10 s ago)" in lines


def test_json_is_json_without_nan() -> None:
    text = json.dumps(SEEN.to_json(), allow_nan=False)
    back = json.loads(text)
    assert back["chunk"]["alignment"] is None and back["chunk"]["residual"] == 0.125
    assert back["nodes"][1]["latencies_ms"]["inference"] == [12.5, 30.0]
    assert back["well"] is True and len(back["troubles"]) == 1


def test_what_is_not_well_is_said() -> None:
    assert SEEN.well
    assert not Snapshot(domain=0).well and "No graph answers" in drawn(Snapshot(domain=0), 80)
    silent = replace(SEEN, nodes=(replace(POLICY, age_s=9.0),))
    assert not silent.well and silent.troubles[0].startswith("vla_policy: silent for 9 s")
    fault = replace(SEEN, nodes=(replace(POLICY, level="FAULT", fault="HOT", message="cool it"),))
    assert not fault.well and fault.troubles[0] == "vla_policy: HOT: cool it"
    down = replace(SEEN, nodes=(replace(POLICY, state="inactive"),))
    assert not down.well and down.troubles[0] == "vla_policy: is inactive, not active"
    assert not replace(SEEN, safety=replace(SEEN.safety, flags=(replace(FLAG, level="ERROR"),))).well
    failed = replace(SEEN, recorder=replace(SEEN.recorder, state="FAILED", message="the disk is full"))
    assert "recorder: the disk is full" in failed.troubles


def test_messages_become_views() -> None:
    health = NodeHealth(state="active", level=NodeHealth.DEGRADED, fault="SLOW", message="wait")
    values = {
        "scene age [s]": "inf", "scene rate [Hz]": "10.00", "inference p50 [ms]": "4.0", "inference p99 [ms]": "9.0",
        "holds": "12", "state": "active",
    }  # fmt: skip
    node = node_view("vla_policy", health, 0.5, values)
    assert node.level == "DEGRADED" and node.rates_hz == {"scene": 10.0} and math.isinf(node.ages_s["scene"])
    assert node.latencies_ms == {"inference": (4.0, 9.0)} and node.counts == {"holds": 12}
    chunk = chunk_view(ActionChunk(sequence=5, inference_seconds=0.25, residual_size=0.5), 0.1)
    assert chunk.sequence == 5 and chunk.inference_ms == 250.0 and chunk.residual == 0.5
    flag = SafetyFlag(name="NAN", level=SafetyFlag.ERROR, reaction="stop", latched=True)
    safety = safety_view(SafetyStatus(mode=SafetyStatus.STOPPED, flags=[flag]), 0.1)
    assert safety.mode == "STOPPED" and safety.raised[0].level == "ERROR"
    recorder = recorder_view(RecorderStatus(state=RecorderStatus.FAILED, message="full"), 0.1)
    assert recorder.state == "FAILED" and recorder.message == "full"


def test_a_plan_belongs_to_its_skill() -> None:
    plan = SkillPlan(plan_id=2, instruction="do both", planner="grammar", skills=[Skill(prompt="a"), Skill(prompt="b")])
    now = Skill(active=True, plan_id=2, index=1, prompt="b", attempt=1)
    assert task_view(now, plan) == TaskView("do both", ("a", "b"), "grammar", 1, 1)
    assert task_view(Skill(active=False), plan).current is None
    # A plan of before says nothing about what is done now.
    assert task_view(Skill(active=True, plan_id=3, prompt="c", attempt=1), plan).skills == ("c",)


def test_a_screen_needs_a_terminal() -> None:
    with pytest.raises(GraphError, match="--once"):
        Monitor().run()
