"""Which object a phrase means: exact names, shorter descriptions ("the ball", "the green one"), typing mistakes."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from world2act_core.clauses import NounPhrase, tokenise
from world2act_core.plan import PlanError, refusal
from world2act_core.vocabulary import ObjectEntry, Vocabulary
from world2act_core.words import IGNORED_ADJECTIVES, Phrase

Filter = Callable[[ObjectEntry], bool]

_SHOWN_CHARACTERS = 60


class UnknownName(Exception):
    """No object of the vocabulary fits the words."""


class ObjectIndex:
    """Finds the objects of a vocabulary by what a person calls them."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._names: list[tuple[ObjectEntry, Phrase]] = [
            (entry, tuple(tokenise(name))) for entry in vocabulary.objects for name in entry.names
        ]
        self.names: frozenset[Phrase] = frozenset(name for _, name in self._names)
        self.words: frozenset[str] = frozenset(word for name in self.names for word in name)

    def find(self, words: Sequence[str], tiers: Iterable[Filter], like: ObjectEntry | None = None) -> list[ObjectEntry]:
        """Objects that `words` may mean, from the first of the `tiers` (ways of use) that admits any.

        An exact name beats a description; like: in doubt, an object with the same last word as this one's name.
        Raises UnknownName when no object at all fits; returns [] when some do but none can be used this way.
        """
        exact, described = self._candidates(words)
        if not described:
            raise UnknownName
        for admits in tiers:
            for group in (exact, described):
                found = [entry for entry in group if admits(entry)]
                same = [entry for entry in found if like and entry.name.split()[-1] == like.name.split()[-1]]
                if found:
                    return same if len(found) > 1 and len(same) == 1 else found
        return []

    def _candidates(self, words: Sequence[str]) -> tuple[list[ObjectEntry], list[ObjectEntry]]:
        for wanted in (list(words), [word for word in words if word not in IGNORED_ADJECTIVES]):
            if not wanted:
                continue
            exact = _unique(entry for entry, name in self._names if name == tuple(wanted))
            if any(tuple(tokenise(entry.name)) == tuple(wanted) for entry in exact):
                return exact, exact  # a canonical name means that object, even where another is a "trash can"
            described = _unique(entry for entry, name in self._names if Counter(wanted) <= Counter(name))
            if described:
                return exact, described
        return [], []

    def means_many(self, words: Sequence[str]) -> bool:
        """True for a plural of a known word ("cubes")."""
        return any(
            word not in self.words and any(word == f"{known}{end}" for known in self.words for end in ("s", "es"))
            for word in words
        )

    def resembles(self, text: str) -> str | None:
        """The known name most like a misspelt one, or None."""
        known = sorted(" ".join(name) for name in self.names)
        close = difflib.get_close_matches(text, known, n=1, cutoff=0.75)
        return close[0] if close else None

    def unknown(self, phrase: NounPhrase) -> PlanError:
        """The refusal for a phrase that names nothing known."""
        text = phrase_text(phrase)
        words = [item.value for item in phrase if item.kind == "word"]
        if self.means_many(words):
            return self.several(phrase)
        close = self.resembles(" ".join(words))
        hint = f" Did you mean '{close}'?" if close else ""
        return refusal("UNKNOWN_OBJECT", f"I do not know any '{text}'.{hint}", self.vocabulary)

    def several(self, phrase: NounPhrase) -> PlanError:
        """The refusal for a phrase that stands for several objects."""
        text = phrase_text(phrase)
        return refusal("AMBIGUOUS", f"'{text}' may be several objects; name each one.", self.vocabulary)


def phrase_text(phrase: NounPhrase) -> str:
    """The phrase as typed, without its first article, short and printable."""
    items = phrase[1:] if len(phrase) > 1 and phrase[0].kind == "determiner" else phrase
    return shorten(" ".join(item.text for item in items))


def shorten(text: str) -> str:
    """At most 60 printable characters of `text`."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= _SHOWN_CHARACTERS else f"{clean[: _SHOWN_CHARACTERS - 3]}..."


def _unique(entries: Iterable[ObjectEntry]) -> list[ObjectEntry]:
    return list({entry.name: entry for entry in entries}.values())
