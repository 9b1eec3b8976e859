from __future__ import annotations

import pytest

from world2act_core.sequencer import SkillSequencer
from world2act_core.skill import Skill

SKILLS = (Skill("pick", "can"), Skill("place", "can", "bin"))


def test_advances_only_after_consecutive_reports() -> None:
    sequencer = SkillSequencer(SKILLS)
    answers = [sequencer.update(done, k * 0.4) for k, done in enumerate([0.9, 0.1, 0.5, 0.6, 0.9, 0.9, 0.0])]
    assert answers == ["running", "running", "running", "advanced", "running", "finished", "finished"]
    assert sequencer.finished and sequencer.current == SKILLS[1] and sequencer.index == 1


def test_not_a_number_is_not_done() -> None:
    sequencer = SkillSequencer(SKILLS, consecutive=1)
    assert sequencer.update(float("nan"), 0.0) == "running"


def test_each_skill_has_its_own_time_and_a_timeout_is_final() -> None:
    sequencer = SkillSequencer(SKILLS, consecutive=1, timeout_s=10.0)
    assert sequencer.update(0.0, 100.0) == "running"
    assert sequencer.update(1.0, 109.0) == "advanced"
    assert sequencer.update(0.0, 118.9) == "running"
    assert sequencer.update(0.0, 119.0) == "timeout"
    assert sequencer.update(1.0, 119.1) == "timeout"
    assert not sequencer.finished


def test_start_sets_the_clock_and_success_beats_the_clock() -> None:
    sequencer = SkillSequencer(SKILLS[:1], consecutive=1, timeout_s=5.0)
    sequencer.start(0.0)
    assert sequencer.update(1.0, 50.0) == "finished"
    late = SkillSequencer(SKILLS[:1], timeout_s=5.0)
    late.start(0.0)
    assert late.update(0.0, 5.0) == "timeout"


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SkillSequencer(())
    with pytest.raises(ValueError, match="consecutive"):
        SkillSequencer(SKILLS, consecutive=0)
