"""What a person may name: the skills and the objects, with their synonyms and what each object can be used for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SkillKind = Literal["pick", "place", "stack"]
SupportKind = Literal["place", "stack"]


class ObjectEntry(BaseModel):
    """One object: its canonical name, other names for it, and its uses.

    supports: which skills may use it as their support (`place`: things go in or on it and it stays where it is;
    `stack`: another object can stand on it). preposition: how the canonical prompt speaks of it as a support.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()
    graspable: bool = True
    supports: tuple[SupportKind, ...] = ()
    preposition: Literal["in", "on"] = "on"

    @property
    def names(self) -> tuple[str, ...]:
        """The canonical name first, then the synonyms."""
        return (self.name, *self.synonyms)


class Vocabulary(BaseModel):
    """The skills and objects a policy was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skills: tuple[SkillKind, ...]
    objects: tuple[ObjectEntry, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [entry.name for entry in self.objects]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"object names appear twice: {', '.join(twice)}")
        if len(set(self.skills)) != len(self.skills):
            raise ValueError(f"skills appear twice: {self.skills}")
        return self

    def find(self, name: str) -> ObjectEntry | None:
        """The object with exactly this canonical name, or None."""
        return next((entry for entry in self.objects if entry.name == name), None)

    @property
    def graspable_names(self) -> tuple[str, ...]:
        """Canonical names of everything that can be picked up."""
        return tuple(entry.name for entry in self.objects if entry.graspable)

    def support_names(self, kind: SupportKind) -> tuple[str, ...]:
        """Canonical names of everything that can be the support of `kind`."""
        return tuple(entry.name for entry in self.objects if kind in entry.supports)


def _cube(colour: str) -> ObjectEntry:
    names = (f"{colour} block", f"{colour} box", f"{colour} dice")
    return ObjectEntry(name=f"{colour} cube", synonyms=names, supports=("stack",))


TABLETOP_OBJECTS: tuple[ObjectEntry, ...] = (
    _cube("red"),
    _cube("green"),
    _cube("blue"),
    ObjectEntry(name="yellow cylinder", synonyms=("yellow tube", "yellow roller", "yellow barrel")),
    ObjectEntry(
        name="purple brick",
        synonyms=("purple block", "purple box", "purple bar", "violet brick", "violet block"),
        supports=("stack",),
    ),
    ObjectEntry(name="orange ball", synonyms=("orange sphere", "orange marble")),
    ObjectEntry(name="can", synonyms=("soda can", "tin can", "tin", "soda", "coke", "coke can", "can of soda")),
    ObjectEntry(name="milk carton", synonyms=("milk", "carton", "carton of milk", "milk box", "milk pack")),
    ObjectEntry(name="bread", synonyms=("loaf of bread", "bread loaf", "loaf", "piece of bread", "slice of bread")),
    ObjectEntry(
        name="bin",
        synonyms=("basket", "container", "box", "crate", "bucket", "trash", "trash can", "trash bin", "garbage"),
        graspable=False,
        supports=("place",),
        preposition="in",
    ),
    ObjectEntry(name="plate", synonyms=("dish", "saucer"), graspable=False, supports=("place",)),
)

UNSEEN_OBJECTS: tuple[ObjectEntry, ...] = (
    ObjectEntry(name="lemon", synonyms=("citrus",)),
    ObjectEntry(name="cereal box", synonyms=("cereal", "box of cereal", "cereals")),
    ObjectEntry(name="bottle", synonyms=("water bottle", "bottle of water", "flask")),
)

TABLETOP_VOCABULARY = Vocabulary(skills=("pick", "place", "stack"), objects=TABLETOP_OBJECTS)
"""What the Tabletop policies are trained on."""

EXTENDED_VOCABULARY = Vocabulary(skills=("pick", "place", "stack"), objects=TABLETOP_OBJECTS + UNSEEN_OBJECTS)
"""The same with categories that no training episode shows, for the `unseen_category` split."""
