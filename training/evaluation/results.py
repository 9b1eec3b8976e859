"""Finished episodes on disk, one JSON line each, so that an evaluation can be continued."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.disk import naming_full_disk, write_bytes_atomically
from training.evaluation.rollout import Episode, EpisodeOutcome


class Results:
    """The episodes of one policy under one protocol (``identity``) in ``folder/episodes.jsonl``."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._path = folder / "episodes.jsonl"
        self._films = folder / "films"
        self._identity = identity
        self.rows: dict[Episode, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for row in _read_lines(self._path):
            if row.get("identity") == identity:
                self.rows[Episode(row["kind"], row["split"], int(row["seed"]))] = row

    def has(self, episode: Episode) -> bool:
        """Whether this episode is finished."""
        return episode in self.rows

    def add(self, outcome: EpisodeOutcome, more: Mapping[str, Any] | None = None) -> None:
        """Keep one finished episode and its film, if it has one; ``more``: further entries of its line."""
        row = {"identity": self._identity, **outcome.to_json(), **(more or {})}
        if outcome.episode not in self.rows:
            with naming_full_disk(self._path):
                _append(self._path, json.dumps(row))
        self.rows[outcome.episode] = row
        if outcome.frames:
            buffer = io.BytesIO()
            np.save(buffer, np.stack(outcome.frames))
            write_bytes_atomically(self._film_path(outcome.episode), buffer.getvalue())

    def film(self, episode: Episode) -> NDArray[np.uint8] | None:
        """Frames uint8 [N, H, 2W, 3] of a filmed episode."""
        path = self._film_path(episode)
        return np.load(path) if path.exists() else None

    def summary(self) -> str:
        """Successes per kind so far, as "pick 19/20 place 30/34"."""
        tried = Counter(episode.kind for episode in self.rows)
        done = Counter(episode.kind for episode, row in self.rows.items() if row["success"])
        return " ".join(f"{kind} {done[kind]}/{tried[kind]}" for kind in sorted(tried))

    def _film_path(self, episode: Episode) -> Path:
        name = f"{self._identity[:12]}-{episode.kind}-{episode.split}-{episode.seed}.npy"
        return self._films / name


def _append(path: Path, line: str) -> None:
    """Add a line; one that was cut off before it (the disk was full, the process was killed) is ended first."""
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else f"\n{line}"
        file.write(f"{line}\n".encode())


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON-lines file; lines that are cut off or damaged are dropped: their episodes are not finished."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_bytes().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in rows if isinstance(row, dict)]
