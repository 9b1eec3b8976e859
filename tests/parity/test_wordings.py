"""What the simulator may say, the planner understands: every wording leads back to the skills it was made from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from world2act_core.grammar import GrammarPlanner
from world2act_core.plan import PlanError
from world2act_core.skill import Skill
from world2act_core.vocabulary import EXTENDED_VOCABULARY, FIXTURE_VOCABULARY, TABLETOP_VOCABULARY, Vocabulary
from world2act_sim.fixture_instructions import FIXTURE_TEMPLATES
from world2act_sim.instructions import CONNECTORS, TEMPLATES, WordingSplit, render_instruction, wordings
from world2act_sim.tasks import TASK_KINDS, sample_task

SPLITS: tuple[WordingSplit, ...] = ("train", "heldout")
SEEDS = range(300)


def every_skill(vocabulary: Vocabulary) -> list[Skill]:
    """All skills that the vocabulary allows."""
    targets = vocabulary.graspable_names
    skills = [Skill("pick", target) for target in targets]
    for kind in ("place", "stack"):
        pairs = itertools.product(targets, vocabulary.support_names(kind))
        skills += [Skill(kind, target, support) for target, support in pairs if target != support]
    return skills


def without_preparation(skills: tuple[Skill, ...]) -> tuple[Skill, ...]:
    """ "Take X and put it in Y" may be read as pick and place: a place or stack grasps X itself when it must."""
    pairs = itertools.zip_longest(skills, skills[1:])
    return tuple(s for s, after in pairs if not (s.kind == "pick" and after is not None and after.target == s.target))


def misread(planner: GrammarPlanner, wanted: dict[str, tuple[Skill, ...]]) -> list[str]:
    """One line for each sentence that is not understood as it was meant."""
    wrong = []
    for text, skills in wanted.items():
        try:
            found = planner.plan(text).skills
        except PlanError as error:
            wrong.append(f"{text!r}: {error.code}")
            continue
        if without_preparation(found) != without_preparation(skills):
            wrong.append(f"{text!r}: {found}")
    return wrong


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("kind", sorted(TEMPLATES))
@pytest.mark.parametrize("vocabulary", [TABLETOP_VOCABULARY, EXTENDED_VOCABULARY], ids=["tabletop", "extended"])
def test_every_wording_of_every_skill(vocabulary: Vocabulary, kind: str, split: WordingSplit) -> None:
    skills = [skill for skill in every_skill(vocabulary) if skill.kind == kind]
    wanted = {text: (skill,) for skill in skills for text in wordings(skill, split, synonyms=True)}
    assert len(skills) >= 9 and len(wanted) >= len(skills) * len(TEMPLATES[kind][split])
    # What the "unseen_category" split names is known to its own planner only; the rest is known to both.
    wrong = misread(GrammarPlanner(vocabulary), wanted)
    assert not wrong, f"{len(wrong)} of {len(wanted)}, such as: " + "; ".join(wrong[:5])


@pytest.mark.parametrize(
    ("kind", "split"),
    [*itertools.product(sorted(FIXTURE_TEMPLATES), SPLITS), *((kind, "heldout") for kind in sorted(TEMPLATES))],
)
def test_every_wording_on_a_table_with_fixtures(kind: str, split: WordingSplit) -> None:
    names, sides = FIXTURE_VOCABULARY.action_names("push"), FIXTURE_VOCABULARY.support_names("push")
    skills = [Skill("open", "drawer"), Skill("close", "drawer"), Skill("press", "button")]
    skills += [Skill("push", name, side) for name in names for side in sides]
    skills = [skill for skill in (*skills, *every_skill(FIXTURE_VOCABULARY)) if skill.kind == kind]
    wanted = {text: (skill,) for skill in skills for text in wordings(skill, split, synonyms=True)}
    wrong = misread(GrammarPlanner(FIXTURE_VOCABULARY), wanted)
    assert wanted and not wrong, f"{len(wrong)} of {len(wanted)}, such as: " + "; ".join(wrong[:5])
    if split == "train":
        assert all(skill.prompt in wordings(skill, split) for skill in skills)
        assert not {*wanted} & {text for skill in skills for text in wordings(skill, "heldout")}


@pytest.mark.parametrize("split", SPLITS)
def test_every_pair_of_wordings_under_every_connector(split: WordingSplit) -> None:
    first, second = Skill("place", "can", "bin"), Skill("stack", "red cube", "green cube")
    third, fourth = Skill("pick", "bread"), Skill("place", "bread", "plate")
    wanted: dict[str, tuple[Skill, ...]] = {}
    for one, two in ((first, second), (second, first), (first, third), (third, fourth), (second, fourth)):
        texts = itertools.product(wordings(one, split), CONNECTORS[split], wordings(two, split))
        wanted |= {"".join(parts): (one, two) for parts in texts}
    wrong = misread(GrammarPlanner(TABLETOP_VOCABULARY), wanted)
    assert not wrong, f"{len(wrong)} of {len(wanted)}, such as: " + "; ".join(wrong[:5])


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("kind", TASK_KINDS)
@pytest.mark.parametrize("unseen", [False, True], ids=["seen", "unseen_category"])
def test_every_instruction_of_a_sampled_task(kind: str, split: WordingSplit, unseen: bool) -> None:
    tasks = [sample_task(kind, seed, split, unseen) for seed in SEEDS]  # type: ignore[arg-type]
    planner = GrammarPlanner(EXTENDED_VOCABULARY if unseen else TABLETOP_VOCABULARY)
    wrong = misread(planner, {task.instruction: task.skills for task in tasks})
    assert not wrong, f"{len(wrong)} of {len(tasks)}, such as: " + "; ".join(wrong[:5])


def test_the_prompt_the_policy_reads_is_a_wording_it_was_trained_on() -> None:
    """The graph's policy reads canonical prompts: they must be among the training sentences, word for word."""
    for skill in every_skill(TABLETOP_VOCABULARY):
        assert skill.prompt in wordings(skill, "train")
        assert skill.prompt == skill.prompt_in(EXTENDED_VOCABULARY)
    assert render_instruction(Skill("pick", "can"), np.random.default_rng(0)).count("can") >= 1
