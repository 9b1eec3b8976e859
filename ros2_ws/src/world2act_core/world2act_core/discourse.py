"""What was said so far, and which object the next phrase means in its light."""

from __future__ import annotations

from dataclasses import dataclass, field

from world2act_core.clauses import NounPhrase, Place
from world2act_core.plan import PlanError, PlanErrorCode, refusal
from world2act_core.references import Filter, ObjectIndex, UnknownName, phrase_text
from world2act_core.skill import Skill
from world2act_core.vocabulary import ObjectAction, ObjectEntry, Vocabulary
from world2act_core.words import FURNITURE

INSIDE = ("in", "into")


@dataclass
class Story:
    """What was said so far, for "it", "there", left-out verbs and "the bread too".

    focus: what "it" means as a target; moved: what the last put or stack moved, and place (relation, support): where
    to; waiting: targets whose place has not been said yet; ahead: a place said before its verb ("into the bin, put
    the can"); bare_pick: "pick and place the can ..."; handled: what was opened, closed or pressed last; side: the
    side of the table that something was pushed to last.
    """

    skills: list[Skill] = field(default_factory=list)
    verb: str = ""
    focus: ObjectEntry | None = None
    moved: ObjectEntry | None = None
    place: tuple[str, ObjectEntry] | None = None
    waiting: list[ObjectEntry] = field(default_factory=list)
    ahead: Place | None = None
    bare_pick: bool = False
    handled: ObjectEntry | None = None
    side: ObjectEntry | None = None


class Chooser:
    """Finds the object that a phrase means, as a target or as a support; raises PlanError when that is not clear."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.index = ObjectIndex(vocabulary)

    def error(self, code: PlanErrorCode, message: str) -> PlanError:
        """A refusal that lists what can be asked for."""
        return refusal(code, message, self.vocabulary)

    def target(self, story: Story, phrase: NounPhrase) -> ObjectEntry:
        """The object to grasp."""
        if is_pronoun(phrase):
            return self.it(story, f"'{phrase_text(phrase)}': which object is meant?")
        found = self._find(phrase, [lambda entry: entry.graspable], story.focus)
        if not found:
            raise self.error("UNKNOWN_SKILL", f"I cannot pick up '{phrase_text(phrase)}': it stays where it is.")
        return self._only(found, phrase)

    def acted_on(self, action: ObjectAction, phrase: NounPhrase, it: ObjectEntry | None) -> ObjectEntry:
        """The object to open, close, press or push; it: what a pronoun, or nothing at all, means."""
        if not phrase or is_pronoun(phrase):
            if it is None:
                raise self.error("AMBIGUOUS", f"what should I {action}?")
            found = [it] if action in it.actions else []
        else:
            found = self._find(phrase, [lambda entry: action in entry.actions], it)
        if not found:
            text = phrase_text(phrase) or (it.name if it else "")
            raise self.error("UNKNOWN_SKILL", f"I cannot {action} '{text}'.")
        return self._only(found, phrase)

    def handle(self, phrase: NounPhrase) -> ObjectEntry | None:
        """What the phrase names among the things that are pressed or closed by pushing them, or None."""
        words = [item.value for item in phrase if item.kind == "word"]
        try:
            found = self.index.find(words, [lambda entry: bool({"press", "close"} & {*entry.actions})])
        except UnknownName:
            return None
        return found[0] if len(found) == 1 else None

    def side(self, story: Story, place: Place) -> ObjectEntry:
        """The side of the table to which something is to be pushed."""
        if place.noun[-1].kind == "there" and story.side is not None:
            return story.side
        phrase = self._part_of_furniture(place.noun) if is_furniture(place.noun) else place.noun
        found: list[ObjectEntry] = []
        if place.relation in ("to", "on", "onto") and any(item.kind == "word" for item in phrase):
            found = self._find(phrase, [lambda entry: "push" in entry.supports], story.side)
        if not found:
            sides = " or ".join(f"to the {name}" for name in self.vocabulary.support_names("push"))
            where = f"{place.text} {phrase_text(place.noun)}".strip()
            raise self.error("UNKNOWN_SKILL", f"I cannot push anything '{where}', only {sides}.")
        return self._only(found, phrase)

    def it(self, story: Story, question: str) -> ObjectEntry:
        """The object that was spoken of last; PlanError asks `question` when there is none."""
        if story.focus is None:
            raise self.error("AMBIGUOUS", question)
        return story.focus

    def support(self, story: Story, verb: str, target: ObjectEntry, place: Place) -> ObjectEntry:
        """The object in or on which `target` is to be put."""
        phrase, text = place.noun, phrase_text(place.noun)
        if phrase[-1].kind == "there":
            if story.place is None:
                raise self.error("AMBIGUOUS", f"'{text}': where is that?")
            return story.place[1]
        if is_pronoun(phrase):
            return self._it_as_support(story, target, place)
        if is_furniture(phrase):
            phrase = self._part_of_furniture(phrase)
            if not phrase:
                raise self.error("UNKNOWN_SKILL", f"I cannot put anything down on the {text} itself.")
        found = self._find(phrase, _support_tiers(verb, place.relation), target)
        others = [entry for entry in found if entry.name != target.name]
        if not found:
            raise self.error("UNKNOWN_SKILL", f"I cannot put anything in or on '{text}'.")
        return self._only(others or found, phrase)

    def _part_of_furniture(self, phrase: NounPhrase) -> NounPhrase:
        """ "The left side of the table" -> "the left side"; [] for the table itself, or where no sides are known."""
        sides = [entry for entry in self.vocabulary.objects if "push" in entry.supports]
        known = {word for entry in sides for name in entry.names for word in name.split()}
        part = [item for item in phrase if item.value not in FURNITURE]
        return part if any(item.value in known for item in part) else []

    def check_source(self, phrase: NounPhrase) -> None:
        """Refuse "from the drawer" when nothing of that name is known."""
        if phrase and not (is_furniture(phrase) or is_pronoun(phrase) or phrase[-1].kind == "there"):
            self._find(phrase, [lambda _: True], None)

    def _it_as_support(self, story: Story, target: ObjectEntry, place: Place) -> ObjectEntry:
        """ "It" in "put the can on it": the last thing that something can stand on, or the last bin or plate."""
        said = [story.focus, story.moved]
        if story.place is not None and "place" in story.place[1].supports:
            said.append(story.place[1])
        possible = {entry.name: entry for entry in said if entry is not None and entry.name != target.name}
        fitting = [entry for entry in possible.values() if _can_support(entry, place.relation)]
        if len(fitting) != 1:
            raise self.error("AMBIGUOUS", f"'{phrase_text(place.noun)}': which one is meant?")
        return fitting[0]

    def _find(self, phrase: NounPhrase, tiers: list[Filter], like: ObjectEntry | None) -> list[ObjectEntry]:
        words = [item.value for item in phrase if item.kind == "word"]
        if not words:
            raise self.index.several(phrase)
        if any(item.kind in ("pronoun", "there") for item in phrase):
            raise self.index.unknown(phrase)
        try:
            return self.index.find(words, tiers, like if any(item.kind == "one" for item in phrase) else None)
        except UnknownName:
            raise self.index.unknown(phrase) from None

    def _only(self, found: list[ObjectEntry], phrase: NounPhrase) -> ObjectEntry:
        if len(found) > 1:
            names = ", ".join(f"the {entry.name}" for entry in found)
            raise self.error("AMBIGUOUS", f"'{phrase_text(phrase)}' may be {names}; say which.")
        return found[0]


def _can_support(entry: ObjectEntry, relation: str) -> bool:
    return "place" in entry.supports if relation in INSIDE else bool(entry.supports)


def _support_tiers(verb: str, relation: str) -> list[Filter]:
    """Which objects may be meant as a support, the likeliest use first."""

    def anything(entry: ObjectEntry) -> bool:
        return bool(entry.supports)

    if relation in INSIDE:
        return [
            lambda entry: "place" in entry.supports and entry.preposition == "in",
            lambda entry: "place" in entry.supports,
            anything,
        ]
    if verb == "stack":
        return [lambda entry: "stack" in entry.supports, anything]
    if relation in ("on", "onto"):
        return [lambda entry: anything(entry) and ("stack" in entry.supports or entry.preposition == "on"), anything]
    return [anything]


def is_pronoun(phrase: NounPhrase) -> bool:
    """True for "it", "that", "this" without a name; "the other one" is not clear enough."""
    alone = len(phrase) == 1 and phrase[0].text in ("that", "this")
    return alone or (bool(phrase) and all(item.kind == "pronoun" for item in phrase))


def is_furniture(phrase: NounPhrase) -> bool:
    """True for the table itself, on which everything stands."""
    words = [item.value for item in phrase if item.kind == "word"]
    return bool(words) and words[-1] in FURNITURE
