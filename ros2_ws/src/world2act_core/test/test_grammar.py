from __future__ import annotations

import pytest

from world2act_core import EXTENDED_VOCABULARY, TABLETOP_VOCABULARY, ObjectEntry, Vocabulary
from world2act_core.grammar import GrammarPlanner, Plan, PlanError
from world2act_core.skill import Skill

PLANNER = GrammarPlanner(TABLETOP_VOCABULARY)


def skills(text: str) -> str:
    """The plan in short: "pick can; place can bin"."""
    plan = PLANNER.plan(text).skills
    return "; ".join(" ".join(filter(None, (skill.kind, skill.target, skill.support))) for skill in plan)


def refusal(text: str, vocabulary: Vocabulary = TABLETOP_VOCABULARY) -> PlanError:
    with pytest.raises(PlanError) as caught:
        GrammarPlanner(vocabulary).plan(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "pick up the red cube", "Pick the red cube up!", "grab the red block, please", "take the red one",
        "could you lift up the red cube for me?", "Hey robot, can you get a red cube now", "GRASP RED CUBE",
        "I'd like you to pick up that little red cube", "go ahead and fetch the red box from the table",
        "please use the gripper to take hold of the red cube", "pick-up the red-cube", "‘pick up’ the “red cube”",
        "would you mind picking up the red cube", "lift the red thing off the table", "1. pick up the red cube",
        "pick up the red cube that is on the plate", "take the red cube out of the bin", "pick\tup\nthe red\x07cube",
        "remove the red cube from the top of the green cube", "hold the red cu\u200bbe",
    ],
)  # fmt: skip
def test_ways_to_say_pick(text: str) -> None:
    assert skills(text) == "pick red cube"


@pytest.mark.parametrize(
    "text",
    [
        "put the can in the bin", "place the soda can into the basket", "drop the can inside the container",
        "throw a tin in the trash can", "toss the coke into the garbage", "move the can to the bin",
        "can you put the can in the bin", "could you please bring the can over to the bin?", "take the can to the bin",
        "into the bin, put the can", "put in the bin the can", "the can goes in the bin", "can in bin",
        "I want the can to be in the bin", "make sure the can is in the bin", "pick and place the can in the bin",
        "set the can down in the bin, thanks", "move the can from the plate into the bin", "get the can into the bin",
    ],
)  # fmt: skip
def test_ways_to_say_place(text: str) -> None:
    assert skills(text) == "place can bin"


@pytest.mark.parametrize(
    "text",
    [
        "stack the red cube on the green cube", "put the red cube on the green cube", "red on green",
        "place the red block on top of the green block", "pile the red cube onto the green one",
        "set the red one atop the green one", "now balance the red cube on the green block, gently",
        "place the red cube over the green cube", "on the green cube put the red cube",
        "I need the red box on top of the green box", "move the red cube onto the green cube",
    ],
)  # fmt: skip
def test_ways_to_say_stack(text: str) -> None:
    assert skills(text) == "stack red cube green cube"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pick up the can and put it in the bin", "pick can; place can bin"),
        ("grab the can to put it in the bin", "pick can; place can bin"),
        ("pick up the can before putting it in the bin", "pick can; place can bin"),
        ("after picking up the can, place it on the plate", "pick can; place can plate"),
        ("take the milk, then into the bin", "pick milk carton; place milk carton bin"),
        ("put the can in the bin, then stack the red cube on the green one",
         "place can bin; stack red cube green cube"),
        ("first put the loaf on the dish; after that drop the ball in the bin. Finally, pick up the purple one",
         "place bread plate; place orange ball bin; pick purple brick"),
        ("put the can and the bread in the bin", "place can bin; place bread bin"),
        ("put the can, the milk and the bread on the plate",
         "place can plate; place milk carton plate; place bread plate"),
        ("put the bread on the plate and the can in the bin", "place bread plate; place can bin"),
        ("put the bread on the plate and the can there too", "place bread plate; place can plate"),
        ("put the can in the bin and the bread too", "place can bin; place bread bin"),
        ("pick up the can, then the bread", "pick can; pick bread"),
        ("stack red on green and blue on red", "stack red cube green cube; stack blue cube red cube"),
        ("stack the green cube on the blue cube then put the red cube on it",
         "stack green cube blue cube; stack red cube green cube"),
        ("take the red block, put it on the blue block and put the green block on top of it",
         "pick red cube; stack red cube blue cube; stack green cube red cube"),
        ("put the bread on the plate, then pick it up and throw it in the bin",
         "place bread plate; pick bread; place bread bin"),
        ("1) pick up the can 2) put it in the bin", "pick can; place can bin"),
        ("pick up the can 2. put it on the plate", "pick can; place can plate"),
        ("pick up the can\nput it in the bin", "pick can; place can bin"),
        ("put the red box in the box", "place red cube bin"),
        ("stack the can on the plate", "place can plate"),
    ],
)  # fmt: skip
def test_composites(text: str, expected: str) -> None:
    assert skills(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "EMPTY_INSTRUCTION", "empty"),
        (" \t\n.,;\x00", "EMPTY_INSTRUCTION", "empty"),
        ("please!", "EMPTY_INSTRUCTION", "'please!' asks for nothing"),
        ("a" * 10_000, "INSTRUCTION_TOO_LONG", "10000 characters, at most 1000"),
        ("put the unicorn in the bin", "UNKNOWN_OBJECT", "'unicorn'"),
        ("put the can in the big drawer", "UNKNOWN_OBJECT", "'big drawer'"),
        ("pick up the can and the unicorn", "UNKNOWN_OBJECT", "'unicorn'"),
        ("pick up the \U0001f34e", "UNKNOWN_OBJECT", "'\U0001f34e'"),
        ("pick up the red cub", "UNKNOWN_OBJECT", "Did you mean 'red cube'"),
        ("pick up the yellow cube", "UNKNOWN_OBJECT", "'yellow cube'"),
        ("pick up the lemon", "UNKNOWN_OBJECT", "'lemon'"),
        ("take the can from the drawer", "UNKNOWN_OBJECT", "'drawer'"),
        ("pick up the can on the shelf", "UNKNOWN_OBJECT", "'shelf'"),
        ("put the can in the can can", "UNKNOWN_OBJECT", "'can can'"),
        ("open the drawer", "UNKNOWN_SKILL", "'open the drawer'"),
        ("pick up the can and dance", "UNKNOWN_SKILL", "'dance'"),
        ("polish the can", "UNKNOWN_SKILL", "'polish the can'"),
        ("polish red cube", "UNKNOWN_SKILL", "'polish red cube'"),
        ("where is the can?", "UNKNOWN_SKILL", "'where is the can'"),
        ("the can is in the bin", "UNKNOWN_SKILL", "is"),
        ("leave the can in the bin", "UNKNOWN_SKILL", "leave"),
        ("don't pick up the can", "UNKNOWN_SKILL", "'don't'"),
        ("pick up the can but not the bread", "UNKNOWN_SKILL", "not"),
        ("put the can next to the bin", "UNKNOWN_SKILL", "'next to bin'"),
        ("put the can on the table", "UNKNOWN_SKILL", "table"),
        ("put the can on the ball", "UNKNOWN_SKILL", "on 'ball'"),
        ("put the can in the red cube", "UNKNOWN_SKILL", "in the red cube"),
        ("put the can on the can", "UNKNOWN_SKILL", "'can'"),
        ("put the red cube on the red cube", "UNKNOWN_SKILL", "red cube on itself"),
        ("stack the red cube on top of itself", "AMBIGUOUS", "itself"),
        ("pick up the bin", "UNKNOWN_SKILL", "'bin': it stays where it is"),
        ("put everything in the bin", "AMBIGUOUS", "'everything' may be several objects"),
        ("put the cubes in the bin", "AMBIGUOUS", "'cubes' may be several objects"),
        ("put the other one in the bin", "AMBIGUOUS", "'other'"),
        ("pick up the can and the bread and put them in the bin", "AMBIGUOUS", "'them'"),
        ("pick up the cube", "AMBIGUOUS", "the red cube, the green cube, the blue cube; say which"),
        ("pick up the can or the bread", "AMBIGUOUS", "'or'"),
        ("pick it up", "AMBIGUOUS", "'it'"),
        ("put the can there", "AMBIGUOUS", "'there'"),
        ("put the can", "AMBIGUOUS", "where should the can go"),
        ("throw away the can and pick up the bread", "AMBIGUOUS", "where should the can go"),
        ("the red cube", "AMBIGUOUS", "what should I do with the red cube"),
        ("in the bin", "AMBIGUOUS", "'in bin'"),
        ("put the can in", "AMBIGUOUS", "'in' what"),
        ("pick up", "AMBIGUOUS", "what should I pick up"),
        ("put", "AMBIGUOUS", "what should I put"),
        ("get the can in the bin", "AMBIGUOUS", "put ... in the bin"),
        ("put the can in the bin on the plate", "AMBIGUOUS", "one place only"),
        ("stack the can and the bread on the red cube", "AMBIGUOUS", "for each object"),
        ("put the green cube on the plate, then the red cube on it", "AMBIGUOUS", "'it'"),
        ("put the can in the bin after picking up the bread", "AMBIGUOUS", "'after'"),
        ("before picking up the bread, put the can in the bin", "AMBIGUOUS", "'before'"),
        (", ".join(["pick up the can"] * 9), "TOO_MANY_SKILLS", "more than 8"),
    ],
)  # fmt: skip
def test_refusals_name_the_problem_and_list_what_is_possible(text: str, code: str, said: str) -> None:
    error = refusal(text)
    assert error.code == code
    assert said in error.message
    for ability in ("pick up X", "put X in the bin", "put X on the plate", "stack X on", "purple brick", "milk carton"):
        assert ability in error.message
    assert error.message.isprintable() and len(error.message) < 700


def test_the_plan_keeps_the_instruction_and_takes_eight_skills() -> None:
    text = ", ".join(["pick up the can"] * 8)
    assert PLANNER.plan(text) == Plan(text, (Skill("pick", "can"),) * 8)


def test_the_vocabulary_decides_what_is_known() -> None:
    assert GrammarPlanner(EXTENDED_VOCABULARY).plan("put the lemon in the bin").skills == (
        Skill("place", "lemon", "bin"),
    )
    only_pick = Vocabulary(skills=("pick",), objects=TABLETOP_VOCABULARY.objects)
    assert refusal("put the can in the bin", only_pick).code == "UNKNOWN_SKILL"
    assert "stack" not in refusal("open it", only_pick).message
    kitchen = Vocabulary(
        skills=("pick", "place"),
        objects=(
            ObjectEntry(name="salt and pepper mill", synonyms=("mill",)),
            ObjectEntry(name="sink", graspable=False, supports=("place",), preposition="in"),
        ),
    )
    # A connector inside a name, and a support that Tabletop does not have.
    assert GrammarPlanner(kitchen).plan("put the salt and pepper mill in the sink").skills == (
        Skill("place", "salt and pepper mill", "sink"),
    )
