"""One prompt per segment: by the grammar, and by a language model that may answer anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from training.common.errors import DatasetError
from training.skills.decompose import Discarded, GrammarDecomposer, atomic_prompt
from training.skills.language_model import (
    REFUSALS_IN_A_ROW,
    AskError,
    AskErrorCode,
    LanguageModelConfig,
    LanguageModelDecomposer,
    LanguageModelError,
    SegmentPrompts,
    endpoint_asker,
)
from training.skills.segment import Segment
from training.skills.template import load_template
from world2act_core.vocabulary import TABLETOP_VOCABULARY

PICK = Segment(0, 20, "grasp", ends_holding=True)
PUT_HELD = Segment(20, 50, "grasp", starts_holding=True)
WHOLE = Segment(0, 50, "grasp")
TOUCH = Segment(50, 70, "touch")


class Fake:
    """Answers with the given sentences, numbered from 1, or raises."""

    def __init__(self, *sentences: str, code: AskErrorCode | None = None, numbers: Sequence[int] | None = None) -> None:
        self.sentences, self.code, self.numbers = sentences, code, numbers
        self.questions: list[tuple[str, str]] = []

    def ask(self, system: str, user: str, schema: type[Any]) -> Any:
        self.questions.append((system, user))
        if self.code:
            raise AskError(self.code, "as told")
        numbers = self.numbers or range(1, len(self.sentences) + 1)
        return schema(prompts=[{"segment": n, "prompt": text} for n, text in zip(numbers, self.sentences)])

    def close(self) -> None:
        pass


def by_grammar(instruction: str, *segments: Segment) -> list[str]:
    prompts = GrammarDecomposer(TABLETOP_VOCABULARY).decompose(instruction, segments, 10.0)
    assert len(prompts) == len(segments)
    return [prompt.text for prompt in prompts]


def by_model(fake: Fake, *segments: Segment) -> list[str]:
    decomposer = LanguageModelDecomposer(fake, load_template(), TABLETOP_VOCABULARY)
    return [prompt.text for prompt in decomposer.decompose("put the can in the bin", segments, 10.0)]


def test_the_gripper_decides_whether_pick_and_put_are_one_clip_or_two() -> None:
    instruction = "take the can and put it in the bin"
    assert by_grammar(instruction, WHOLE) == ["put the can in the bin"]
    assert by_grammar(instruction, PICK, PUT_HELD) == ["pick up the can", "put the can in the bin"]


def test_composites_are_dealt_out_in_order() -> None:
    text = (
        "pick up the can, put it in the bin, then grab the red cube and stack it on the blue cube, then lift the bread"
    )
    assert by_grammar(text, PICK, PUT_HELD, WHOLE, PICK) == [
        "pick up the can",
        "put the can in the bin",
        "stack the red cube on the blue cube",
        "pick up the bread",
    ]
    again = "pick up the can, then take the can and put it on the plate"
    assert by_grammar(again, PICK, PUT_HELD) == ["pick up the can", "put the can on the plate"]
    assert by_grammar(again, WHOLE) == ["put the can on the plate"]


@pytest.mark.parametrize(
    ("instruction", "segments", "reason"),
    [
        ("put the can in the bin", (WHOLE, WHOLE), "count_mismatch"),
        ("put the can in the bin and the bread too", (WHOLE,), "count_mismatch"),
        ("pick up the can", (WHOLE,), "count_mismatch"),  # it was let go, nobody asked for that
        ("put the can in the bin", (PICK,), "count_mismatch"),  # it was never let go
        ("polish the can", (WHOLE,), "not_understood"),
        ("", (WHOLE,), "not_understood"),
    ],
)
def test_what_does_not_fit_is_discarded_with_a_reason(
    instruction: str, segments: tuple[Segment, ...], reason: str
) -> None:
    with pytest.raises(Discarded) as caught:
        by_grammar(instruction, *segments)
    assert caught.value.reason == reason


def test_model_answers_are_checked_one_by_one() -> None:
    assert by_model(Fake("pick up the can.", "put  the can\nin the bin"), PICK, PUT_HELD) == [
        "pick up the can",
        "put the can in the bin",
    ]
    wrong = {
        "count_mismatch": [Fake("put the can in the bin"), Fake("a", "b", "c"), Fake()],
        "bad_prompt": [
            Fake("a", "b", numbers=[0, 1]),
            Fake("a", "b", numbers=[2, 1]),
            Fake("a", " "),
            Fake("a", "b" * 201),
        ],
        "llm_refused": [Fake(code="REFUSED")],
        "llm_nonsense": [Fake(code="NONSENSE")],
    }
    for reason, fakes in wrong.items():
        for fake in fakes:
            with pytest.raises(Discarded) as caught:
                by_model(fake, PICK, PUT_HELD)
            assert caught.value.reason == reason


@pytest.mark.parametrize("code", ["UNREACHABLE", "TIMEOUT"])
def test_an_endpoint_that_is_gone_ends_the_run_instead_of_emptying_the_dataset(code: AskErrorCode) -> None:
    with pytest.raises(LanguageModelError, match=r"as told.*run the same command again"):
        by_model(Fake(code=code), WHOLE)


def test_refusing_everything_ends_the_run_too() -> None:
    decomposer = LanguageModelDecomposer(Fake(code="REFUSED"), load_template(), TABLETOP_VOCABULARY)
    for _ in range(REFUSALS_IN_A_ROW - 1):
        with pytest.raises(Discarded):
            decomposer.decompose("put the can in the bin", [WHOLE], 10.0)
    with pytest.raises(LanguageModelError, match="refused"):
        decomposer.decompose("put the can in the bin", [WHOLE], 10.0)


def test_the_question_says_how_many_and_what_the_gripper_did() -> None:
    fake = Fake("a", "b", "c")
    by_model(fake, PICK, PUT_HELD, TOUCH)
    ((system, user),) = fake.questions
    assert "Exactly one prompt per segment" in system
    assert '"put the can in the bin"' in user and "Number of segments: 3" in user
    assert "Segment 2: 2.0 s to 5.0 s, grasps an object; gripper before: holding the object, after: empty." in user
    assert "Segment 3: 5.0 s to 7.0 s, touches something without grasping" in user
    assert "$" not in user


def test_an_instruction_with_braces_or_dollars_is_only_text() -> None:
    question = load_template().question("put {the} $count cans", [WHOLE], 10.0)
    assert '"put {the} $count cans"' in question


def test_templates_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("system: s\nuser: 'do $instruction: $segments'\nsegment: '$index'\n")
    with pytest.raises(DatasetError, match=r"mine.yaml: 'user' does not contain \$count"):
        load_template(path)
    path.write_text("system: s\nuser: 'do $instruction $count $segments $colour'\nsegment: '$index'\n")
    with pytest.raises(DatasetError, match="colour"):
        load_template(path)
    path.write_text("nothing")
    with pytest.raises(DatasetError, match="no prompt template"):
        load_template(path)
    path.write_text("system: s\nuser: '$instruction $count $segments'\nsegment: '$index'\n")
    assert load_template(path).digest != load_template().digest


def test_sentences_are_recognised_as_skills_where_possible() -> None:
    known = atomic_prompt("place the soda can in the basket", TABLETOP_VOCABULARY)
    assert (known.kind, known.target, known.support) == ("place", "can", "bin")
    assert known.text == "place the soda can in the basket"
    both = atomic_prompt("pick up the can and put it in the bin", TABLETOP_VOCABULARY)
    assert (both.kind, both.target, both.support) == ("place", "can", "bin")
    free = atomic_prompt("turn on the stove", TABLETOP_VOCABULARY)
    assert (free.kind, free.target, free.support) == ("skill", "", None)


def test_an_endpoint_needs_a_model_name(tmp_path: Path) -> None:
    with pytest.raises(LanguageModelError, match="--llm.model"):
        endpoint_asker(LanguageModelConfig(), tmp_path)
    assert SegmentPrompts.model_json_schema()["additionalProperties"] is False
