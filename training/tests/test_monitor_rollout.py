"""The in-process evaluation under a monitor: real physics, a policy that stands still and brings scores."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from training.evaluation.evaluate import EvaluateConfig, policy_identity
from training.evaluation.rollout import Episode, EpisodeOutcome, RolloutConfig, run_episode
from training.tests.synthetic_scores import scored_chunk
from world2act_core.bundle import Bundle
from world2act_core.manifest import Manifest, TextEncoderReference
from world2act_core.monitor import MonitorError
from world2act_core.monitor_config import CalibrationFacts, MonitorConfig, Separation
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk, FloatArray, Observation
from world2act_sim.world import TabletopWorld, WorldConfig

AREA = Separation(auc=0.9, interval=(0.8, 1.0), failures=10, successes=20)
FACTS = CalibrationFacts(
    created="2026-01-01T00:00:00Z", bundle_name="still", bundle_sha256="0" * 64, weights={"policy.onnx": "1" * 64},
    protocol={}, false_alarm_limit=0.05, calibration_failures=10, calibration_successes=20, auc=AREA,
    auc_equal_length=AREA,
)  # fmt: skip
MONITOR = MonitorConfig(
    enabled=True, score="alignment_score", alarm_when="below", threshold=0.5, window=1, minimum_chunks=1,
    calibration=FACTS,
)  # fmt: skip
CONFIG = RolloutConfig(skill_seconds=1.2)


class StillPolicy:
    """Moves nothing, and says 0.1, or what ``scores`` say in turn, of its alignment."""

    def __init__(self, *scores: float) -> None:
        self.contract = tabletop_contract()
        self.asked: list[int] = []
        self._scores = scores

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        """A chunk of zeros."""
        count = len(self.asked)
        self.asked.append(skill_id)
        return scored_chunk(observation.time_s, self._scores[count] if count < len(self._scores) else 0.1)


@pytest.fixture(scope="module")
def world() -> Iterator[TabletopWorld]:
    world = TabletopWorld(WorldConfig())
    yield world
    world.close()


def run(
    world: TabletopWorld, policy: StillPolicy, config: RolloutConfig = CONFIG, monitor: MonitorConfig | None = MONITOR
) -> EpisodeOutcome:
    return run_episode(world, policy, Episode("pick", "seen", 5), config, monitor=monitor)


def test_low_scores_start_the_skill_again_and_then_stop_it(world: TabletopWorld) -> None:
    policy = StillPolicy(0.9)
    outcome = run(world, policy)
    row = json.loads(json.dumps(outcome.to_json()))
    # A good chunk, then an alarm at each of three attempts: as in the graph.
    assert policy.asked == row["chunk_attempts"] == [0, 0, 1, 2] and row["ending"] == "stopped"
    assert (row["retries"], row["alarms"], row["inferences"], row["seconds"]) == (2, 3, 4, 1.2)
    assert row["chunk_seconds"] == pytest.approx([0.0, 0.4, 0.8, 1.2]) and not row["success"]
    assert row["alignment_chunks"] == pytest.approx([0.9, 0.1, 0.1, 0.1]) and row["alignment"] == pytest.approx(0.3)
    assert row["residual_chunks"] == pytest.approx([0.45, 0.05, 0.05, 0.05])


def test_without_a_monitor_everything_is_as_before(world: TabletopWorld) -> None:
    plain = run(world, StillPolicy(), monitor=None).to_json()
    assert (plain["ending"], plain["chunk_attempts"], plain["retries"], plain["alarms"]) == ("timeout", [0] * 4, 0, 0)
    assert run(world, StillPolicy(), replace(CONFIG, monitor="off")).to_json() == plain
    warned = run(world, StillPolicy(), replace(CONFIG, monitor="warn")).to_json()
    assert warned == {**plain, "alarms": 4}
    unknown = run(world, StillPolicy(*[math.nan] * 9)).to_json()
    nothing = dict.fromkeys(("alignment", "alignment_chunks", "residual_size", "residual_chunks"))
    assert unknown == {**plain, **nothing}
    with pytest.raises(MonitorError, match="'warn' was asked for, but the bundle has no monitor"):
        run(world, StillPolicy(), replace(CONFIG, monitor="warn"), None)


def test_a_monitor_is_part_of_the_identity_and_its_absence_is_not() -> None:
    files = {"policy.onnx": "1" * 64, "contract.yaml": "2" * 64, "monitor.yaml": "3" * 64}
    text = TextEncoderReference(folder="../encoder", sha256={"model.onnx": "4" * 64})
    manifest = Manifest(name="still", created="", licence="", world2act_version="0.1.0", files=files, text_encoder=text)
    watched = Bundle(Path("still"), manifest, tabletop_contract(), "5" * 64, monitor=MONITOR)
    config = EvaluateConfig()
    # As it was computed before there were monitors, so that older results are found again.
    names = ("done_threshold", "consecutive", "skill_seconds", "execute_steps", "blend_seconds", "wording", "prompts")
    rollout = {name: getattr(config.rollout, name) for name in (*names, "workspace_low", "workspace_high")}
    parts = {"policy": "1" * 64, "contract": "2" * 64, "text": text.sha256, "rollout": rollout, "robot": "Panda"}
    before = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    off = replace(config, rollout=RolloutConfig(monitor="off"))
    warned = replace(config, rollout=RolloutConfig(monitor="warn"))
    assert policy_identity(replace(watched, monitor=None), config) == policy_identity(watched, off) == before
    assert len({before, policy_identity(watched, config), policy_identity(watched, warned)}) == 3
