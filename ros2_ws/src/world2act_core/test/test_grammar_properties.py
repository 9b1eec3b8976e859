from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from world2act_core import EXTENDED_VOCABULARY, TABLETOP_VOCABULARY
from world2act_core.grammar import MAX_SKILLS, GrammarPlanner, PlanError
from world2act_core.skill import Skill
from world2act_core.words import PHRASES

PLANNER = GrammarPlanner(TABLETOP_VOCABULARY)
ALL_SKILLS = [
    *(Skill("pick", target) for target in TABLETOP_VOCABULARY.graspable_names),
    *(
        Skill(kind, target, support)
        for kind in ("place", "stack")
        for target in TABLETOP_VOCABULARY.graspable_names
        for support in TABLETOP_VOCABULARY.support_names(kind)  # type: ignore[arg-type]
        if support != target
    ),
]  # fmt: skip
CONNECTORS = (
    ", ", "; ", ". ", " and ", " then ", ", then ", " and then ", ", and then ", ". After that, ", ", after that ",
    ", finally ", ". Next, ", "\n", " followed by ", "! ", " & ", ", afterwards ",
)  # fmt: skip
BEGINNINGS = ("", "please ", "Could you ", "first, ", "now ", "can you please ", "Robot, ", "I want you to ")
ENDINGS = ("", ".", "!", " please", ", thanks", " for me")
KNOWN_WORDS = sorted(
    {" ".join(phrase) for phrase in PHRASES}
    | {name for entry in TABLETOP_VOCABULARY.objects for name in entry.names}
    | {"red", "green", "cube", ",", ".", "2", "the", "unicorn", "\n"}
)


def check_any_text(text: str) -> None:
    with contextlib.suppress(PlanError):
        plan = PLANNER.plan(text)
        assert 1 <= len(plan.skills) <= MAX_SKILLS
        for skill in plan.skills:
            skill.validate(TABLETOP_VOCABULARY)
        assert PLANNER.plan(text) == plan


@settings(max_examples=500)
@given(st.text(max_size=1200))
def test_any_text_is_planned_or_refused(text: str) -> None:
    check_any_text(text)


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(KNOWN_WORDS), max_size=25))
def test_any_sentence_of_known_words_is_planned_or_refused(words: list[str]) -> None:
    check_any_text(" ".join(words))


@pytest.mark.parametrize("skill", ALL_SKILLS, ids=lambda skill: skill.prompt)
def test_every_canonical_prompt_comes_back(skill: Skill) -> None:
    assert PLANNER.plan(skill.prompt).skills == (skill,)
    assert GrammarPlanner(EXTENDED_VOCABULARY).plan(skill.prompt).skills == (skill,)


@pytest.mark.parametrize("entry", EXTENDED_VOCABULARY.objects, ids=lambda entry: entry.name)
def test_every_synonym_means_its_object(entry) -> None:  # type: ignore[no-untyped-def]
    planner = GrammarPlanner(EXTENDED_VOCABULARY)
    for name in entry.names:
        if entry.graspable:
            assert planner.plan(f"grab the {name}").skills == (Skill("pick", entry.name),)
        else:
            text = f"put the orange ball {entry.preposition} the {name}"
            assert planner.plan(text).skills == (Skill("place", "orange ball", entry.name),)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(ALL_SKILLS), min_size=1, max_size=MAX_SKILLS),
    st.lists(st.sampled_from(CONNECTORS), min_size=MAX_SKILLS, max_size=MAX_SKILLS),
    st.sampled_from(BEGINNINGS),
    st.sampled_from(ENDINGS),
    st.booleans(),
)
def test_composites_come_back(
    skills: list[Skill], connectors: list[str], beginning: str, ending: str, shout: bool
) -> None:
    text = skills[0].prompt
    for skill, connector in zip(skills[1:], connectors, strict=False):
        text += connector + skill.prompt
    text = beginning + text + ending
    assert PLANNER.plan(text.upper() if shout else text).skills == tuple(skills)
