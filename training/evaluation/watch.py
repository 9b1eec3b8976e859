"""The alignment score of a rollout's chunks, as ``vla_policy`` gives it to those of the graph."""

from __future__ import annotations

from dataclasses import replace

from world2act_core.alignment import AlignmentTracker
from world2act_core.imagined import CodeBook
from world2act_core.types import ActionChunk


class AlignmentWatch:
    """Compares the chunks of one episode with what was imagined from its initial state. It decides nothing."""

    def __init__(self, codes: CodeBook, start: str, prompts: tuple[str, ...]) -> None:
        """start: name of the initial state; prompts: canonical words of the skills in order."""
        self._tracker = AlignmentTracker(codes)
        self._start = start
        self._prompts = prompts

    def scored(self, chunk: ActionChunk, skill: int) -> ActionChunk:
        """The chunk, made for skill number ``skill``, with its cosine (NaN where nothing was imagined)."""
        return replace(chunk, alignment=self._tracker.score(chunk, self._start, self._prompts[skill], skill))
