"""From text to clauses: who is acted on, how, and where it goes. No meaning of names yet (see references.py)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from world2act_core.words import BASE_LEXICON, PUNCTUATION, ItemKind, Lexicon, Phrase

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[,;.!?:&+]|[^\s\w]")
# Between words these mean nothing: quotes, brackets, hyphens and the like.
_SILENT = frozenset("\"'`“”„«»()[]{}<>*#/\\|~^=-–—−")


@dataclass(frozen=True)
class Item:
    """A phrase of the instruction: what kind of word it is, its value (see words.py) and how it was written."""

    kind: ItemKind
    value: str
    text: str


NounPhrase = list[Item]


class Place(NamedTuple):
    """Where something is or goes: the relation (see words.py), the noun, and the relation as written."""

    relation: str
    noun: NounPhrase
    text: str


@dataclass
class Clause:
    """One request. verb: what the lexicon says (pick, take, put, stack, ...), or "" when the person left it out."""

    verb: str = ""
    verb_text: str = ""
    target: NounPhrase = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """True when nothing has been said yet."""
        return not (self.verb or self.target or self.places)


def tokenise(text: str) -> list[str]:
    """Lower-case words and punctuation marks; compatibility forms are folded, control characters separate words."""
    folded = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'").lower()
    kept = "".join(character for character in map(_printable, folded))
    return [token for token in _TOKEN.findall(kept) if token not in _SILENT]


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # zero-width characters inside words
        return ""
    return " " if category.startswith("C") or category.startswith("Z") else character


def scan(tokens: list[str], names: frozenset[Phrase], lexicon: Lexicon = BASE_LEXICON) -> Iterator[Item]:
    """Cut tokens into phrases, the longest first; an object's name wins against another phrase of the same length."""
    words = frozenset(word for name in names for word in name)
    longest = max([lexicon.longest, *(len(name) for name in names)])
    start = 0
    while start < len(tokens):
        for length in range(min(longest, len(tokens) - start), 0, -1):
            phrase = tuple(tokens[start : start + length])
            items = list(_match(phrase, names, words, lexicon))
            if items:
                break
        yield from items
        start += length


def _match(phrase: Phrase, names: frozenset[Phrase], words: frozenset[str], lexicon: Lexicon) -> Iterable[Item]:
    text = " ".join(phrase)
    if phrase in names:
        return [Item("word", word, word) for word in phrase]
    known = lexicon.phrases.get(phrase)
    if len(phrase) == 1 and text in words and not (known and known[0] == "determiner"):
        return [Item("word", text, text)]
    if known:
        return [Item(*known, text)]
    if len(phrase) == 1:
        return [Item("connector", "", text) if text in PUNCTUATION else Item("word", text, text)]
    return []


def split_clauses(items: Iterable[Item], lexicon: Lexicon = BASE_LEXICON) -> Iterator[Clause]:
    """Group phrases into clauses: a connector or the next verb ends one."""
    clause = Clause()
    current = clause.target
    for item in _settle(list(items), lexicon):
        if item.kind == "connector" or (item.kind == "verb" and not clause.empty):
            if not clause.empty:
                yield clause
            clause = Clause()
            current = clause.target
        if item.kind == "verb":
            clause.verb, clause.verb_text = item.value, item.text
        elif item.kind == "relation":
            current = []
            clause.places.append(Place(item.value, current, item.text))
        elif item.kind == "there" and not (clause.places and not current):
            clause.places.append(Place("to", [item], ""))
        elif item.kind != "connector":
            # "put on the plate the red cube": a second article begins the target.
            if item.kind == "determiner" and clause.verb and not clause.target and _names_something(current):
                current = clause.target
            current.append(item)
    if not clause.empty:
        yield clause


def _names_something(phrase: NounPhrase) -> bool:
    return any(item.kind in ("word", "one") for item in phrase)


def _settle(items: list[Item], lexicon: Lexicon) -> Iterator[Item]:
    """Decide the kind of words that mean different things in different places, and drop the fillers."""
    at_start, wants_result = True, False
    kinds = [item.kind for item in items]
    for position, item in enumerate(items):
        next_kind = kinds[position + 1] if position + 1 < len(kinds) else None
        if at_start and item.kind != "word" and tuple(item.text.split()) in lexicon.other_verbs:
            item = Item("other_verb", "", item.text)
        elif item.text in ("is", "are"):
            # "make sure the can is in the bin" is a request, "the can is in the bin" is not.
            item = Item("filler" if wants_result else "other_verb", "", item.text)
        elif item.kind == "other_verb" and not at_start:
            item = Item("word", item.text, item.text)
        elif item.text == "over" and next_kind in ("determiner", "word"):
            item = Item("relation", "on", item.text)
        elif item.text == "right" and item.kind == "word" and next_kind in ("relation", "there"):
            # "right in the bin", where "right" is also a side of the table: "the right"
            item = item if position and kinds[position - 1] == "determiner" else Item("filler", "", item.text)
        elif item.text == "to" and next_kind == "verb":
            continue  # "grab the can to put it in the bin"
        elif item.text.isdecimal() and "verb" in kinds[position + 1 : position + 3]:
            item = Item("connector", "", item.text)  # a numbered list: "1. pick up the can 2. ..."
        wants_result = wants_result or item.value == "result"
        if item.kind != "filler":
            at_start = item.kind == "connector"
            yield item
