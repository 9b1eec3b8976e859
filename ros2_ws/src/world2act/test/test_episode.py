"""What may be asked of a reset; everything else is refused before the world is touched."""

from __future__ import annotations

import pytest

from world2act.episode import EpisodeError, EpisodeRequest, make_task
from world2act_core.vocabulary import FIXTURE_VOCABULARY

FIVE = ("red cube", "green cube", "blue cube", "bread", "orange ball")


def test_what_the_instruction_needs_is_on_the_table() -> None:
    task = make_task(EpisodeRequest(3, "stack the red cube on the green one", objects=("bread", "bin")))
    assert task.objects == ("red cube", "green cube", "bread"), "the bin is always there"
    assert [skill.prompt for skill in task.skills] == ["stack the red cube on the green cube"]


def test_the_seed_decides_what_is_not_asked_for() -> None:
    assert make_task(EpisodeRequest(3)) == make_task(EpisodeRequest(3))
    assert {make_task(EpisodeRequest(seed, kind="stack")).kind for seed in range(5)} == {"stack"}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (EpisodeRequest(0, kind="juggle"), "there are: pick, place, stack, composite"),
        (EpisodeRequest(0, "pick up the unicorn"), "red cube"),
        (EpisodeRequest(0, objects=("unicorn",)), "no object called 'unicorn'; there are: red cube"),
        (EpisodeRequest(0, "pick up the can", objects=FIVE), "6 objects .* at most 5"),
        (
            EpisodeRequest(0, ", ".join(f"put the {name} in the bin" for name in (*FIVE, "can"))),
            "6 objects .* at most 5",
        ),
    ],
)
def test_nonsense_is_refused_with_what_there_is(asked: EpisodeRequest, words: str) -> None:
    with pytest.raises(EpisodeError, match=words):
        make_task(asked)


def test_a_table_with_fixtures_takes_their_tasks() -> None:
    task = make_task(EpisodeRequest(4, "open the drawer, then push the red cube to the left"), FIXTURE_VOCABULARY)
    assert [skill.kind for skill in task.skills] == ["open", "push"] and "red cube" in task.objects
    assert make_task(EpisodeRequest(4, kind="press"), FIXTURE_VOCABULARY).skills[0].target == "button"
    assert make_task(EpisodeRequest(4, "press the button", objects=("drawer", "can")), FIXTURE_VOCABULARY)
    for asked in (EpisodeRequest(4, kind="press"), EpisodeRequest(4, "press the button")):
        with pytest.raises(EpisodeError):
            make_task(asked)
