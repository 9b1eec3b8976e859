"""One atomic skill: what the policy is asked to do until it reports that it is done."""

from __future__ import annotations

from dataclasses import dataclass

from world2act_core.vocabulary import TABLETOP_VOCABULARY, SkillKind, Vocabulary


class SkillError(ValueError):
    """A skill that the vocabulary does not allow."""


@dataclass(frozen=True)
class Skill:
    """`pick target`, `place target in/on support`, `stack target on support`; `open`, `close` or `press target`; `push
    target to support`, a side of the table. Names are canonical object names.
    """

    kind: SkillKind
    target: str
    support: str | None = None

    @property
    def prompt(self) -> str:
        """The canonical text of the skill with the Tabletop prepositions; the policy reads this or a paraphrase."""
        return self.prompt_in(TABLETOP_VOCABULARY)

    def prompt_in(self, vocabulary: Vocabulary) -> str:
        """The canonical text, with `in` or `on` as `vocabulary` says for the support (`on` when it is unknown)."""
        if self.kind == "pick":
            return f"pick up the {self.target}"
        if self.kind == "stack":
            return f"stack the {self.target} on the {self.support}"
        if self.kind == "push":
            return f"push the {self.target} to the {self.support}"
        if self.kind != "place":
            return f"{self.kind} the {self.target}"
        entry = vocabulary.find(self.support or "")
        return f"put the {self.target} {entry.preposition if entry else 'on'} the {self.support}"

    def validate(self, vocabulary: Vocabulary) -> None:
        """Raise SkillError when `vocabulary` does not allow this skill, naming the part that is wrong."""
        if self.kind not in vocabulary.skills:
            raise SkillError(f"skill '{self.kind}' is not one of {', '.join(vocabulary.skills)}")
        self._validate_target(vocabulary)
        if self.kind != "place" and self.kind != "stack" and self.kind != "push":
            if self.support is not None:
                raise SkillError(f"{self.kind} takes no support, got '{self.support}'")
            return
        if self.support == self.target:
            raise SkillError(f"{self.kind}: '{self.target}' cannot be its own support")
        support = vocabulary.find(self.support or "")
        if support is None or self.kind not in support.supports:
            known = ", ".join(vocabulary.support_names(self.kind))
            raise SkillError(f"{self.kind}: '{self.support}' cannot be the support; these can: {known}")

    def _validate_target(self, vocabulary: Vocabulary) -> None:
        target = vocabulary.find(self.target)
        if self.kind == "pick" or self.kind == "place" or self.kind == "stack":
            fits, use, known = target is not None and target.graspable, "grasped", vocabulary.graspable_names
        else:
            fits, use = target is not None and self.kind in target.actions, f"used for '{self.kind}'"
            known = vocabulary.action_names(self.kind)
        if not fits:
            raise SkillError(f"{self.kind}: target '{self.target}' cannot be {use}; these can: {', '.join(known)}")
