"""The alignment score while running: does what is executed agree with what the world model imagined?

World2Act reports that this cosine predicts success. Which imagined chunk an executed one is compared with is counted as
in post-training: chunk j of a skill covers steps j M to (j + 1) M since the skill's first inference.
"""

from __future__ import annotations

import math

import numpy as np

from world2act_core.imagined import CodeBook
from world2act_core.types import ActionChunk, FloatArray


def cosine(first: FloatArray, second: FloatArray) -> float:
    """Cosine of the angle between two codes [C], within [-1, 1]; NaN when one of them is zero."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / length, -1.0, 1.0)) if length > 0 else math.nan


class AlignmentTracker:
    """Scores the chunks of one episode after another. `reason`: why the last got none; "" past what was imagined."""

    def __init__(self, book: CodeBook) -> None:
        self.reason = ""
        self._book = book
        self._episode: tuple[int, float] | None = None
        self._skill: tuple[int, int, float] | None = None

    def score(self, chunk: ActionChunk, start: str, prompt: str, index: int, plan: int = 0) -> float:
        """The cosine for a chunk of a policy, or NaN when nothing was imagined for it.

        start: name of the initial state; prompt: the skill's canonical words; index: its place in the plan, from 0;
        plan: another number begins another episode, as another `chunk.skill_id` begins another skill.
        """
        now = chunk.start_time_s
        if self._episode is None or self._episode[0] != plan:
            self._episode = (plan, now)
        if self._skill is None or self._skill[:2] != (plan, chunk.skill_id):
            self._skill = (plan, chunk.skill_id, now)
        self.reason = ""
        if chunk.code is None:
            self.reason = "the policy gives no code of what it executes: its bundle has no residual"
            return math.nan
        codes = self._codes(start, prompt, index)
        began = self._episode[1] if self._book.whole_episode else self._skill[2]
        place = round((now - began) / (self._book.steps * chunk.step_s))
        return cosine(chunk.code, codes[place]) if codes is not None and place < len(codes) else math.nan

    def _codes(self, start: str, prompt: str, index: int) -> FloatArray | None:
        """Codes [L, C] of the part that the skill is."""
        found = self._book.find(start)
        if found is None:
            self.reason = f"nothing was imagined for the initial state {start!r} ({len(self._book.starts)} others were)"
            return None
        if self._book.whole_episode:
            return found.codes[0]
        parts = found.prompts
        if index < len(parts) and parts[index] == prompt:
            return found.codes[index]
        if prompt in parts:  # the planner orders the skills otherwise
            return found.codes[parts.index(prompt)]
        self.reason = f"nothing was imagined for {prompt!r} from {start!r}, only for {', '.join(map(repr, parts))}"
        return None
