"""Requests to open, close or press a fixture, or to push an object to a side of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from world2act_core.clauses import Clause, NounPhrase, Place, tokenise
from world2act_core.discourse import Chooser, Story, is_furniture, is_pronoun
from world2act_core.references import phrase_text
from world2act_core.skill import Skill
from world2act_core.vocabulary import ObjectAction, ObjectEntry
from world2act_core.words import Phrase

ACTIONS: dict[str, ObjectAction] = {"open": "open", "close": "close", "press": "press", "push": "push"}
"""Verb as the lexicon says -> what is done."""

_MOVES = ("push", "pull", "slid", "shov")


def join_results(clauses: Sequence[Clause]) -> list[Clause]:
    """ "Slide the drawer open": the second verb says how the first one ends, it is not another request."""
    joined: list[Clause] = []
    for clause in clauses:
        bare = clause.verb in ("open", "close") and not (clause.target or clause.places)
        before = joined[-1] if joined else None
        if bare and before and before.target and not before.places and before.verb_text.startswith(_MOVES):
            joined[-1] = replace(before, verb=clause.verb)
        else:
            joined.append(clause)
    return joined


class ActionReader:
    """Reads one clause whose verb is an action; raises PlanError when it is not clear or cannot be done."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self._sides: dict[Phrase, ObjectEntry] = {
            tuple(tokenise(name)): entry
            for entry in chooser.vocabulary.objects
            if "push" in entry.supports
            for name in entry.names
        }

    def read(self, story: Story, clause: Clause, verb: ObjectAction, goals: list[Place]) -> Skill:
        """The skill that the clause asks for."""
        return self._push(story, clause, goals) if verb == "push" else self._act(story, clause, verb, goals)

    def push(self, story: Story, target: ObjectEntry, side: ObjectEntry) -> Skill:
        """Push `target` to a side."""
        if "push" not in target.actions:
            raise self._chooser.error("UNKNOWN_SKILL", f"I cannot push the {target.name}.")
        story.focus = story.moved = target
        story.side = side
        return Skill("push", target.name, side.name)

    def _act(self, story: Story, clause: Clause, verb: Literal["open", "close", "press"], goals: list[Place]) -> Skill:
        for place in goals:
            if place.relation in ("to", "into", "onto"):
                where = f"{place.text} {phrase_text(place.noun)}".strip()
                raise self._chooser.error("UNKNOWN_SKILL", f"I do not know how to {verb} anything '{where}'.")
        story.handled = self._chooser.acted_on(verb, clause.target, story.handled)
        return Skill(verb, story.handled.name)

    def _push(self, story: Story, clause: Clause, goals: list[Place]) -> Skill:
        goals = [place for place in goals if place.relation != "on" or not is_furniture(place.noun)]
        if len(goals) > 1:
            places = " and ".join(f"'{place.text} {phrase_text(place.noun)}'" for place in goals)
            raise self._chooser.error("AMBIGUOUS", f"{places}: name one place only.")
        phrase, side = self._cut_side(clause.target)
        if goals:
            phrase, side = clause.target, self._chooser.side(story, goals[0])
        elif side is None and story.ahead is not None:
            side, story.ahead = self._chooser.side(story, story.ahead), None
        elif side is None and not clause.verb:
            side = story.side  # "push the red cube to the left and the green one too"
        if side is None:
            return self._push_in(story, clause)
        return self.push(story, self._chooser.acted_on("push", phrase, story.focus), side)

    def _push_in(self, story: Story, clause: Clause) -> Skill:
        """Pushing without a direction: a button is pressed, a drawer is closed."""
        entry = None if is_pronoun(clause.target) else self._chooser.handle(clause.target)
        action: Literal["press", "close"] = "press" if entry and "press" in entry.actions else "close"
        if entry is None or not clause.verb_text.startswith(("push", "shov")):
            target = self._chooser.acted_on("push", clause.target, story.focus)
            raise self._chooser.error("AMBIGUOUS", f"to which side should I push the {target.name}?")
        story.handled = entry
        return Skill(action, entry.name)

    def _cut_side(self, phrase: NounPhrase) -> tuple[NounPhrase, ObjectEntry | None]:
        """ "The red cube left" -> "the red cube" and the left side."""
        for start in range(1, len(phrase)):
            tail = tuple(item.value for item in phrase[start:] if item.kind == "word")
            if len(tail) == len(phrase) - start and tail in self._sides:
                return phrase[:start], self._sides[tail]
        return phrase, None
