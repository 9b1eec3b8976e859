"""Tasks and their wording."""

from __future__ import annotations

import numpy as np
import pytest

from world2act_core.skill import Skill
from world2act_core.vocabulary import TABLETOP_VOCABULARY
from world2act_sim.catalogue import CATALOGUE, UNSEEN_CATEGORY_OBJECTS, VOCABULARY_OBJECTS
from world2act_sim.instructions import TEMPLATES, render_instruction, wordings
from world2act_sim.tasks import TASK_KINDS, sample_task, task_for


@pytest.mark.parametrize("kind", TASK_KINDS)
def test_tasks_are_valid_and_decided_by_their_seed(kind: str) -> None:
    for seed in range(200):
        task = sample_task(kind, seed)  # type: ignore[arg-type]
        assert task == sample_task(kind, seed)  # type: ignore[arg-type]
        assert (len(task.skills) == 1) == (kind != "composite") and len(task.skills) <= 4
        assert 3 <= len(task.objects) <= 5 and len(set(task.objects)) == len(task.objects)
        for skill in task.skills:
            skill.validate(TABLETOP_VOCABULARY)
            assert skill.target in task.objects
        placed = [skill.target for skill in task.skills if skill.kind != "pick"]
        assert len(set(placed)) == len(placed), "an object is put away twice"


def test_vocabulary_and_catalogue_agree() -> None:
    graspable = {spec.name for spec in VOCABULARY_OBJECTS}
    assert graspable == set(TABLETOP_VOCABULARY.graspable_names) and len(graspable) >= 8
    supports = {spec.name for spec in VOCABULARY_OBJECTS if spec.support}
    assert supports == set(TABLETOP_VOCABULARY.support_names("stack"))


def test_heldout_wordings_never_occur_in_training() -> None:
    for kind, skill in {
        "pick": Skill("pick", "can"),
        "place": Skill("place", "can", "bin"),
        "stack": Skill("stack", "red cube", "blue cube"),
    }.items():
        train, heldout = wordings(skill, "train", synonyms=True), wordings(skill, "heldout")
        assert len(set(train)) >= len(TEMPLATES[kind]["train"]) and heldout
        assert not set(train) & set(heldout)
        assert all("{" not in text for text in (*train, *heldout))


def test_wording_names_both_objects() -> None:
    skill = Skill("place", "milk carton", "bin")
    text = render_instruction(skill, np.random.default_rng(0), "heldout")
    assert "milk carton" in text and "bin" in text


def test_unseen_category_puts_a_new_object_first() -> None:
    unseen = {spec.name for spec in UNSEEN_CATEGORY_OBJECTS}
    task = sample_task("place", 4, unseen_category=True)
    assert task.skills[0].target in unseen
    assert not {name for name in task.objects if name in unseen} - {task.skills[0].target}


def test_task_for_typed_skills_puts_their_objects_on_the_table() -> None:
    skills = (Skill("place", "can", "bin"), Skill("stack", "red cube", "green cube"))
    task = task_for(skills, "put the can in the bin, then stack the red cube on the green one", seed=3)
    assert {"can", "red cube", "green cube"} <= set(task.objects) <= set(CATALOGUE)
    assert task.kind == "composite"
