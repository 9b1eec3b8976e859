"""The clips that an earlier run has finished: which are still missing, and whether they are of these demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.common.errors import DatasetError
from training.data.lerobot_writer import read_staged, staged_folders
from training.data.pack import episode_rows
from training.skills.plan import CLIPS_PER_EPISODE, EpisodePlan


@dataclass(frozen=True)
class _Source:
    """Which frames ``[start, stop)`` of which demonstration a clip shows."""

    episode: int
    instruction: str
    start: int
    stop: int

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> _Source:
        """From a clip's columns as :func:`training.skills.write.stage_clip` writes them."""
        names = ("source_episode", "source_instruction", "source_from", "source_to")
        episode, instruction, start, stop = (facts[name] for name in names)
        return cls(int(episode), str(instruction), int(start), int(stop))


class FinishedClips:
    """Clips by their number (``seed``), packed or staged.

    A clip's number comes from its demonstration's, which two datasets may share: without a look at what a clip was cut
    from, the clips of one dataset would be taken for those of the other and left out.
    """

    def __init__(self, out: Path, sources: Mapping[int, _Source]) -> None:
        self._out = out
        self._sources = sources

    @classmethod
    def under(cls, out: Path) -> FinishedClips:
        """What is there in the skill dataset ``out``; nothing when there is none."""
        rows = [row for row in episode_rows(out) if "source_episode" in row]
        sources = {int(row["seed"]): _Source.of(row) for row in rows}
        staged = [read_staged(folder)[0] for folder in staged_folders(out)]
        staged = [info for info in staged if "source_episode" in info.extra]
        return cls(out, sources | {info.seed: _Source.of(info.extra) for info in staged})

    def __len__(self) -> int:
        """How many clips are finished."""
        return len(self._sources)

    def check_source(self, episodes: Sequence[Mapping[str, Any]], dataset: str) -> None:
        """Raise :class:`DatasetError` unless every clip was cut from one of ``episodes``, rows of ``dataset``."""
        known = {int(row["seed"]): row for row in episodes}
        for number, clip in self._sources.items():
            row = known.get(number // CLIPS_PER_EPISODE)
            same = row is not None and (row["episode_index"], row["instruction"]) == (clip.episode, clip.instruction)
            if row is None or not same or clip.stop > row["length"]:
                raise self._other_source(number, dataset)

    def missing(self, plan: EpisodePlan, dataset: str) -> list[int]:
        """Positions of the clips of ``plan`` that are still to be written.

        Raises :class:`DatasetError` when one that is there shows other frames: with the same settings the same
        demonstration is always cut at the same places.
        """
        positions = []
        for position, (number, part) in enumerate(zip(plan.clip_seeds(), plan.segments)):
            clip = self._sources.get(number)
            if clip is None:
                positions.append(position)
            elif (clip.start, clip.stop) != (part.start, part.stop):
                raise self._other_source(number, dataset)
        return positions

    def _other_source(self, number: int, dataset: str) -> DatasetError:
        clip = self._sources[number]
        return DatasetError(
            f"{self._out} holds clips of other demonstrations than {dataset} has: frames {clip.start} to {clip.stop} "
            f"of demonstration {clip.episode}, {clip.instruction!r}, are not a clip of it. Choose another --out for "
            "each dataset, or delete this one to make it anew"
        )
