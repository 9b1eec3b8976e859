from __future__ import annotations

import pytest

from world2act_core import EXTENDED_VOCABULARY, TABLETOP_VOCABULARY, ObjectEntry, Vocabulary
from world2act_core.skill import Skill, SkillError


def test_canonical_prompts() -> None:
    assert Skill("pick", "red cube").prompt == "pick up the red cube"
    assert Skill("place", "red cube", "bin").prompt == "put the red cube in the bin"
    assert Skill("place", "red cube", "plate").prompt == "put the red cube on the plate"
    assert Skill("stack", "red cube", "green cube").prompt == "stack the red cube on the green cube"


def test_the_vocabulary_is_large_enough_and_unseen_objects_are_apart() -> None:
    assert len(TABLETOP_VOCABULARY.graspable_names) >= 8
    assert TABLETOP_VOCABULARY.support_names("place") == ("bin", "plate")
    assert set(EXTENDED_VOCABULARY.graspable_names) - set(TABLETOP_VOCABULARY.graspable_names) == {
        "lemon",
        "cereal box",
        "bottle",
    }
    assert TABLETOP_VOCABULARY.find("lemon") is None


@pytest.mark.parametrize(
    ("skill", "message"),
    [
        (Skill("pick", "bin"), "'bin' cannot be grasped"),
        (Skill("pick", "unicorn"), "'unicorn' cannot be grasped; these can: red cube"),
        (Skill("pick", "can", "bin"), "takes no support"),
        (Skill("place", "can"), "'None' cannot be the support"),
        (Skill("place", "can", "red cube"), "'red cube' cannot be the support; these can: bin, plate"),
        (Skill("stack", "red cube", "red cube"), "its own support"),
        (Skill("stack", "red cube", "orange ball"), "cannot be the support"),
    ],
)
def test_validation_says_what_is_wrong(skill: Skill, message: str) -> None:
    with pytest.raises(SkillError, match=message):
        skill.validate(TABLETOP_VOCABULARY)


def test_a_skill_not_learnt_is_refused() -> None:
    only_pick = Vocabulary(skills=("pick",), objects=TABLETOP_VOCABULARY.objects)
    Skill("pick", "can").validate(only_pick)
    with pytest.raises(SkillError, match="not one of pick"):
        Skill("place", "can", "bin").validate(only_pick)


def test_names_must_be_unique() -> None:
    with pytest.raises(ValueError, match="twice: mug"):
        Vocabulary(skills=("pick",), objects=(ObjectEntry(name="mug"), ObjectEntry(name="mug")))
