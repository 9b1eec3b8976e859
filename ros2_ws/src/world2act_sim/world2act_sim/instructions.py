"""Varied wordings of a skill: some for training, others held out for evaluation."""

from __future__ import annotations

from typing import Literal

import numpy as np

from world2act_core.skill import Skill
from world2act_core.vocabulary import EXTENDED_VOCABULARY
from world2act_sim.fixture_instructions import FIXTURE_TEMPLATES

WordingSplit = Literal["train", "heldout"]

TEMPLATES: dict[str, dict[WordingSplit, tuple[str, ...]]] = {
    "pick": {
        "train": (
            "pick up the {x}", "pick the {x}", "grab the {x}", "lift the {x}", "take the {x}", "grasp the {x}",
            "please pick up the {x}", "pick up the {x} from the table", "get the {x}", "lift up the {x}",
            "could you grab the {x}", "raise the {x}", "please take the {x}", "please grab the {x}",
            "can you grab the {x}", "can you lift the {x}", "could you pick up the {x}", "pick up the {x} please",
            "lift the {x} off the table", "hold the {x}", "get hold of the {x}", "I want you to pick up the {x}",
            "fetch the {x}", "now pick up the {x}",
        ),
        "heldout": ("please lift the {x}", "can you pick up the {x}", "take hold of the {x}", "grab the {x} please"),
    },
    "place": {
        "train": (
            "put the {x} {in} the {y}", "place the {x} {in} the {y}", "drop the {x} {in} the {y}",
            "move the {x} to the {y}", "set the {x} {in} the {y}", "please put the {x} {in} the {y}",
            "take the {x} and put it {in} the {y}", "pick up the {x} and place it {in} the {y}",
            "bring the {x} to the {y}", "the {x} goes {in} the {y}", "could you place the {x} {in} the {y}",
            "deposit the {x} {in} the {y}", "please move the {x} to the {y}", "can you place the {x} {in} the {y}",
            "could you put the {x} {in} the {y}", "grab the {x} and place it {in} the {y}",
            "get the {x} and put it {in} the {y}", "carry the {x} to the {y}", "lay the {x} {in} the {y}",
            "transport the {x} to the {y}", "put the {x} {in} the {y} please", "lift the {x} and drop it {in} the {y}",
            "I want the {x} {in} the {y}", "now put the {x} {in} the {y}",
        ),
        "heldout": (
            "please place the {x} {in} the {y}", "grab the {x} and put it {in} the {y}",
            "can you put the {x} {in} the {y}", "transfer the {x} to the {y}",
        ),
    },
    "stack": {
        "train": (
            "stack the {x} on the {y}", "put the {x} on top of the {y}", "place the {x} on the {y}",
            "stack the {x} on top of the {y}", "set the {x} on top of the {y}", "put the {x} on the {y}",
            "please stack the {x} on the {y}", "place the {x} on top of the {y}",
            "take the {x} and put it on the {y}", "balance the {x} on the {y}",
            "could you stack the {x} on the {y}", "pile the {x} on the {y}",
            "can you put the {x} on top of the {y}", "can you stack the {x} on the {y}",
            "pick up the {x} and put it on top of the {y}", "pick up the {x} and place it on the {y}",
            "grab the {x} and stack it on top of the {y}", "please set the {x} on the {y}",
            "lay the {x} on top of the {y}", "take the {x} and stack it on the {y}", "please place the {x} on the {y}",
            "move the {x} onto the {y}", "I want the {x} on top of the {y}", "now stack the {x} on the {y}",
        ),
        "heldout": (
            "please put the {x} on top of the {y}", "can you stack the {x} on top of the {y}",
            "pick up the {x} and stack it on the {y}", "set the {x} on the {y}",
        ),
    },
}  # fmt: skip

CONNECTORS: dict[WordingSplit, tuple[str, ...]] = {
    "train": (", then ", " and then ", " and ", ", after that "),
    "heldout": (", and then ", "; then ", " then "),
}

SYNONYMS: dict[str, tuple[str, ...]] = {
    "red cube": ("red block",), "green cube": ("green block",), "blue cube": ("blue block",),
    "yellow cylinder": ("yellow tube",), "purple brick": ("purple block",), "orange ball": ("orange sphere",),
    "can": ("soda can",), "milk carton": ("milk", "carton of milk"), "bread": ("loaf of bread",),
    "bin": ("basket",), "plate": ("dish",), "drawer": ("cabinet",), "button": ("switch",),
}  # fmt: skip
"""Other names that occur in training wordings; held-out wordings use canonical names with new templates."""


def wordings(skill: Skill, split: WordingSplit, synonyms: bool = False) -> list[str]:
    """Every wording of a skill in a split; with `synonyms`, also with other names of its objects."""
    targets = (skill.target, *(SYNONYMS.get(skill.target, ()) if synonyms else ()))
    support = skill.support or ""
    supports = (support, *(SYNONYMS.get(support, ()) if synonyms else ()))
    preposition = _preposition(support)
    return [
        template.replace("{x}", x).replace("{y}", y).replace("{in}", preposition)
        for template in (TEMPLATES.get(skill.kind) or FIXTURE_TEMPLATES[skill.kind])[split]
        for x in targets
        for y in supports
    ]


def render_instruction(skill: Skill, rng: np.random.Generator, split: WordingSplit = "train") -> str:
    """One random wording of a skill."""
    options = wordings(skill, split, synonyms=split == "train")
    return options[int(rng.integers(len(options)))]


def render_composite(skills: tuple[Skill, ...], rng: np.random.Generator, split: WordingSplit = "train") -> str:
    """One random wording of several skills after another."""
    text = render_instruction(skills[0], rng, split)
    for skill in skills[1:]:
        text += CONNECTORS[split][int(rng.integers(len(CONNECTORS[split])))] + render_instruction(skill, rng, split)
    return text


def _preposition(support: str) -> str:
    entry = EXTENDED_VOCABULARY.find(support)
    return entry.preposition if entry else "on"
