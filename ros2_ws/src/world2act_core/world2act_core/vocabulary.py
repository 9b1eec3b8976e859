"""What a person may name: the skills and the objects, with their synonyms and what each object can be used for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

SkillKind = Literal["pick", "place", "stack", "open", "close", "press", "push"]
SupportKind = Literal["place", "stack", "push"]
ObjectAction = Literal["open", "close", "press", "push"]


class ObjectEntry(BaseModel):
    """One object: its canonical name, other names for it, and its uses.

    supports: which skills may use it as their support (`place`: things go in or on it and it stays where it is;
    `stack`: another object can stand on it; `push`: a part of the table that things can be pushed to). actions: what
    else can be done to it. preposition: how the canonical prompt speaks of it as a support.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()
    graspable: bool = True
    supports: tuple[SupportKind, ...] = ()
    preposition: Literal["in", "on"] = "on"
    actions: tuple[ObjectAction, ...] = ()

    @model_serializer(mode="wrap")
    def _without_empty_actions(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Objects without actions are written as before there were any, so that older readers take the file."""
        fields: dict[str, Any] = write(self)
        return fields if self.actions else {name: value for name, value in fields.items() if name != "actions"}

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

    def action_names(self, action: ObjectAction) -> tuple[str, ...]:
        """Canonical names of everything that can be opened, closed, pressed or pushed."""
        return tuple(entry.name for entry in self.objects if action in entry.actions)


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

PUSHABLE_NAMES = ("red cube", "green cube", "blue cube", "purple brick", "bread")
"""Low and broad: others tip over when they are pushed (the cylinder too), and the ball rolls on."""

FIXTURE_OBJECTS: dict[str, ObjectEntry] = {
    "drawer": ObjectEntry(name="drawer", synonyms=("cabinet",), graspable=False, actions=("open", "close")),
    "button": ObjectEntry(name="button", synonyms=("buzzer", "switch"), graspable=False, actions=("press",)),
}
"""What can be fixed to the table besides the bin and the plate."""

TABLE_SIDES: tuple[ObjectEntry, ...] = (
    ObjectEntry(name="left", synonyms=("left side", "left half", "left edge"), graspable=False, supports=("push",)),
    ObjectEntry(name="right", synonyms=("right side", "right half", "right edge"), graspable=False, supports=("push",)),
)
"""The sides of the table, as the robot sees them."""


def fixture_vocabulary(fixtures: Sequence[str]) -> Vocabulary:
    """The vocabulary of a table with these fixtures ("drawer", "button"); TABLETOP_VOCABULARY for none.

    With any fixture, objects can also be pushed to a side. Raises KeyError for an unknown fixture.
    """
    if not fixtures:
        return TABLETOP_VOCABULARY
    entries = [FIXTURE_OBJECTS[name] for name in FIXTURE_OBJECTS if name in fixtures]
    unknown = [name for name in fixtures if name not in FIXTURE_OBJECTS]
    if unknown:
        raise KeyError(f"no fixture called {unknown[0]!r}; there are: {', '.join(FIXTURE_OBJECTS)}")
    objects = tuple(
        entry.model_copy(update={"actions": ("push",)}) if entry.name in PUSHABLE_NAMES else entry
        for entry in TABLETOP_OBJECTS
    )
    actions = tuple(dict.fromkeys(action for entry in entries for action in entry.actions))
    skills: tuple[SkillKind, ...] = ("pick", "place", "stack", *actions, "push")
    return Vocabulary(skills=skills, objects=(*objects, *entries, *TABLE_SIDES))


FIXTURE_VOCABULARY = fixture_vocabulary(tuple(FIXTURE_OBJECTS))
"""The Tabletop with a drawer and a button, whose skills are also open, close, press and push."""
