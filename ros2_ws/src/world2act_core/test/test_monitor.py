"""When a skill counts as going wrong, and what the sequencer does then."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from world2act_core.monitor import MonitorError, RunningScore, SkillMonitor, chunk_score, monitor_mode
from world2act_core.monitor_config import CalibrationFacts, MonitorConfig, Separation
from world2act_core.sequencer import SkillSequencer
from world2act_core.skill import Skill
from world2act_core.types import ActionChunk

SKILLS = (Skill("pick", "can"), Skill("place", "can", "bin"))
AREA = Separation(auc=0.9, interval=(0.8, 1.0), failures=10, successes=20)
FACTS = CalibrationFacts(
    created="2026-01-01T00:00:00+00:00", bundle_name="nano", bundle_sha256="0" * 64, weights={"policy.onnx": "1" * 64},
    protocol={}, false_alarm_limit=0.05, calibration_failures=10, calibration_successes=20, auc=AREA,
    auc_equal_length=AREA,
)  # fmt: skip
NAN = math.nan


def config(**values: Any) -> MonitorConfig:
    given = {"alarm_when": "below", "threshold": 0.5, "window": 2, "minimum_chunks": 2, "max_retries": 1} | values
    return MonitorConfig(enabled=True, score="alignment_score", calibration=FACTS, **given)


def verdicts(monitor: SkillMonitor, scores: list[float], skill: int = 0) -> str:
    """One letter per chunk: a for alarm, . for ok."""
    return "".join("a" if monitor.feed(skill, score) == "alarm" else "." for score in scores)


def test_the_mean_of_the_last_known_scores_is_compared_once_there_are_enough() -> None:
    # Means of two: -, 0.5, 0.4, 0.4, 0.6; an alarm needs less than 0.5.
    assert verdicts(SkillMonitor(config()), [0.4, 0.6, 0.2, 0.6, 0.6]) == "..aa."
    assert verdicts(SkillMonitor(config(window=4, minimum_chunks=3)), [0.0, 0.0, 0.0]) == "..a"
    assert verdicts(SkillMonitor(config(minimum_chunks=1)), [0.4]) == "a"


def test_large_values_can_be_the_bad_ones() -> None:
    # Means: -, 0.5, 0.6, 0.5: above 0.5 only the third.
    assert verdicts(SkillMonitor(config(alarm_when="above")), [0.4, 0.6, 0.6, 0.4]) == "..a."


@pytest.mark.parametrize("unknown", [NAN, math.inf, -math.inf])
def test_unknown_scores_never_alarm_and_do_not_count(unknown: float) -> None:
    monitor = SkillMonitor(config(minimum_chunks=1))
    assert verdicts(monitor, [unknown] * 50) == "." * 50 and math.isnan(monitor.running.mean)
    assert verdicts(monitor, [0.1, unknown, unknown, 0.2, unknown]) == "a..a."
    assert monitor.running.mean == pytest.approx(0.15)
    assert verdicts(SkillMonitor(config()), [unknown, 0.1, unknown, 0.1]) == "...a", "two known ones are needed"


def test_every_skill_and_every_attempt_starts_anew() -> None:
    monitor = SkillMonitor(config())
    assert verdicts(monitor, [0.1, 0.1], skill=0) == ".a"
    assert verdicts(monitor, [0.1], skill=1) == "." and monitor.running.mean == pytest.approx(0.1)
    assert verdicts(monitor, [0.9], skill=1) == "."


def test_an_alarm_ends_only_clearly_above_the_threshold() -> None:
    scores = [0.4, 0.55, 0.55, 0.65, 0.55]
    assert verdicts(SkillMonitor(config(window=1, minimum_chunks=1)), scores) == "a...."
    assert verdicts(SkillMonitor(config(window=1, minimum_chunks=1, hysteresis=0.1)), scores) == "aaa.."


def test_the_running_mean_says_when_there_is_nothing_to_judge() -> None:
    running = RunningScore(2, 2)
    assert [running.feed(7, score) for score in (0.2, NAN, 0.4, 0.6)] == pytest.approx(
        [NAN, NAN, 0.3, 0.5], nan_ok=True
    )
    assert (running.skill, running.count) == (7, 2)


def test_the_explanation_names_numbers() -> None:
    monitor = SkillMonitor(config())
    verdicts(monitor, [0.25, 0.25])
    assert "alignment score was 0.250" in monitor.explain() and "below 0.500" in monitor.explain()


def walk(sequencer: SkillSequencer, chunks: list[tuple[float, float]]) -> list[str]:
    """Statuses of chunks (done, score) that come every 0.4 s."""
    return [sequencer.update(done, 0.4 * i, score) for i, (done, score) in enumerate(chunks)]


def test_a_skill_starts_again_and_then_everything_is_over() -> None:
    sequencer = SkillSequencer(SKILLS, timeout_s=2.0, monitor=SkillMonitor(config()))
    assert walk(sequencer, [(0.0, 0.1), (0.0, 0.1)]) == ["running", "retry"]
    assert (sequencer.index, sequencer.retries, sequencer.number) == (0, 1, 2)
    # The clock of the time-out starts again too: 0.4 s + 2.0 s.
    assert [sequencer.update(0.0, second, NAN) for second in (2.3, 2.4)] == ["running", "timeout"]
    again = SkillSequencer(SKILLS, monitor=SkillMonitor(config()))
    assert walk(again, [(0.0, 0.1)] * 5) == ["running", "retry", "running", "stopped", "stopped"]
    assert again.index == 0 and not again.finished


def test_each_skill_has_its_own_retries_and_every_attempt_its_own_number() -> None:
    sequencer = SkillSequencer(SKILLS, consecutive=1, monitor=SkillMonitor(config()))
    seen = []
    for done, score in [(0, 0.1), (0, 0.1), (1, 0.9), (0, 0.1), (0, 0.1), (0, 0.9), (1, 0.9)]:
        seen.append((sequencer.number, sequencer.update(done, 0.0, score)))
    assert [number for number, _ in seen] == [0, 0, 2, 1, 1, 3, 3]
    assert [status for _, status in seen] == [
        "running", "retry", "advanced", "running", "retry", "running", "finished"
    ]  # fmt: skip
    assert sequencer.total_retries == 2


def test_being_done_comes_before_the_alarm() -> None:
    sequencer = SkillSequencer(SKILLS, consecutive=2, monitor=SkillMonitor(config(window=1, minimum_chunks=1)))
    assert walk(sequencer, [(0.9, 0.6), (0.9, 0.1)]) == ["running", "advanced"] and not sequencer.alarm


def test_without_acting_or_without_scores_nothing_changes() -> None:
    chunks = [(0.0, 0.1), (0.9, 0.1), (0.9, 0.1), (0.0, 0.1), (0.9, 0.1), (0.9, 0.1)]
    plain = walk(SkillSequencer(SKILLS), chunks)
    warned = SkillSequencer(SKILLS, monitor=SkillMonitor(config()), acts=False)
    assert walk(warned, chunks) == plain == ["running", "running", "advanced", "running", "running", "finished"]
    unknown = [(done, NAN) for done, _ in chunks]
    assert walk(SkillSequencer(SKILLS, monitor=SkillMonitor(config())), unknown) == plain
    assert walk(SkillSequencer(SKILLS, monitor=SkillMonitor(config()), acts=False), chunks[:2]) == plain[:2]


def test_what_is_asked_for_and_what_there_is() -> None:
    disabled = MonitorConfig(
        enabled=False, reason="it does not tell", score="alignment_score", alarm_when="below", calibration=FACTS
    )
    assert monitor_mode("auto", None) == monitor_mode("auto", disabled) == monitor_mode("off", config()) == "off"
    assert monitor_mode("auto", config()) == monitor_mode("retry", config()) == "retry"
    assert monitor_mode("warn", config()) == "warn"
    with pytest.raises(MonitorError, match="'retry' was asked for, but the bundle has no monitor.*calibrate-monitor"):
        monitor_mode("retry", None)
    with pytest.raises(MonitorError, match="'warn' was asked for, but the bundle's is not enabled: it does not tell"):
        monitor_mode("warn", disabled)
    with pytest.raises(MonitorError, match="no threshold: it does not tell"):
        SkillMonitor(disabled)


def test_scores_are_read_from_chunks_by_name() -> None:
    chunk = ActionChunk(0, 0.0, 0.1, np.zeros((8, 7), np.float32))
    assert math.isnan(chunk_score(chunk, "alignment_score")) and math.isnan(chunk_score(chunk, "residual_size"))

    class Message:
        alignment_score = 0.1
        residual_size = 0.25

    # As the message would carry it: 0.1 is not a float32.
    assert chunk_score(Message(), "alignment_score") == float(np.float32(0.1)) != 0.1
    assert chunk_score(Message(), "residual_size") == 0.25
