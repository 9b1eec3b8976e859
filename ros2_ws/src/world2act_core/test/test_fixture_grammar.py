"""Opening, closing, pressing and pushing in words, on a table that has a drawer and a button."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from world2act_core import FIXTURE_VOCABULARY, TABLETOP_VOCABULARY, fixture_vocabulary
from world2act_core.grammar import MAX_SKILLS, GrammarPlanner, PlanError
from world2act_core.skill import Skill, SkillError
from world2act_core.tabletop import tabletop_contract
from world2act_core.words import BASE_LEXICON, lexicon_for

PLANNER = GrammarPlanner(FIXTURE_VOCABULARY)
ALL_SKILLS = [
    Skill("open", "drawer"),
    Skill("close", "drawer"),
    Skill("press", "button"),
    Skill("pick", "can"),
    Skill("place", "bread", "bin"),
    Skill("stack", "red cube", "green cube"),
    *(Skill("push", name, side) for name in FIXTURE_VOCABULARY.action_names("push") for side in ("left", "right")),
]
CONNECTORS = (", ", "; ", " and ", " then ", ", and then ", ". After that, ", "\n", " & ")
LEXICON = lexicon_for(FIXTURE_VOCABULARY.skills)
KNOWN_WORDS = sorted(
    {" ".join(phrase) for phrase in LEXICON.phrases}
    | {name for entry in FIXTURE_VOCABULARY.objects for name in entry.names}
    | {"red", "cube", "side", ",", ".", "the", "unicorn", "closed"}
)

FIXTURE_WORDS = (
    "open", "close", "press", "push", "slide", "pull", "shut", "move", "put", "drawer", "button", "red", "cube", "can",
    "left", "right", "to", "it", "there", "the", "and", "on", ",", "out", "side",
)  # fmt: skip


def skills(text: str) -> str:
    plan = PLANNER.plan(text).skills
    return "; ".join(" ".join(filter(None, (skill.kind, skill.target, skill.support))) for skill in plan)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open the drawer", "open drawer"), ("Could you pull the drawer open?", "open drawer"),
        ("slide open the cabinet, please", "open drawer"), ("pull out the drawer", "open drawer"),
        ("start by opening the drawer", "open drawer"), ("shut the drawer", "close drawer"),
        ("push the drawer shut", "close drawer"), ("push the drawer", "close drawer"),
        ("close the drawer now", "close drawer"), ("press the button", "press button"),
        ("slide the drawer open", "open drawer"), ("slide the drawer shut", "close drawer"),
        ("push the drawer closed", "close drawer"), ("open the drawer, then close", "open drawer; close drawer"),
        ("put the can right in the bin", "place can bin"),
        ("push the red cube to the right on the table", "push red cube right"),
        ("push the button", "press button"), ("hit the switch", "press button"),
        ("press down on the button", "press button"), ("push the button on the table", "press button"),
        ("push the red cube to the left", "push red cube left"), ("slide the red block right", "push red cube right"),
        ("shove the red one over to the right side", "push red cube right"),
        ("move the bread to the left side of the table", "push bread left"),
        ("to the left, push the red cube", "push red cube left"),
        ("open the drawer and close it", "open drawer; close drawer"),
        ("open the drawer, then press the button", "open drawer; press button"),
        ("pick up the can, open the drawer, then put it in the bin", "pick can; open drawer; place can bin"),
        ("push the red cube to the left and the green one to the right", "push red cube left; push green cube right"),
        ("push the red cube to the left and the bread too", "push red cube left; push bread left"),
        ("press the button, push the purple brick to the right and put it in the bin",
         "press button; push purple brick right; place purple brick bin"),
        ("close the drawer before pressing the button", "close drawer; press button"),
    ],
)  # fmt: skip
def test_ways_to_say_it(text: str, expected: str) -> None:
    assert skills(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("open the can", "UNKNOWN_SKILL", "cannot open 'can'"),
        ("open it", "AMBIGUOUS", "what should I open"),
        ("open the door", "UNKNOWN_OBJECT", "'door'"),
        ("close the button", "UNKNOWN_SKILL", "cannot close 'button'"),
        ("open the drawer and press it", "UNKNOWN_SKILL", "cannot press 'it'"),
        ("press the drawer", "UNKNOWN_SKILL", "cannot press"),
        ("open the drawer to the left", "UNKNOWN_SKILL", "to left"),
        ("push the red cube", "AMBIGUOUS", "to which side should I push the red cube"),
        ("slide the drawer", "UNKNOWN_SKILL", "cannot push"),
        ("push the can to the left", "UNKNOWN_SKILL", "cannot push 'can'"),
        ("push the red cube into the bin", "UNKNOWN_SKILL", "only to the left or to the right"),
        ("push the red cube to the table", "UNKNOWN_SKILL", "only to the left or to the right"),
        ("push the red cube to the left to the right", "AMBIGUOUS", "one place only"),
        ("put the can on the left", "UNKNOWN_SKILL", "on the left"),
        ("stack the red cube to the left", "UNKNOWN_SKILL", "left"),
        ("put the can in the drawer", "UNKNOWN_SKILL", "in or on 'drawer'"),
        ("pick up the drawer", "UNKNOWN_SKILL", "'drawer': it stays where it is"),
        ("open", "AMBIGUOUS", "what should I open"),
        ("push", "AMBIGUOUS", "what should I push"),
    ],
)
def test_what_is_not_clear_is_refused(text: str, code: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        PLANNER.plan(text)
    assert caught.value.code == code and said in caught.value.message, caught.value.message
    assert "open the drawer" in caught.value.message, "a refusal says what can be asked for"


def test_without_fixtures_nothing_has_changed() -> None:
    plain = GrammarPlanner(TABLETOP_VOCABULARY)
    for text in ("open the drawer", "push the red cube to the left", "press the button", "shut the can"):
        with pytest.raises(PlanError) as caught:
            plain.plan(text)
        assert caught.value.code == "UNKNOWN_SKILL" and f"'{text.split()[0]}" in caught.value.message
    assert lexicon_for(TABLETOP_VOCABULARY.skills) is BASE_LEXICON and fixture_vocabulary(()) is TABLETOP_VOCABULARY
    assert "actions" not in tabletop_contract().to_text()


def test_a_table_with_a_button_only_knows_no_drawer() -> None:
    vocabulary = fixture_vocabulary(("button",))
    assert vocabulary.skills == ("pick", "place", "stack", "press", "push") and vocabulary.find("drawer") is None
    with pytest.raises(KeyError, match="'lamp'; there are: drawer, button"):
        fixture_vocabulary(("lamp",))


def test_the_contract_keeps_what_can_be_done() -> None:
    contract = tabletop_contract(vocabulary=FIXTURE_VOCABULARY)
    again = type(contract).from_text(contract.to_text())
    assert again == contract and again.vocabulary.action_names("press") == ("button",)


@pytest.mark.parametrize(
    ("skill", "message"),
    [
        (Skill("open", "button"), "'button' cannot be used for 'open'; these can: drawer"),
        (Skill("press", "button", "bin"), "press takes no support"),
        (Skill("push", "can", "left"), "'can' cannot be used for 'push'; these can: red cube"),
        (Skill("push", "red cube", "bin"), "'bin' cannot be the support; these can: left, right"),
        (Skill("place", "red cube", "left"), "cannot be the support; these can: bin, plate"),
        (Skill("pick", "drawer"), "'drawer' cannot be grasped"),
    ],
)
def test_validation_says_what_is_wrong(skill: Skill, message: str) -> None:
    with pytest.raises(SkillError, match=message):
        skill.validate(FIXTURE_VOCABULARY)


@pytest.mark.parametrize("skill", ALL_SKILLS, ids=lambda skill: skill.prompt)
def test_every_canonical_prompt_comes_back(skill: Skill) -> None:
    skill.validate(FIXTURE_VOCABULARY)
    assert PLANNER.plan(skill.prompt).skills == (skill,)


def check_any_text(text: str) -> None:
    with contextlib.suppress(PlanError):
        plan = PLANNER.plan(text)
        assert 1 <= len(plan.skills) <= MAX_SKILLS
        for skill in plan.skills:
            skill.validate(FIXTURE_VOCABULARY)
        assert PLANNER.plan(text) == plan


@settings(max_examples=50)
@given(st.text(max_size=300))
def test_any_text_is_planned_or_refused(text: str) -> None:
    check_any_text(text)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(KNOWN_WORDS), max_size=20))
def test_any_sentence_of_known_words_is_planned_or_refused(words: list[str]) -> None:
    check_any_text(" ".join(words))


@settings(max_examples=300)
@given(st.lists(st.sampled_from(FIXTURE_WORDS), max_size=12))
def test_any_sentence_about_fixtures_is_planned_or_refused(words: list[str]) -> None:
    check_any_text(" ".join(words))


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(ALL_SKILLS), min_size=1, max_size=MAX_SKILLS),
    st.lists(st.sampled_from(CONNECTORS), min_size=MAX_SKILLS, max_size=MAX_SKILLS),
    st.sampled_from(("", "please ", "Could you ", "Robot, ")),
    st.booleans(),
)
def test_composites_come_back(wanted: list[Skill], connectors: list[str], beginning: str, shout: bool) -> None:
    text = beginning + wanted[0].prompt
    for skill, connector in zip(wanted[1:], connectors, strict=False):
        text += connector + skill.prompt
    assert PLANNER.plan(text.upper() if shout else text).skills == tuple(wanted)
