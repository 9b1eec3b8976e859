"""The deterministic planner: an English instruction becomes a list of skills, or a refusal that says what to ask."""

from __future__ import annotations

from world2act_core.actions import ACTIONS, ActionReader, join_results
from world2act_core.clauses import Clause, Item, Place, scan, split_clauses, tokenise
from world2act_core.discourse import INSIDE, Chooser, Story, is_furniture
from world2act_core.plan import Plan, PlanError, PlanErrorCode
from world2act_core.references import phrase_text, shorten
from world2act_core.skill import Skill
from world2act_core.vocabulary import ObjectEntry, SkillKind, Vocabulary
from world2act_core.words import PUNCTUATION, lexicon_for

__all__ = ["MAX_INSTRUCTION_CHARACTERS", "MAX_SKILLS", "GrammarPlanner", "Plan", "PlanError"]

MAX_INSTRUCTION_CHARACTERS = 1000
MAX_SKILLS = 8
"""Four times "take X and put it in Y", which is read as two steps each."""

_REFUSED: dict[str, tuple[PlanErrorCode, str]] = {
    "negation": ("UNKNOWN_SKILL", "'{}': I understand what to do, not what to avoid."),
    "group": ("AMBIGUOUS", "'{}' may be several objects; name each one."),
    "order": ("AMBIGUOUS", "'{}': please say the steps in the order in which they are to be done."),
    "or": ("AMBIGUOUS", "'{}': please choose one."),
    "other_verb": ("UNKNOWN_SKILL", "I cannot '{}'."),
}
_TOWARDS = ("into", "onto", "to")


class GrammarPlanner:
    """Splits an instruction into the skills of a vocabulary over its objects.

    Understands many wordings of each skill, composites, "it" and "there", left-out verbs and nouns ("the green one").
    It refuses what it does not fully understand rather than doing half of it.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._chooser = Chooser(vocabulary)
        self._actions = ActionReader(self._chooser)
        self._lexicon = lexicon_for(vocabulary.skills)

    def plan(self, instruction: str) -> Plan:
        """The plan of `instruction`; raises PlanError, and nothing else, for any text."""
        if len(instruction) > MAX_INSTRUCTION_CHARACTERS:
            raise self._error(
                "INSTRUCTION_TOO_LONG",
                f"the instruction has {len(instruction)} characters, at most {MAX_INSTRUCTION_CHARACTERS} are read; "
                f"send fewer steps at a time.",
            )
        tokens = tokenise(instruction)
        if all(token in PUNCTUATION for token in tokens):
            raise self._error("EMPTY_INSTRUCTION", "the instruction is empty.")
        items = _in_natural_order(list(scan(tokens, self._chooser.index.names, self._lexicon)))
        clauses = join_results(list(split_clauses(items, self._lexicon)))
        if not clauses:
            raise self._error("EMPTY_INSTRUCTION", f"'{shorten(instruction.strip())}' asks for nothing.")
        story = Story()
        for clause in clauses:
            self._refuse_unsupported(clause)
            self._tell(story, clause)
        self._check_ending(story)
        return Plan(instruction, tuple(story.skills))

    def _error(self, code: PlanErrorCode, message: str) -> PlanError:
        return self._chooser.error(code, message)

    def _refuse_unsupported(self, clause: Clause) -> None:
        for item in [*clause.target, *(item for place in clause.places for item in place.noun)]:
            if item.kind in _REFUSED:
                code, message = _REFUSED[item.kind]
                text = phrase_text(clause.target) if item.kind == "other_verb" else item.text
                raise self._error(code, message.format(text))
        for place in clause.places:
            if place.relation == "unsupported":
                where = shorten(f"{place.text} {phrase_text(place.noun)}".strip())
                raise self._error("UNKNOWN_SKILL", f"I do not know how to do that '{where}'.")
            if not place.noun and place.relation != "from":
                raise self._error("AMBIGUOUS", f"'{place.text}' what?")

    def _tell(self, story: Story, clause: Clause) -> None:
        """Add what one clause says to the story."""
        goals = _goals(clause)
        if not (clause.verb or clause.target or goals):
            # Only "from the table": more about what was said before, if anything was.
            if not story.skills:
                raise self._error("AMBIGUOUS", f"'{clause.places[0].text}': what should I take from there?")
            return
        verb = self._verb_of(story, clause, goals)
        for place in clause.places:
            # "from the plate", "pick up the can on the plate": where it is now changes nothing, but must be understood.
            if place.relation == "from" or verb in ("pick", "open", "close", "press"):
                self._chooser.check_source(place.noun)
        if clause.verb and story.waiting:
            raise self._where_to(story)
        if verb == "pick":
            self._tell_pick(story, clause)
        elif verb in ACTIONS:
            self._tell_action(story, clause, verb, goals)
        elif verb:
            self._tell_put(story, clause, verb, goals)
        elif goals and not clause.target:
            story.ahead = goals[0]
        else:
            # A list that begins without a verb: "the can and the bread in the bin".
            story.waiting.append(self._target(story, clause))
        story.verb = verb or story.verb

    def _verb_of(self, story: Story, clause: Clause, goals: list[Place]) -> str:
        """What the clause asks for: pick, put, stack or an action; "" while nobody has said a verb."""
        relation = goals[0].relation if goals else None
        if clause.verb not in ("", "pick", "take"):
            return clause.verb
        if clause.verb:
            if relation in _TOWARDS:
                return "put"
            if relation and clause.verb == "take" and not is_furniture(goals[0].noun):
                where = f"{goals[0].text} the {phrase_text(goals[0].noun)}"
                raise self._error(
                    "AMBIGUOUS", f"'{clause.verb_text} ... {where}': say 'put ... {where}', or 'pick up ...'."
                )
            return "pick"
        if goals and not clause.target:
            return "put" if story.waiting or story.focus else ""
        if goals:
            return story.verb if story.verb in ("stack", "push") else "put"
        return story.verb

    def _tell_pick(self, story: Story, clause: Clause) -> None:
        if story.bare_pick:
            raise self._error("AMBIGUOUS", "what should I pick up?")
        if not clause.target:
            story.bare_pick = True
            return
        target = self._target(story, clause)
        self._add(story, Skill("pick", target.name))
        story.focus = target

    def _tell_action(self, story: Story, clause: Clause, verb: str, goals: list[Place]) -> None:
        if clause.target and not clause.verb:
            self._refuse_unknown_verb(story, clause)
        self._add(story, self._actions.read(story, clause, ACTIONS[verb], goals))

    def _tell_put(self, story: Story, clause: Clause, verb: str, goals: list[Place]) -> None:
        if len(goals) > 1:
            places = " and ".join(f"'{place.text} {phrase_text(place.noun)}'" for place in goals)
            raise self._error("AMBIGUOUS", f"{places}: name one place only.")
        if clause.target:
            story.waiting.append(self._target(story, clause))
        elif not story.waiting:
            story.waiting.append(self._chooser.it(story, f"what should I {clause.verb_text or verb}?"))
        story.bare_pick = False
        goal = goals[0] if goals else story.ahead
        if goal is not None:
            story.ahead = None
            self._finish_put(story, verb, goal)
        elif not clause.verb and story.place is not None and len(story.waiting) == 1:
            # "put the can in the bin and the bread too"
            self._put(story, verb, story.waiting.pop(), *story.place)

    def _finish_put(self, story: Story, verb: str, place: Place) -> None:
        targets, story.waiting = story.waiting, []
        if verb == "stack" and len(targets) > 1:
            raise self._error("AMBIGUOUS", "say for each object on which one it is to be stacked.")
        for target in targets:
            support = self._chooser.support(story, verb, target, place)
            self._put(story, verb, target, place.relation, support)

    def _put(self, story: Story, verb: str, target: ObjectEntry, relation: str, support: ObjectEntry) -> None:
        if support.name == target.name:
            raise self._error("UNKNOWN_SKILL", f"I cannot put the {target.name} on itself.")
        if "push" in support.supports and relation == "to" and verb == "put":
            # "move the red cube to the left"
            self._add(story, self._actions.push(story, target, support))
            return
        options = [kind for kind in support.supports if kind in self.vocabulary.skills and kind != "push"]
        if relation in INSIDE:
            options = [kind for kind in options if kind == "place"]
        if not options:
            where = "in" if relation in INSIDE else "on"
            raise self._error("UNKNOWN_SKILL", f"I cannot put anything {where} the {support.name}.")
        preferred: SkillKind = "stack" if verb == "stack" else "place"
        self._add(story, Skill(preferred if preferred in options else options[0], target.name, support.name))
        story.focus = story.moved = target
        story.place = (relation, support)

    def _add(self, story: Story, skill: Skill) -> None:
        if skill.kind not in self.vocabulary.skills:
            raise self._error("UNKNOWN_SKILL", f"I have not learnt to {skill.kind}.")
        if len(story.skills) == MAX_SKILLS:
            raise self._error("TOO_MANY_SKILLS", f"more than {MAX_SKILLS} steps; send fewer at a time.")
        story.skills.append(skill)

    def _check_ending(self, story: Story) -> None:
        if story.waiting and not story.verb:
            raise self._error("AMBIGUOUS", f"what should I do with the {story.waiting[-1].name}?")
        if story.waiting:
            raise self._where_to(story)
        if story.bare_pick:
            raise self._error("AMBIGUOUS", "what should I pick up?")
        if story.ahead is not None:
            where = f"{story.ahead.text} {phrase_text(story.ahead.noun)}"
            raise self._error("AMBIGUOUS", f"'{where}': what should go there?")

    def _where_to(self, story: Story) -> PlanError:
        return self._error("AMBIGUOUS", f"where should the {story.waiting[-1].name} go?")

    def _target(self, story: Story, clause: Clause) -> ObjectEntry:
        if not clause.verb:
            self._refuse_unknown_verb(story, clause)
        return self._chooser.target(story, clause.target)

    def _refuse_unknown_verb(self, story: Story, clause: Clause) -> None:
        """A clause without a known verb may begin with an unknown one: "polish the can"."""
        phrase, known = clause.target, self._chooser.index.words
        if phrase[0].kind != "word" or phrase[0].value in known:
            return
        has_object = any(item.kind in ("determiner", "pronoun", "there") or item.value in known for item in phrase[1:])
        if has_object or not (story.verb or clause.places):
            raise self._error("UNKNOWN_SKILL", f"I do not know how to '{phrase_text(phrase)}'.")


def _goals(clause: Clause) -> list[Place]:
    """Where something is to go: every place but "from ...", and but "on the table" beside another one."""
    goals = [place for place in clause.places if place.relation != "from"]
    return [place for place in goals if not is_furniture(place.noun)] or goals


def _in_natural_order(items: list[Item]) -> list[Item]:
    """Settle "after" and "before" where the steps are already said in order; other uses are refused later."""
    kept: list[Item] = []
    for position, item in enumerate(items):
        following = items[position + 1].kind if position + 1 < len(items) else ""
        # Natural: "after putting A ..., B" at the very beginning, "A before putting B" within a sentence.
        begins = not kept or kept[-1].kind == "connector"
        natural = not kept if item.value == "after" else not begins
        if item.kind == "order" and natural and following == "verb":
            item = Item("connector", "", item.text)
        kept.append(item)
    return kept
