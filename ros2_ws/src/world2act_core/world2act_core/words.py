"""The words of the grammar planner: which phrases are verbs, places, connectors or mere politeness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

ItemKind = Literal[
    "word",  # part of a name
    "determiner",
    "pronoun",
    "there",
    "one",  # "the green one", "the red thing"
    "verb",  # value: pick, take, put or stack; open, close, press or push where these can be done
    "other_verb",  # starts a request that no skill can carry out
    "relation",  # value: in, into, on, onto, to, from or unsupported
    "connector",
    "group",  # several objects at once, or one that is not named
    "negation",
    "order",  # "after ...", "before ...": may turn the order round
    "or",
    "filler",  # value "result": what follows is to become true ("make sure the can is in the bin")
]

Phrase = tuple[str, ...]


def _table(kind: ItemKind, value: str, phrases: str) -> dict[Phrase, tuple[ItemKind, str]]:
    return {tuple(phrase.split()): (kind, value) for phrase in phrases.split(",") if phrase.strip()}


_DOUBLED = frozenset({"get", "grab", "grip", "put", "set", "drop", "sit", "shut", "hit", "tap"})


def _with_gerunds(verbs: str) -> str:
    """Every verb also as "picking up": people write "start by picking up ... before putting ..."."""
    phrases = [phrase.split() for phrase in verbs.replace("\n", ",").split(",") if phrase.strip()]
    gerunds = [" ".join([_gerund(first), *rest]) for first, *rest in phrases]
    return ",".join([*(" ".join(phrase) for phrase in phrases), *gerunds])


def _gerund(verb: str) -> str:
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ing"
    return f"{verb[:-1]}ing" if verb.endswith("e") else f"{verb}ing"


_PICK = """pick up, pick out, pick, grab hold of, grab, grasp, grip, lift up, lift, raise, fetch, hold,
    take hold of, get hold of, seize, clutch, snatch, collect, hoist, retrieve, take up"""
_TAKE = "take, get, remove, obtain"
_PUT = """put down, put back, put, place, drop off, drop, move, set down, set, throw, toss, chuck, lay down, lay,
    deposit, bring, transfer, position, dump, insert, stick, rest, relocate, carry, deliver, pop, release,
    load, store, stow, return, shift, sit, add, transport, let go of"""
_STACK = "stack up, stack, pile up, pile, balance, mount"

_OTHER_VERBS = """open, close, shut, push, press, pull, turn, rotate, spin, wipe, pour, clean, clear, tidy, empty,
    dance, go, come, stop, wait, pause, cancel, reset, swap, switch, exchange, sort, arrange, build, make, find,
    look, see, show, tell, say, count, point, touch, tap, shake, slide, drag, roll, flip, twist, cut, cook, wash,
    eat, kick, hit, break, help, undo, give, hand, pass, bring me, get me, fetch me, take me, unstack, wave, sing,
    jump, run, walk, fold, squeeze, what, what's, where, where's, how, why, who, when, which, is, are, do, does,
    explain, describe"""

_FILLERS = """please, pls, plz, kindly, could you, can you, would you, will you, would you mind, can we, could we,
    shall we, i want you to, i would like you to, i'd like you to, i need you to, i would like, i'd like, i want,
    i need, you should, you must, you need to, you have to, you can, you could, you, go ahead and, go and,
    make sure to, be sure to, try to, want to, start by, begin by, help me, help me to,
    for me, do me a favor and, do me a favour and, your task is to, your job is to, the task is to, it's time to,
    let us, let's, lets, hey, hello, hi, dear, ok, okay, so, well, now, right now, just, simply, robot, robot arm,
    mister robot, thanks, thank you, many thanks, gently, carefully, slowly, quickly, softly, firmly, immediately,
    quick, directly, right, straight, exactly, first, firstly, first of all, to begin with, to start, also, too,
    as well, if possible, if you can, if you could, if you please, if you don't mind, if you do not mind,
    if you would, with the gripper, with your gripper, with your hand, with the arm, with care,
    use the gripper to, use your gripper to, use the arm to, use your arm to, up, down, away, back, over, around,
    be so kind as to, be so kind to, so kind as to, be kind enough to,
    to be, should be, must be, needs to be, has to be, should go, goes, go, belongs, which is, that is,
    that's, which are, very"""

_CONNECTORS = """then, and, and then, next, after that, after this, after which, afterwards, afterward,
    subsequently, finally, lastly, last, at last, at the end, in the end, last of all, when done, once done,
    when you are done, when you're done, when finished, once finished, once that is done, followed by, plus,
    later, second, secondly, third, thirdly"""

_RELATIONS: dict[str, str] = {
    "in": "in, inside, inside of, within",
    "into": "into, in to, to the inside of, to inside",
    "on": "on, upon, atop, atop of, on top of, on the top of, over the top of",
    "onto": "onto, on to, onto the top of, to the top of, onto top of",
    "to": "to, over to, towards, toward, in the middle of, in the center of, in the centre of, on the middle of",
    "from": """from, off, off of, out of, from inside, from on top of, from the top of, from inside of, out from,
    out from inside""",
    "unsupported": """next to, beside, near, nearby, close to, under, underneath, below, beneath, behind,
    in front of, between, among, left of, to the left of, on the left of, right of, to the right of,
    on the right of, against, around the, above, through, by, at, with, without touching, across, along, outside,
    outside of""",
}

PHRASES: dict[Phrase, tuple[ItemKind, str]] = {
    **_table("connector", "", _CONNECTORS),
    **_table("other_verb", "", _OTHER_VERBS),
    **_table("filler", "", _FILLERS),
    **_table("filler", "result", "make sure, make sure that, ensure, ensure that, see that, see to it that"),
    **_table("verb", "pick", _with_gerunds(_PICK)),
    **_table("verb", "take", _with_gerunds(_TAKE)),
    **_table("verb", "put", _with_gerunds(_PUT)),
    **_table("verb", "stack", _with_gerunds(_STACK)),
    **_table("determiner", "", "the, a, an, my, your, our, this, that, its, some, of"),
    **_table("pronoun", "", "it, itself"),
    **_table("there", "", "there, in there, on there, over there, to there"),
    **_table("one", "", "one, object, thing, item, toy"),
    **_table("order", "after", "after, after you"),
    **_table("order", "before", "before, before you"),
    **_table("or", "", "or, either"),
    **_table(
        "negation",
        "",
        """don't, dont, do not, not, never, without, no, avoid, except, unless, cannot, can't, won't, shouldn't,
    stop, but not, instead of, leave alone""",
    ),
    **_table(
        "group",
        "",
        """everything, all, all of, all the, both, both of, both the, anything, something, each, every, them,
    they, these, those, the rest, the others, others, another, other, two, three, four, five, any, several, many,
    whatever, one of the, one of""",
    ),
    **{
        phrase: item
        for relation, phrases in _RELATIONS.items()
        for phrase, item in _table("relation", relation, phrases).items()
    },
}

# These words begin a request ("go home", "is the can there?") but mean nothing in the middle of one.
OTHER_VERBS = frozenset(_table("other_verb", "", _OTHER_VERBS))

PUNCTUATION = frozenset(",;.!?:&+")

# What a person may say of an object that helps nobody to find it.
IGNORED_ADJECTIVES = frozenset(
    {"little", "small", "big", "large", "tiny", "huge", "wooden", "plastic", "metal", "whole", "single", "nice"}
    | {"pretty", "shiny", "coloured", "colored"}
)

FURNITURE = frozenset({"table", "tabletop", "desk", "counter", "workspace", "surface", "ground", "floor", "bench"})

_ACTION_VERBS: dict[str, str] = {
    "open": "open up, open, pull open, slide open, pull out, pull",
    "close": "close up, close, shut, push shut, push closed, slide shut, slide closed",
    "press": """press down on, press down, press on, press, push down on, push down, hit, tap, click on, click,
    hold down, depress""",
    "push": "push, slide, shove, nudge",
}
"""Verbs of the skills that not every table has; without the skill they are other verbs."""


@dataclass(frozen=True)
class Lexicon:
    """What phrases mean, and which of them begin a request that no skill can carry out."""

    phrases: Mapping[Phrase, tuple[ItemKind, str]]
    other_verbs: frozenset[Phrase]

    @property
    def longest(self) -> int:
        """Words of the longest phrase."""
        return max(len(phrase) for phrase in self.phrases)


BASE_LEXICON = Lexicon(PHRASES, OTHER_VERBS)


def lexicon_for(skills: Sequence[str]) -> Lexicon:
    """The lexicon in which the verbs of these skills are understood."""
    verbs: dict[Phrase, tuple[ItemKind, str]] = {}
    for skill, phrases in _ACTION_VERBS.items():
        if skill in skills:
            verbs |= _table("verb", skill, _with_gerunds(phrases))
    if not verbs:
        return BASE_LEXICON
    # "pull the drawer out", "push the drawer closed"
    extra = _table("filler", "", ("out," if "open" in skills else "") + ("closed" if "close" in skills else ""))
    return Lexicon({**PHRASES, **extra, **verbs}, OTHER_VERBS - verbs.keys())
